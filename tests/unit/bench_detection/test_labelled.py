"""Labelled files through the scan."""

import numpy as np

from tests.benchmarks.detection.labelled import Labelled, scan, seconds_of


def file(name: str, spike: int) -> Labelled:
    values = np.random.default_rng(len(name)).normal(10, 1, 500)
    values[spike] = 60.0
    return Labelled(name, np.arange(500) * 300 + 1_000_053, values, ())


def test_scan() -> None:
    """Every file has a score per point, and its own findings at the points that told them."""
    files = [file("b", 400), file("aa", 300)]
    told = scan(files)
    for one, found in zip(files, told, strict=True):
        assert len(found.scores) == 500
        assert found.points(one) == [int(np.argmax(one.values))]
        assert int(np.argmax(found.scores)) == int(np.argmax(one.values))


def test_seconds() -> None:
    """Without a zone it is UTC."""
    assert seconds_of("1970-01-01 00:01:00.000000") == seconds_of("1970-01-01T01:01:00+01:00") == 60

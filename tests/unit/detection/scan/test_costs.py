"""Requests and costs replayed."""

import random
from pathlib import Path

import numpy as np
import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.detection.model import Floats
from stream_jobs.detection.scan.costs import replay
from tests.unit.timed_csv.files import rows_of

HEAD = "time,series,events,cost\n"


def nothing(_done: int, _of: int) -> None:
    pass


MINUTES = 27 * 60
"""The end of a day among them, and with it that of a series' first."""


def lines() -> list[str]:
    rng = np.random.default_rng(11)
    made = []
    for minute in range(MINUTES):
        for name, rate in (("a", 20), ("b", 5)):
            events = int(rng.poisson(rate))
            parts = rng.lognormal(-4.6, 1.0, 2)
            made += [
                f"{minute * 60 + second},{name},{events // 2},{part}"
                for second, part in zip((0, 30), parts, strict=True)
            ]
    return made


@pytest.mark.slow
def test_order_makes_no_difference(tmp_path: Path) -> None:
    """Rows in any order, of which several make a minute, give the same findings and scores, to the last bit."""
    told = []
    for given in (lines(), random.Random(1).sample(lines(), len(lines()))):
        scores: list[tuple[int, list[str], list[float]]] = []

        def keep(minute: int, names: list[str], surprise: Floats, kept: list = scores) -> None:  # type: ignore[type-arg]
            kept.append((minute, list(names), surprise.tolist()))

        told.append((replay(rows_of(tmp_path, HEAD + "\n".join(given)), nothing, keep), scores))
    assert told[0] == told[1]
    assert len(told[0][1]) == MINUTES


def test_a_series_begins_with_its_first_row(tmp_path: Path) -> None:
    """Before it, nobody knows of the series; from then on a minute without a row is one without requests."""
    seen: list[tuple[int, list[str]]] = []
    rows = rows_of(tmp_path, HEAD + "0,z,1,1\n240,a,1,1\n360,z,1,1\n")
    replay(rows, nothing, lambda minute, names, _scores: seen.append((minute, list(names))))
    assert seen == [*((minute, ["z"]) for minute in range(4)), *((minute, ["z", "a"]) for minute in (4, 5, 6))]


@pytest.mark.slow
def test_nothing_of_what_comes_later_is_known(tmp_path: Path) -> None:
    """What is said of the first hours, and all scores, are the same however long the file goes on."""
    given = lines()
    assert len(given) == 4 * MINUTES
    told = []
    for part in (given, given[: len(given) * 25 // 27]):
        scores: list[list[float]] = []

        def keep(_minute: int, _names: list[str], surprise: Floats, kept: list[list[float]] = scores) -> None:
            kept.append(surprise.tolist())

        replay(rows_of(tmp_path, HEAD + "\n".join(part)), nothing, keep)
        told.append(scores)
    assert told[0][: len(told[1])] == told[1]


@pytest.mark.slow
def test_what_is_open_at_the_end_has_the_figures_of_the_end(tmp_path: Path) -> None:
    """Not those of when it was last told."""
    rng = np.random.default_rng(5)
    rows = []
    for minute in range(MINUTES):
        events = rng.poisson(30 * (20 if minute >= MINUTES - 90 else 1))
        rows.append(f"{60 * minute},a,{events},{0.01 * events}")
    replayed = []
    for missing in (30, 0):
        ((_, found),) = replay(rows_of(tmp_path, HEAD + "\n".join(rows[: len(rows) - missing])), nothing)
        assert found.end is None
        assert found.actual == pytest.approx(600 * 0.01 * (90 - missing), rel=0.05)
        replayed.append(found)
    assert replayed[0].detected_at == replayed[1].detected_at


def test_a_wrong_year(tmp_path: Path) -> None:
    """A file that spans decades has a wrong time in it: it is not replayed for hours."""
    with pytest.raises(ConfigError, match="more than five years, from 1970-01-01T00:00:00Z to 2026"):
        replay(rows_of(tmp_path, HEAD + "0,a,1,1\n2026-01-01T00:00Z,a,1,1\n"), nothing)

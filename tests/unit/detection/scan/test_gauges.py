"""Values replayed."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.detection.scan.answer import scan_file
from stream_jobs.detection.scan.gauges import news, points_of
from tests.fuzz import examples
from tests.unit.timed_csv.files import rows_of, written

VALUES = np.random.default_rng(5).normal(50, 3, 400)
VALUES[300:305] = 120.0
LINES = [f"{1_767_225_600 + 300 * number},{'ab'[number % 2]},{value}" for number, value in enumerate(VALUES)]
HEAD = "time,series,value\n"


def test_points(tmp_path: Path) -> None:
    """Values of a minute become their mean, the step is the median gap, and each row knows its point."""
    rows = rows_of(tmp_path, HEAD + "120,a,1\n0,a,2\n30,a,4\n300,a,5\n240,b,7\n")
    points = points_of(rows)
    assert points.at.tolist() == [0, 2, 5, 4]
    assert points.values.tolist() == [3.0, 1.0, 5.0, 7.0]
    assert points.of_row.tolist() == [1, 0, 0, 2, 3]
    assert points.steps() == [2, 1]


@pytest.mark.slow
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_order_makes_no_difference(tmp_path: Path, seed: int) -> None:
    """Rows in any order give the same findings, to the last bit, and every row its score."""
    shuffled = random.Random(seed).sample(LINES, len(LINES))
    tables = []
    for lines in (LINES, shuffled):
        told = scan_file(written(tmp_path, HEAD + "\n".join(lines)), scores=tmp_path / "scores.csv")
        scores = (tmp_path / "scores.csv").read_text().splitlines()
        assert len(scores) == len(LINES) + 1
        tables.append((told.findings, sorted(scores)))
    assert tables[0] == tables[1]
    assert tables[0][0]


def test_no_look_ahead(tmp_path: Path) -> None:
    """What comes later changes no score before it."""
    scores = []
    for lines in (LINES[:300], LINES):
        scan_file(written(tmp_path, HEAD + "\n".join(lines)), scores=tmp_path / "scores.csv")
        scores.append((tmp_path / "scores.csv").read_text().splitlines()[:301])
    assert scores[0] == scores[1]


def test_news(tmp_path: Path) -> None:
    """A surprise no greater than one of the values before it is none; behind them it is one again."""
    points = points_of(rows_of(tmp_path, "time,value\n" + "".join(f"{60 * number},1\n" for number in range(6))))
    surprise = np.array([1.0, 3.0, 2.0, 3.0, 2.0, 4.0])
    assert news(points, surprise, 2).tolist() == [1.0, 3.0, 0.0, 0.0, 0.0, 4.0]

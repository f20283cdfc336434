"""Figures, floors and goals."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.harness.results import RESULT_FILE, Figure, Report, WrongResultError, number


@pytest.mark.parametrize(
    ("values", "floor", "lower", "met"),
    [
        ([9, 11, 30], 10, False, True),
        ([9, 9, 30], 10, False, False),
        ([1, 9, 30], 10, True, True),
        ([11], 10, True, False),
    ],
)
def test_the_median_is_held_against_the_floor(values: list[float], floor: float, lower: bool, met: bool) -> None:
    """At least the floor, or at most where lower is better; the median counts, not the best."""
    assert Figure("f", "x", values, floor, lower_is_better=lower).meets_floor is met


def test_share_of_the_goal() -> None:
    """1 is the goal reached and more is better, for figures of both kinds; without a goal there is no share."""
    assert Figure("f", "events/s", [30.0], 10, 60).of_goal == 0.5
    assert Figure("f", "s", [2.0], 2, 1, lower_is_better=True).of_goal == 0.5
    assert Figure("f", "s", [2.0]).of_goal is None


def test_a_missed_floor_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`finish` returns 1 for it, says so, and publishes the figures."""
    path = tmp_path / "result.json"
    monkeypatch.setenv(RESULT_FILE, str(path))
    report = Report("r", [Figure("f", "x", [1.0], 2, 3)])
    report.check("sum", 7, 7)
    assert report.finish() == 1
    assert "MISSED" in capsys.readouterr().out
    published = json.loads(path.read_text(encoding="utf-8"))
    assert published["figures"][0]["meets_floor"] is False
    assert published["checks"] == {"sum": ["7", "7"]}


def test_a_wrong_result_is_no_result() -> None:
    """A check that fails raises."""
    with pytest.raises(WrongResultError, match="sum: expected 7, found 8"):
        Report("r").check("sum", 7, 8)


@pytest.mark.parametrize(
    ("value", "text"), [(123_456, "123,000"), (1_000, "1,000"), (999.4, "999"), (0.01234, "0.0123"), (5, "5")]
)
def test_three_digits(value: float, text: str) -> None:
    """Figures are printed with the digits that a benchmark can tell."""
    assert number(value) == text

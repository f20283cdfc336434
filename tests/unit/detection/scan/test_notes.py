"""What is said of a file that is probably not what people think."""

from pathlib import Path

import pytest

from stream_jobs.detection.scan.notes import ENOUGH, notes
from tests.unit.timed_csv.files import rows_of


def _file(gap_s: int, count: int, series: str = "", events: int = 3) -> str:
    return "".join(f"{series}{number * gap_s},{events},{number % 7}\n" for number in range(count))


@pytest.mark.parametrize(("gap_s", "said"), [(3600, "hourly rows"), (86_400, "daily rows"), (7 * 86_400, "daily rows")])
def test_sums_of_hours_or_days_are_told(tmp_path: Path, gap_s: int, said: str) -> None:
    """As minutes they are bursts with silence between them."""
    (note,) = notes(rows_of(tmp_path, "time,events,cost\n" + _file(gap_s, ENOUGH)))
    assert said in note
    assert "--mode gauge" in note


@pytest.mark.parametrize(("gap_s", "count"), [(60, 500), (300, 500), (1800, 500), (3600, ENOUGH - 1), (3660, 500)])
def test_minutes_are_no_sums_of_hours(tmp_path: Path, gap_s: int, count: int) -> None:
    """Nor are a few requests that happen to lie in the same minute."""
    assert not notes(rows_of(tmp_path, "time,events,cost\n" + _file(gap_s, count)))


def test_how_many_of_several_series(tmp_path: Path) -> None:
    """Each is looked at by itself: rows of the same hour are one hour."""
    text = "series,time,events,cost\n" + _file(3600, 50, "a,") + _file(60, 50, "b,") + "c,0,1,1\n" * 50
    (note,) = notes(rows_of(tmp_path, text))
    assert note.startswith("1 of 3 series has hourly rows")


def test_costs_without_events_are_told(tmp_path: Path) -> None:
    """Nothing of them is judged; a series of nothing at all is none of them."""
    text = "series,time,events,cost\n" + _file(60, 50, "a,", events=0) + _file(60, 50, "b,") + "c,0,0,0\n"
    (note,) = notes(rows_of(tmp_path, text))
    assert note.startswith("1 of 3 series has costs and no events")
    assert not notes(rows_of(tmp_path, "time,value\n" + "".join(f"{number * 3600},1\n" for number in range(50))))

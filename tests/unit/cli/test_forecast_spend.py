"""Rows of spend as local days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.forecast_spend import LocalDays, end_of, instant_of, spend_of
from stream_jobs.timed_csv.reading import read

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def days_of(folder: Path, text: str, zone: ZoneInfo, *names: str) -> LocalDays:
    path = folder / "spend.csv"
    path.write_text(text)
    return LocalDays(spend_of(read(path, "gauge", also={"budget": "series"})), list(names), zone)


def ordinal(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_dates_are_dates_in_every_zone(tmp_path: Path) -> None:
    """What is at 0:00 UTC throughout says which day is meant, also west of Greenwich."""
    text = "time,cost,budget\n2027-03-01,5,a\n2027-03-02,-7,a\n2027-03-04,1,b\n2027-03-02,3,a\n"
    for zone in (BERLIN, NEW_YORK):
        days = days_of(tmp_path, text, zone, "a", "b")
        assert days.panel.first == ordinal("2027-03-01")
        assert np.array_equal(days.panel.values, [[5, -4, np.nan, np.nan], [np.nan] * 3 + [1]], equal_nan=True)
        assert days.spent(0, ordinal("2027-02-01"), ordinal("2027-03-03")) == 1
        assert days.unknown(0, ordinal("2027-02-01"), ordinal("2027-03-06")) == 3
        assert days.unknown(1, ordinal("2027-03-01"), ordinal("2027-03-05")) == 0


def test_hours_are_added_up_by_local_days(tmp_path: Path) -> None:
    """A day on which clocks are put forward has 23 of them."""
    start = datetime(2027, 3, 26, 23, tzinfo=UTC)  # midnight in Berlin
    text = "time,value,series\n" + "".join(f"{(start + timedelta(hours=hour)).isoformat()},1,a\n" for hour in range(71))
    days = days_of(tmp_path, text, BERLIN, "a")
    assert days.panel.first == ordinal("2027-03-27")
    assert days.panel.values.tolist() == [[24, 23, 24]]
    shifted = days_of(tmp_path, text, ZoneInfo("UTC"), "a").panel.values[0]
    assert np.isnan(shifted[[0, -1]]).all()  # days that are not whole
    assert shifted[1:-1].tolist() == [24, 24]


def test_the_day_that_goes_on(tmp_path: Path) -> None:
    """Of hours those that are over by then; of dates nothing."""
    start = datetime(2027, 3, 1, tzinfo=UTC)
    text = "time,value,series\n" + "".join(f"{(start + timedelta(hours=hour)).isoformat()},2,a\n" for hour in range(48))
    days = days_of(tmp_path, text, ZoneInfo("UTC"), "a")
    assert days.today(0, ordinal("2027-03-02"), datetime(2027, 3, 2, 6, 30, tzinfo=UTC)) == (12.0, 6.5 / 24)
    assert days.today(0, ordinal("2027-03-02"), datetime(2027, 3, 2, tzinfo=UTC)) == (0.0, 0.0)
    dated = days_of(tmp_path, "time,value,series\n2027-03-01,2,a\n", ZoneInfo("UTC"), "a")
    assert dated.today(0, ordinal("2027-03-01"), datetime(2027, 3, 1, 12, tzinfo=UTC)) == (0.0, 0.0)


def test_when_it_was_passed(tmp_path: Path) -> None:
    """The first day by whose end it was more; a credit later does not undo it."""
    text = "time,value,series\n2027-03-01,5,a\n2027-03-02,5,a\n2027-03-03,-9,a\n"
    days = days_of(tmp_path, text, ZoneInfo("UTC"), "a")
    assert days.passed_on(0, ordinal("2027-03-01"), ordinal("2027-03-04"), 6) == ordinal("2027-03-02")
    assert days.passed_on(0, ordinal("2027-03-01"), ordinal("2027-03-04"), 10) is None


def test_the_end(tmp_path: Path) -> None:
    """Behind the last row: a date of dates, which begins where the budget is."""
    path = tmp_path / "spend.csv"
    path.write_text("time,value,series\n2027-03-01,5,a\n2027-03-28,5,a\n")
    end = end_of(spend_of(read(path, "gauge")))
    assert end == date(2027, 3, 29)
    assert instant_of(end, NEW_YORK) == datetime(2027, 3, 29, 4, tzinfo=UTC)


def test_too_far_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="4,000 days apart"):
        days_of(tmp_path, "time,value\n1990-01-01,1\n2027-01-01,1\n", BERLIN, "")

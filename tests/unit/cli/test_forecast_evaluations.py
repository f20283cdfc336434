"""Budgets at one instant after the other."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_jobs.cli.forecast_amounts import read_amounts
from stream_jobs.cli.forecast_evaluations import evaluations
from stream_jobs.cli.forecast_spend import spend_of
from stream_jobs.timed_csv.reading import read

FIRST = date(2027, 1, 1)


def told(
    folder: Path, budgets: str, series: dict[str, Any], *at: str, first: date = FIRST, name: str = "budgets.csv"
) -> list[dict[str, Any]]:
    """`series`: by name the values of days; NaN is a day without a row."""
    (folder / name).write_text(budgets)
    rows = [
        f"{first + timedelta(days=day)},{value},{budget}\n"
        for budget, values in series.items()
        for day, value in enumerate(values)
        if np.isfinite(value)
    ]
    (folder / "spend.csv").write_text("time,value,budget\n" + "".join(rows))
    spend = spend_of(read(folder / "spend.csv", "gauge", also={"budget": "series"}))
    asked = [date.fromisoformat(one) if len(one) == 10 else datetime.fromisoformat(one) for one in at]
    return list(evaluations(read_amounts(folder / name, spend.names), spend, asked))


def steady(days: int = 90) -> np.ndarray:
    return 10 * np.exp(np.random.default_rng(0).normal(0, 0.1, days))


def test_a_budget_that_will_not_last(tmp_path: Path) -> None:
    """300 for a month at 10 a day is spent on the 20th or so of one that may spend 200."""
    (one,) = told(tmp_path, "budget,amount\na,200\n", {"a": steady()}, "2027-03-11")
    assert one["probability"] > 0.99
    assert one["period"] == {"start": datetime(2027, 3, 1, tzinfo=UTC), "end": datetime(2027, 4, 1, tzinfo=UTC)}
    assert float(one["spent"]) == pytest.approx(steady()[59:69].sum())
    assert one["dates"]["p10"] <= one["dates"]["p50"] <= one["dates"]["p90"]
    assert one["dates"]["p50"] in (date(2027, 3, 20), date(2027, 3, 21))
    assert one["total"]["p10"] < one["total"]["p50"] < one["total"]["p90"]
    assert 290 < one["total"]["p50"] < 330


@pytest.mark.slow
def test_only_what_lies_before(tmp_path: Path) -> None:
    """An evaluation is the same whatever comes later, and whatever else is asked."""
    wild = np.concatenate([steady()[:69], 100 * steady()[69:]])
    one = told(tmp_path, "budget,amount\na,200\n", {"a": steady()}, "2027-03-11")
    assert told(tmp_path, "budget,amount\na,200\n", {"a": wild}, "2027-03-11") == one
    many = told(tmp_path, "budget,amount\na,200\n", {"a": wild}, *(f"2027-03-{day:02}" for day in range(11, 29)))
    assert many[0] == one[0]


def test_alerts_in_the_order_of_time(tmp_path: Path) -> None:
    """Whatever order was asked: the second evaluation running raises, and what is exceeded is held."""
    days = [f"2027-03-{day:02}" for day in range(1, 29)]
    found = told(tmp_path, "budget,amount\na,200\n", {"a": steady()}, *reversed(days))
    alerts = [one["alert"] for one in found]
    assert alerts[:3] == ["none", "none", "raised"]
    assert set(alerts[3:]) == {"held"}
    assert found[-1]["probability"] == 1


def test_exceeded_already(tmp_path: Path) -> None:
    """Certain, with the day it was; an amount of 0 by the first that is spent. No forecast's alert."""
    nothing, little = told(tmp_path, "budget,amount\na,0\nb,25\n", {"a": steady(), "b": steady()}, "2027-03-11")
    assert (nothing["probability"], nothing["dates"]["p90"], nothing["alert"]) == (1, date(2027, 3, 1), "none")
    assert little["dates"]["p10"] == little["dates"]["p90"] == date(2027, 3, 3)


@pytest.mark.parametrize(
    ("period", "zone", "start", "end"),
    [
        ("day", "Europe/Berlin", "2027-03-27T23:00", "2027-03-28T22:00"),
        ("week", "Europe/Berlin", "2027-03-21T23:00", "2027-03-28T22:00"),
        ("month", "America/New_York", "2027-03-01T05:00", "2027-04-01T04:00"),
        ("quarter", "UTC", "2027-01-01T00:00", "2027-04-01T00:00"),
        ("year", "Asia/Tokyo", "2026-12-31T15:00", "2027-12-31T15:00"),
    ],
)
def test_periods(tmp_path: Path, period: str, zone: str, start: str, end: str) -> None:
    """Of local dates, on the day that clocks change in Berlin; a date is its beginning there."""
    text = f"budget,amount,period,timezone\na,200,{period},{zone}\n"
    (one,) = told(tmp_path, text, {"a": steady()}, "2027-03-28")
    assert {key: value.isoformat()[:16] for key, value in one["period"].items()} == {"start": start, "end": end}
    assert one["label"] == "steady"
    assert one["total"]["p10"] <= one["total"]["p50"] <= one["total"]["p90"]


def test_the_last_day_of_a_leap_february(tmp_path: Path) -> None:
    """At its beginning one day is left; at its end the next month has begun."""
    first, second = told(
        tmp_path, "budget,amount\na,290\n", {"a": steady()}, "2028-02-29", "2028-03-01", first=date(2027, 12, 1)
    )
    assert first["period"]["end"] == datetime(2028, 3, 1, tzinfo=UTC)
    assert float(first["total"]["p90"]) - float(first["spent"]) < 20
    assert second["spent"] == 0


def test_what_cannot_be_said(tmp_path: Path) -> None:
    """In words, in place of figures: no spend, no day yet, an hour, a window, not in force, nothing for long."""
    budgets = (
        "budgets:\n"
        "  - {id: a, name: A, amount: 9, period: month}\n"
        "  - {id: unheard, name: B, amount: 9, period: month}\n"
        "  - {id: hourly, name: C, amount: 9, period: hour}\n"
        "  - {id: rolling, name: D, amount: 9, period: {rolling: 7d}}\n"
        "  - {id: later, name: E, amount: 9, period: month, valid_from: 2030-01-01}\n"
    )
    series = {name: steady() for name in ("a", "hourly", "rolling", "later", "nobodys")}
    found = told(tmp_path, budgets, series, "2027-01-01", "2027-06-01", name="budgets.yaml")
    assert all(one["probability"] is None and one["total"]["p50"] is None for one in found)
    assert all(one["label"] == "refused" for one in found)
    whys = {(one["budget"], one["at"].month): one["why"] for one in found}
    assert whys["a", 1] == "no whole day of it is known yet"
    assert "nothing is known after 2027-03-31" in whys["a", 6]
    assert whys["unheard", 6] == "the file has no spend of it"
    assert "hour" in whys["hourly", 6]
    assert "rolling" in whys["rolling", 6]
    assert "not in force" in whys["later", 6]


def test_a_total_without_end(tmp_path: Path) -> None:
    """Has no chance by its end; the day it is gone it has."""
    text = "budgets:\n  - {id: a, name: A, amount: 2000, period: total, valid_from: 2027-01-01}\n"
    (one,) = told(tmp_path, text, {"a": steady()}, "2027-04-01", name="budgets.yaml")
    assert one["probability"] is None
    assert date(2027, 6, 20) < one["dates"]["p50"] < date(2027, 8, 10)
    assert "no end within 365 days" in one["why"]


def test_days_that_are_not_known_are_forecast(tmp_path: Path) -> None:
    """A gap, or a feed that is late, makes no month smaller."""
    values = steady()
    values[62:64] = values[72:] = np.nan
    (one,) = told(tmp_path, "budget,amount\na,310\n", {"a": values}, "2027-03-16")
    assert 290 < one["total"]["p50"] < 330
    assert "4 days of the period are not known" in one["why"]
    assert one["dates"]["p50"] is None or one["dates"]["p50"] >= date(2027, 3, 16)


def test_a_correction_is_no_use(tmp_path: Path) -> None:
    """A credit lowers what is spent, not what is to come."""
    values = steady()
    values[65] = -100
    (one,) = told(tmp_path, "budget,amount\na,310\n", {"a": values}, "2027-03-11")
    assert 180 < one["total"]["p50"] < 220

"""Forecasts as rows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from stream_jobs.forecasting.model import Forecast, refusal
from stream_jobs.forecasting.scales import Root
from stream_jobs.forecasting.uncertain import Uncertain
from stream_jobs.forecasts.lease import leased
from stream_jobs.forecasts.rows import MOST, amount, portions, series_row, step_rows
from stream_jobs.forecasts.scores import NOTHING_SCORED, Quality
from stream_jobs.store.tables import arrow_table
from tests.unit.forecasts.build import HOURS, TOTAL, past

NOW = datetime(2026, 11, 30, 12, 5, tzinfo=UTC)
LEASE = leased(NOW, HOURS, NOW - timedelta(minutes=1), limit_s=600, slack_s=900)
PAST = past([[1.0, np.nan, 3.0]], first=HOURS.cell_at(NOW) - 3)
SUMS = [
    Uncertain(0.2, 0.1, np.array([-1.0, 1.0]), Root(), most=1e6),
    Uncertain(2.2, 0.5, np.array([-1.0, 1.0]), Root(), most=1e6),
]
SAID = Forecast(TOTAL.name, np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]), SUMS, "m", ("a", "b"), "steady")


def test_a_step_begins_where_what_is_known_ends() -> None:
    """To the last place of the column."""
    rows = list(step_rows(LEASE, PAST, TOTAL, SAID))
    assert [row["at"] for row in rows] == [NOW.replace(minute=0), NOW.replace(hour=13, minute=0)]
    assert rows[0]["p10"] == Decimal("0.1")
    assert rows[1]["p10"] < rows[1]["sum_p10"] < rows[1]["sum_p50"] < rows[1]["sum_p90"]
    assert arrow_table("forecasts", rows).num_rows == 2


def test_a_row_of_a_series_says_how_far_it_can_be_relied_on() -> None:
    """Of a refusal too, which has no steps."""
    row = series_row(LEASE, PAST, 0, SAID, Quality(5, 0.9, 0.8))
    assert (row["known"], row["label"], row["scored"], row["coverage"]) == (2, "steady", 5, 0.8)
    assert row["until"] == NOW.replace(hour=13, minute=0)
    refused = series_row(LEASE, PAST, 0, refusal(TOTAL.name, "too young"), NOTHING_SCORED)
    assert (refused["label"], refused["why"], refused["until"], refused["error"]) == ("refused", "too young", NOW, None)
    assert arrow_table("forecast_series", [row, refused]).num_rows == 2
    assert list(step_rows(LEASE, PAST, TOTAL, refusal(TOTAL.name, "too young"))) == []


def test_a_figure_that_is_none_is_our_mistake_and_one_that_is_too_large_is_cut() -> None:
    """No column takes either."""
    with pytest.raises(ValueError, match="no number"):
        amount(float("nan"))
    assert amount(float("inf")) == Decimal(int(MOST))


def test_portions_hold_every_place_once() -> None:
    """The last one may be smaller."""
    assert [list(places) for places in portions(5, 2)] == [[0, 1], [2, 3], [4]]
    assert list(portions(0, 2)) == []

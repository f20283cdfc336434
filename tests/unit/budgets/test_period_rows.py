"""Rows of budget_periods are the same column by column as one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.budgets.book import Place, StandingUpdate
from stream_jobs.budgets.period_rows import kept_period, period_rows
from stream_jobs.budgets.standing import WINDOW_KEY
from stream_jobs.series.calendar import Period
from stream_jobs.store.tables import arrow_table
from tests.unit.budget_terms.build import budget
from tests.unit.budgets.test_state_text import INSTANTS, KEYS, VALUES, standings

BUDGETS = (budget("one", parent="all", per=["user_id"], name="Ünï"), budget("two", owner=None))


def by_row(update: StandingUpdate) -> dict[str, Any]:
    """What is kept of one."""
    standing, unit = update.standing, update.standing.unit
    start, end = kept_period(standing.period, rolling=standing.rolling)
    actual = [key for key in update.crossed if key.kind == "actual"]
    return {
        "budget_id": update.budget.id,
        "period_start": start,
        "vals": list(update.place.values),
        "period_key": update.place.period_key,
        "period_end": end,
        "updated_at": update.at,
        "name": update.budget.name,
        "owner": update.budget.owner or "",
        "parent": update.budget.parent or "",
        "per": list(update.budget.per),
        "unit": unit.kept_in,
        "currency": unit.name if unit.is_money else "",
        "rate": unit.rate,
        **{name: unit.kept(getattr(standing, name)) for name in ("amount", "spent", "held")},
        "credited": unit.kept(standing.credit),
        "unpriced_events": standing.unpriced,
        "forecast": None if standing.forecast is None else unit.kept(standing.forecast),
        "burn_per_hour": None if standing.burn is None else unit.kept(standing.burn),
        "exhausted_at": standing.exhausted_at,
        "thresholds": sorted(key.percent for key in actual if not key.amount),
        "threshold_amounts": sorted(key.amount for key in actual if key.amount),
    }


@st.composite
def updates(draw: st.DrawFn) -> StandingUpdate:
    standing = draw(standings())
    place = Place("one", WINDOW_KEY if standing.rolling else "2026-11", tuple(draw(VALUES)))
    crossed = dict.fromkeys(draw(st.sets(KEYS, max_size=6)), standing.period.start)
    return StandingUpdate(draw(st.sampled_from(BUDGETS)), place, standing, (), (), crossed, draw(INSTANTS), late=False)


@pytest.mark.slow
@given(st.lists(updates(), max_size=8))
def test_columns_are_what_rows_would_be(some: list[StandingUpdate]) -> None:
    """Any units, windows, amounts beyond what is kept, and whatever is crossed."""
    assert period_rows(some).equals(arrow_table("budget_periods", [by_row(update) for update in some]))


def test_a_window_is_kept_with_the_hour_in_which_it_ends() -> None:
    """Also where it ends with the hour."""
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert kept_period(Period(noon - 7 * hour, noon), rolling=True) == (noon - hour, noon)
    assert kept_period(Period(noon, noon + 5 * hour), rolling=False) == (noon, noon + 5 * hour)

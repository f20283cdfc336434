"""A state is written as the contract's model writes it, to the byte."""

from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.budget_feed import BudgetState, Quota
from stream_jobs.base.instants import from_unix_micros
from stream_jobs.base.money import usd_from_pico
from stream_jobs.budget_terms.feed_money import NOTHING_USES_IT_UP
from stream_jobs.budget_terms.units import IN_USD, Unit
from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.budgets.standing import Standing, ThresholdKey
from stream_jobs.budgets.state_text import state_record
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Values
from tests.unit.budget_terms.build import budget

INSTANTS = st.integers(0, 7 * 10**15).map(from_unix_micros) | st.integers(0, 7 * 10**9).map(
    lambda seconds: from_unix_micros(seconds * 10**6)
)
PICO = st.one_of(st.integers(-(10**6), 10**6), st.integers(-(10**34), 10**34))
UNITS = (IN_USD, Unit("EUR", Decimal("1.08")), Unit("tokens"), Unit("requests"), Unit("gpu_hours"))
VALUES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4)
KEYS = st.builds(
    ThresholdKey,
    st.sampled_from(["actual", "forecast"]),
    st.sampled_from([Decimal(0), Decimal(80), Decimal("99.50"), Decimal("120.001")]),
    st.sampled_from([Decimal(0), Decimal(500), Decimal("0.25")]),
)

OUTLOOKS = st.builds(
    Outlook,
    INSTANTS,
    *[st.just(Decimal(1))] * 4,
    st.dictionaries(
        st.decimals("0.001", 100_000, places=3), st.builds(Chance, st.floats(0, 1), st.none() | INSTANTS), max_size=3
    ),
    st.just((None, None, None)),
    *[st.just("")] * 2,
    st.booleans(),
)


def by_model(values: Values, standing: Standing, crossed: set[ThresholdKey], now: datetime) -> bytes:
    """What the contract says."""
    unit, is_money = standing.unit, standing.unit.is_money
    amount, used, nothing = unit.kept(standing.amount), unit.kept(standing.used), Decimal(0)
    rates = (standing.burn, standing.forecast) if is_money else (None, None)
    burn, forecast = (None if one is None else unit.kept(one) for one in rates)
    record = BudgetState(
        budget_id="each-user",
        values=values,
        period_start=standing.period.start,
        period_end=None if standing.rolling else standing.period.end,
        amount_usd=amount if is_money else NOTHING_USES_IT_UP,
        quota=None if is_money else Quota.model_validate({"unit": unit.name, "amount": amount, "used": used}),
        spent_usd=unit.kept(standing.spent) if is_money else nothing,
        held_usd=unit.kept(standing.held) if is_money else nothing,
        as_of=now,
        thresholds=tuple(sorted(key.percent for key in crossed if key.kind == "actual" and not key.amount)),
        threshold_amounts=tuple(sorted(key.amount for key in crossed if key.kind == "actual" and key.amount)),
        burn_usd_per_hour=burn,
        forecast_usd=forecast,
        exhausted_at=standing.exhausted_at,
        forecast_percents=None if standing.outlook is None else tuple(standing.outlook.raised_percents) or None,
        next_amount=None if standing.next_kept is None else usd_from_pico(standing.next_kept),
    )
    return record.model_dump_json(exclude_none=True).encode()


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Any amounts, also beyond what is kept; of any period."""
    start = draw(INSTANTS)
    return Standing(
        period=Period(start, start + timedelta(hours=draw(st.integers(1, 9000)))),
        rolling=draw(st.booleans()),
        amount=draw(PICO),
        spent=draw(PICO),
        unpriced=draw(st.integers(0, 99)),
        held=draw(PICO),
        burn=draw(st.none() | PICO),
        forecast=draw(st.none() | PICO),
        exhausted_at=draw(st.none() | INSTANTS),
        unit=draw(st.sampled_from(UNITS)),
        credit=draw(PICO),
        next_kept=draw(st.none() | PICO.map(Unit().kept_pico)),
        outlook=draw(st.none() | OUTLOOKS),
    )


@given(standings(), VALUES.map(tuple), st.sets(KEYS, max_size=6), INSTANTS)
def test_a_state_is_what_the_model_writes(
    standing: Standing, values: Values, crossed: set[ThresholdKey], now: datetime
) -> None:
    """Any texts, any amounts, quotas, windows, whatever is crossed."""
    found = state_record(budget("each-user"), values, standing, crossed, now)
    assert found == by_model(values, standing, crossed, now)
    assert BudgetState.model_validate_json(found).values == values

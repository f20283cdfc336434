"""Which thresholds a figure crosses, and what is foretold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.budgets.standing import Lowest, Standing, ThresholdKey, crossed_now, mean_burn, projected
from stream_jobs.series.calendar import Period

START = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = Period(START, START + timedelta(hours=100))
HUNDRED = Decimal(100)
FORECAST = ThresholdKey("forecast", HUNDRED)


def standing(amount: int, spent: int, held: int = 0, *, rolling: bool = False, forecast: int | None = None) -> Standing:
    return Standing(PERIOD, rolling, amount, spent, 1 if held else 0, held, forecast=forecast)


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


@pytest.mark.parametrize("percent", ["0.001", "33.333", "80", "99.5", "100", "250"])
def test_a_threshold_is_crossed_by_the_very_pico_dollar(percent: str) -> None:
    """On both sides of the border, fractions of percents included; what is held counts as used."""
    share = Decimal(percent)
    amount = 100_000 * 7
    border = int(amount * share / 100)
    assert standing(amount, border).reaches(share)
    assert not standing(amount, border - 1).reaches(share)
    assert standing(amount, border - 1, held=1).reaches(share)


@given(st.integers(1, 10**40), st.integers(-(10**40), 10**40), st.integers(1, 100_000_000))
def test_thresholds_compare_as_fractions_do(amount: int, used: int, thousandths: int) -> None:
    """No rounding decides, whatever the amounts."""
    percent = Decimal(thousandths).scaleb(-3)
    assert standing(amount, used).reaches(percent) == (used > 0 and used * 100_000 >= amount * thousandths)


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_that_was_used_up_before_is_crossed_by_anything_spent_and_by_nothing_else(amount: int) -> None:
    """Carry-over can leave nothing or less; a period in which nothing was spent crosses nothing."""
    thresholds = [ThresholdKey("actual", one) for one in (Decimal(80), HUNDRED)]
    assert crossed_now(standing(amount, 1), thresholds, {}) == set(thresholds)
    assert crossed_now(standing(amount, 0), thresholds, {}) == set()
    assert crossed_now(standing(amount, -1), thresholds, {}) == set()


AMOUNTS = st.decimals("0.000000000001", "100000", places=12)


@given(AMOUNTS, st.sampled_from([Unit(), Unit("EUR", Decimal("1.083712345678")), Unit("tokens"), Unit("gpu_hours")]))
def test_a_threshold_in_money_or_units_is_crossed_by_its_very_last_digit(amount: Decimal, unit: Unit) -> None:
    """On both sides of the border, whatever the amount of the budget is; what is held counts as used."""
    key = ThresholdKey("actual", Decimal(0), amount)
    border = unit.pico(amount)
    for of in (border * 3, border, border // 2, 0, -5):
        one = replace(standing(of, border), unit=unit)
        assert crossed_now(one, [key], {}) == ({key} if border > 0 else set())
        assert crossed_now(replace(one, spent=border - 1), [key], {}) == set()
        if border > 1:
            assert crossed_now(replace(one, spent=border - 1, held=1), [key], {}) == {key}


def test_a_forecast_of_an_amount_is_silent_once_so_much_is_used_or_all_of_it() -> None:
    """There is nothing left to foretell. In between it falls below only by a twentieth."""
    key = ThresholdKey("forecast", Decimal(0), Decimal(60).scaleb(-12))
    for spent, forecast, known, holds in (
        (50, 60, False, True),
        (50, 59, False, False),
        (50, 57, True, True),
        (50, 56, True, False),
        (60, 99, True, False),
    ):
        before = {key: START} if known else {}
        assert (key in crossed_now(standing(100, spent, forecast=forecast), [key], before)) == holds
    assert crossed_now(standing(40, 40, forecast=99), [key], {key: START}) == set()


def test_what_has_no_end_is_not_foretold_but_used_up() -> None:
    """A budget that never resets, like a window."""
    never = replace(standing(100, 10), period=Period(START, END_OF_TOTALS))
    assert projected(never, 45, at(50)) == (None, at(52))
    assert projected(replace(never, period=PERIOD), 45, at(50))[0] == 10 + 45 * 50


def test_a_forecast_that_moves_around_its_threshold_is_crossed_once() -> None:
    """It has to fall by a twentieth before it counts as below."""
    before = {FORECAST: START}
    for forecast, known, holds in ((99, {}, False), (100, {}, True), (96, before, True), (95, before, True)):
        assert (FORECAST in crossed_now(standing(100, 50, forecast=forecast), [FORECAST], known)) == holds
    assert crossed_now(standing(1000, 50, forecast=949), [FORECAST], before) == set()


def test_the_forecast_is_silent_once_the_amount_is_used_up() -> None:
    """There is nothing left to foretell."""
    assert crossed_now(standing(100, 100, forecast=300), [FORECAST], {FORECAST: START}) == set()


def test_the_forecast_is_what_is_used_and_what_the_rest_of_the_period_adds() -> None:
    """Half of the period is over, and it goes on at 3 an hour."""
    forecast, exhausted_at = projected(standing(300, 100, held=50), 3, at(50))
    assert (forecast, exhausted_at) == (300, None), "exactly used up when the next period begins"
    forecast, exhausted_at = projected(standing(299, 100, held=50), 3, at(50))
    assert forecast == 300
    assert exhausted_at == at(50) + timedelta(hours=149) / 3


@pytest.mark.parametrize("hours", [1, 50])
def test_what_lasts_until_the_next_period_is_not_used_up(hours: int) -> None:
    """Also while it is too early to forecast: nobody is told of a day after the period's end."""
    assert projected(standing(10_000, 1), 1, at(hours))[1] is None


def test_it_is_not_foretold_from_the_first_tenth_of_a_period() -> None:
    """One expensive hour after midnight on the first says little; when it would be used up is said all the same."""
    assert projected(standing(20, 5), 5, at(9)) == (None, at(12))
    assert projected(standing(20, 5), 5, at(10))[0] == 5 + 5 * 90


@pytest.mark.parametrize("burn", [None, 0, -3])
def test_without_spending_nothing_is_used_up(burn: int | None) -> None:
    """Also where retractions outweigh the charges."""
    assert projected(standing(100, 10), burn, at(50))[1] is None


def test_a_window_has_no_end_to_forecast() -> None:
    """But it can be used up."""
    assert projected(standing(100, 10, rolling=True), 45, at(50)) == (None, at(52))


@pytest.mark.parametrize("hours", [-1, 100, 200])
def test_outside_of_the_period_nothing_is_foretold(hours: int) -> None:
    """It has not begun, or is over."""
    assert projected(standing(100, 10), 5, at(hours)) == (None, None)


def test_what_takes_longer_than_anybody_lives_is_never_used_up() -> None:
    """And does not leave the calendar."""
    assert projected(standing(10**30, 1, rolling=True), 1, at(50)) == (None, None)


def test_the_mean_burn_covers_what_has_passed_of_the_period() -> None:
    """To the nearest pico-dollar; none before anything has passed."""
    assert mean_burn(standing(1, 10), at(4)) == 2  # 2.5, half to even
    assert mean_burn(standing(1, 14), at(4)) == 4
    assert mean_burn(standing(1, 1000, held=500), at(500)) == 15
    assert mean_burn(standing(1, 10), START) is None


@given(
    st.integers(-100, 400),
    st.integers(-50, 500),
    st.none() | st.integers(-50, 900),
    st.lists(
        st.builds(
            ThresholdKey,
            st.sampled_from(["actual", "forecast"]),
            st.sampled_from([Decimal(0), Decimal("0.001"), Decimal(80), HUNDRED, Decimal(150)]),
            st.sampled_from([Decimal(0), Decimal(0), Decimal("1e-10")]),
        ),
        max_size=4,
    ),
)
def test_what_is_below_the_lowest_threshold_crosses_none(
    amount: int, spent: int, forecast: int | None, keys: list[ThresholdKey]
) -> None:
    """Whatever the thresholds are; and where they are percents, most of what crosses none is known by it."""
    one = standing(amount, spent, forecast=forecast)
    crossed = crossed_now(one, keys, {})
    assert not (Lowest(keys).is_above(one) and crossed)
    if amount >= 0 and not crossed and forecast is None and not any(key.amount for key in keys):
        assert Lowest(keys).is_above(one)


def outlook(chance: float, *, raised: bool = False, stale: bool = False, of: str = "100") -> Outlook:
    chances = {Decimal(of).quantize(Decimal("0.001")): Chance(chance, START if raised else None)}
    figures = (Decimal(100), Decimal(90), Decimal(120), Decimal(150))
    return Outlook(START, *figures, chances, (None, None, None), "steady", "", stale)


@pytest.mark.parametrize(
    ("chance", "raised", "is_open", "holds"),
    [
        (0.95, False, False, False),  # once is not enough: the protocol has not raised it
        (0.95, True, False, True),
        (0.5, True, True, True),
        (0.5, False, True, True),  # told by the rate of lately, and not so unlikely as to take it back
        (0.39, False, True, False),
        (0.39, False, False, False),
    ],
)
@pytest.mark.parametrize("rate", [None, 1, 10_000])
def test_a_forecast_decides_whatever_the_rate_of_lately_is(
    chance: float, raised: bool, is_open: bool, holds: bool, rate: int | None
) -> None:
    """Of the threshold that it is about."""
    one = replace(standing(100, 50, forecast=rate), outlook=outlook(chance, raised=raised))
    assert (FORECAST in crossed_now(one, [FORECAST], {FORECAST: START} if is_open else {})) == holds
    assert is_open or not holds or not Lowest([FORECAST]).is_above(one)


@pytest.mark.parametrize(("raised", "is_open"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_stale_forecast_holds_what_it_raised_and_says_nothing_new(raised: bool, is_open: bool) -> None:
    """Then the rate of lately decides about everything else."""
    before = {FORECAST: START} if is_open else {}
    low, high = (
        replace(standing(100, 50, forecast=rate), outlook=outlook(0.9, raised=raised, stale=True)) for rate in (60, 300)
    )
    assert (FORECAST in crossed_now(low, [FORECAST], before)) == (raised and is_open)
    assert FORECAST in crossed_now(high, [FORECAST], before)
    assert (low.band, low.expected) == (None, 60)


def test_where_a_forecast_says_nothing_of_a_threshold_the_rate_of_lately_decides() -> None:
    """A threshold that is newer than the run; an amount of nothing, or next to nothing, has no percents."""
    one = replace(standing(100, 50, forecast=130), outlook=outlook(0.1, of="120"))
    assert crossed_now(one, [FORECAST], {}) == {FORECAST}
    key = ThresholdKey("forecast", Decimal(0), Decimal(10))
    assert [standing(amount, 0).percent_of(key) for amount in (0, -1, 1)] == [0, 0, 0]
    amount = 4 * 10**12
    assert standing(amount, 0).percent_of(key) == 250


def test_a_forecast_is_silent_once_the_amount_is_used_up() -> None:
    """As the rate is; and no quantile is below what is used by now."""
    one = replace(standing(100, 100), outlook=outlook(1.0, raised=True))
    assert crossed_now(one, [FORECAST], {FORECAST: START}) == set()
    used = replace(standing(200 * 10**12, 130 * 10**12), outlook=outlook(0.2))
    assert used.band == (130 * 10**12, 130 * 10**12, 150 * 10**12)
    assert used.expected == 130 * 10**12

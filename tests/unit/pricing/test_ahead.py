"""Prices of a mix at other dates: the oracle prices each event at each date by the engine."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spendstream_schemas import UsageEvent
from stream_jobs.facts import facts_of
from stream_jobs.pricing.ahead import COSTS, Used, price_factors
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.changing import changes_of
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from tests.unit.pricing.events import NOW, event, token_event
from tests.unit.pricing.shipped import shipped_book
from tests.unit.pricing.strategies import boundaries, events

DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def days(first: datetime, count: int) -> list[datetime]:
    return [first + number * DAY for number in range(count + 1)]


def book(*overlays: dict[str, Any], cards: tuple[dict[str, Any], ...] = ()) -> PriceBook:
    return PriceBook.of(
        card_files=[RateCardFile.model_validate(card) for card in cards],
        overlay_files=[OverlayFile.model_validate({"overlays": list(overlays)})],
    )


def used(*many: UsageEvent, events: int = 1) -> list[Used]:
    return [Used(facts_of(one), events) for one in many]


ENDS = {"name": "agreement 17", "discount_percent": 20, "valid_to": "2026-11-11", "scope": {"provider": "openai"}}


def test_a_contract_that_ends_makes_all_dearer_from_that_day_on() -> None:
    """List prices stay; people are told which, when, and by how much."""
    found = price_factors(book(ENDS), used(token_event("gpt-4o", USAGE)), days(MIDNIGHT, 20), NOW)
    assert found.factors["effective"] == found.factors["contracted"] == (1.0,) * 10 + (1.25,) * 10
    assert found.factors["list"] == (1.0,) * 20
    (change,) = found.changes
    assert change.words == "2026-11-11: +25.0 % (agreement 17 ends)"
    assert (found.moves, found.kept, found.unpriced) == (True, (), 0)


def test_only_the_part_of_the_mix_that_it_is_for_moves() -> None:
    """Half of the money is another provider's; a cell in which it ends counts by its time; so does the past."""
    other = event({"kind": "metered", "sku": "reads", "quantity": 2000, "unit": "reads"}, provider="mine")
    card = {
        "provider": "mine", "source": "s", "checked": "2026-11-01",
        "skus": [{"sku": "reads", "unit": "reads", "usd_per_unit": "0.000001"}],
    }  # fmt: skip
    call = token_event("gpt-4o", {"input_tokens": 1000, "output_tokens": 0})  # $0.0025 listed, $0.002 by contract
    found = price_factors(book(ENDS, cards=(card,)), used(call, other), [MIDNIGHT, MIDNIGHT + 20 * DAY], NOW)
    assert list(found.factors["contracted"]) == [pytest.approx((1 + 1.125) / 2)]
    later = MIDNIGHT + 15 * DAY
    back = price_factors(book(ENDS, cards=(card,)), used(call, other), days(MIDNIGHT, 12), later)
    assert list(back.factors["contracted"]) == [pytest.approx(0.0040 / 0.0045)] * 10 + [1.0] * 2
    assert [change.at.day for change in back.changes] == [11]


def test_what_loses_its_price_keeps_the_last_and_is_named() -> None:
    """So does what had none before."""
    card = {
        "provider": "mine", "source": "s", "checked": "2026-11-01",
        "skus": [{"sku": "reads", "unit": "reads", "usd_per_unit": 1, "valid_from": "2026-10-20",
                  "valid_to": "2026-11-05"}],
    }  # fmt: skip
    reads = event({"kind": "metered", "sku": "reads", "quantity": 2, "unit": "reads"}, provider="mine")
    terms = [{**ENDS, "valid_to": f"2026-{day}"} for day in ("10-15", "11-02", "11-07")]  # others', at other times
    found = price_factors(book(*terms, cards=(card,)), used(reads), days(MIDNIGHT - 20 * DAY, 40), NOW)
    assert found.factors["effective"] == (1.0,) * 40
    before, after = found.kept
    assert before.startswith("mine/reads has no price before 2026-10-20")
    assert after.startswith("mine/reads has no price from 2026-11-05 on")
    assert found.changes == ()
    unknown = token_event("gpt-unheard-of", USAGE)
    nobody = price_factors(book(), used(unknown, events=7), days(MIDNIGHT, 2), NOW)
    assert (nobody.factors["list"], nobody.unpriced, nobody.moves) == ((1.0, 1.0), 7, False)


def test_nothing_and_edges_that_do_not_rise() -> None:
    """No mix has no change; no cell no factor."""
    assert price_factors(book(ENDS), [], days(MIDNIGHT, 2), NOW).factors["list"] == (1.0, 1.0)
    assert price_factors(book(ENDS), used(token_event("gpt-4o", USAGE)), [], NOW).factors["list"] == ()
    with pytest.raises(ValueError, match="must rise"):
        price_factors(book(), [], [MIDNIGHT, MIDNIGHT], NOW)


def test_days_of_a_zone_are_as_long_as_they_are() -> None:
    """The day on which clocks go back has 25 hours in Berlin; a contract that ends at midnight UTC ends within it."""
    ends = {**ENDS, "valid_to": "2026-10-25"}
    berlin = [datetime(2026, 10, day, tzinfo=ZoneInfo("Europe/Berlin")) for day in (24, 25, 26, 27)]
    found = price_factors(book(ends), used(token_event("gpt-4o", USAGE)), berlin, berlin[0])
    assert list(found.factors["effective"]) == pytest.approx([1, (2 + 23 * 1.25) / 25, 1.25])


def test_what_is_cheaper_at_night_is_no_change_of_the_terms() -> None:
    """An event keeps its hour: a discount by the hour moves no factor of any hour or day."""
    priced = shipped_book()
    night = datetime(2025, 4, 1, 18, tzinfo=UTC)  # when deepseek-chat had half its price at night
    call = token_event("deepseek-chat", USAGE, provider="deepseek", at=night)
    by_day = token_event("deepseek-chat", USAGE, provider="deepseek", at=night + timedelta(hours=12))
    assert priced.price(facts_of(call)).list_cost != priced.price(facts_of(by_day)).list_cost
    hours = [night + timedelta(hours=number) for number in range(-30, 31)]
    assert set(price_factors(priced, used(call, by_day), hours, night).factors["list"]) == {1.0}


def test_the_mean_of_many_is_priced_as_each_of_them() -> None:
    """As fractions, within one length of context."""
    calls = [token_event("gpt-4o", {"input_tokens": n, "output_tokens": 7}) for n in (100, 201, 302)]
    mean = facts_of(calls[0])._replace(usage={"input_tokens": Fraction(603, 3), "output_tokens": Fraction(7)})
    other = used(token_event("gpt-4o-mini", USAGE))
    scoped = book({**ENDS, "scope": {"provider": "openai", "models": ["gpt-4o"]}})
    one = price_factors(scoped, [Used(mean, 3), *other], days(MIDNIGHT, 20), NOW)
    assert one == price_factors(scoped, [*used(*calls), *other], days(MIDNIGHT, 20), NOW)


OVERLAY = st.builds(
    lambda number, start, length, percent, provider: {
        "name": f"o{number}",
        "valid_from": (MIDNIGHT + start * DAY).isoformat(),
        "valid_to": (MIDNIGHT + (start + length) * DAY).isoformat(),
        "scope": {} if provider is None else {"provider": provider},
        **percent,
    },
    st.integers(0, 9),
    st.integers(-400, 60),
    st.integers(1, 200),
    st.sampled_from([{"discount_percent": 15}, {"multiplier": "1.5"}, {"effective_multiplier": "0.7"}]),
    st.sampled_from([None, "openai", "anthropic", "google"]),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(
    many=st.lists(events(), min_size=1, max_size=4),
    overlays=st.lists(OVERLAY, max_size=3),
    now=st.sampled_from([MIDNIGHT, *(at for at in boundaries() if at.year >= 2024)]).map(lambda at: at + DAY / 3),
)
def test_each_day_costs_what_the_engine_says_of_each_event_on_it(
    many: list[UsageEvent], overlays: list[dict[str, Any]], now: datetime
) -> None:
    """Each at its own hour; of what the engine has no price for on a day another one goes on, and that is said."""
    priced = book(*overlays)
    edges = days(now - DAY / 3 - 14 * DAY, 28)
    by_event = [
        [priced.price(facts_of(one)._replace(occurred_at=_on(start, one.occurred_at))) for start in edges[:-1]]
        for one in many
    ]
    many = [one for one, prices in zip(many, by_event, strict=True) if all(price.priced for price in prices)]
    by_event = [prices for prices in by_event if all(price.priced for price in prices)]
    assume(many)
    found = price_factors(priced, used(*many), edges, now)
    assert all(factor >= 0 for factors in found.factors.values() for factor in factors)
    assert (found.kept, found.unpriced) == ((), 0)
    at_hour, today = list(zip(*by_event, strict=True)), [prices[14] for prices in by_event]
    changing = {change.date() for change in _dates_within(priced, many, edges)}
    for cost in COSTS:
        total = sum(getattr(one, f"{cost}_cost") for one in today)
        for day, prices in enumerate(at_hour):
            if edges[day].date() in changing or total == 0:
                continue  # a change within the day: the mean of both
            exact = sum(getattr(one, f"{cost}_cost") for one in prices) / total
            rounding = 20 * len(many) / total  # half a pico-USD of each line
            assert found.factors[cost][day] == pytest.approx(exact, rel=1e-9, abs=2 * rounding)


def _on(day: datetime, own: datetime) -> datetime:
    return day + timedelta(hours=own.hour, minutes=own.minute, seconds=own.second, microseconds=own.microsecond)


def _dates_within(priced: PriceBook, many: list[UsageEvent], edges: list[datetime]) -> list[datetime]:
    """Changes that are no midnight: a day's price is a mean there, and that of an hour is none."""
    found = [at for one in many for at in changes_of(priced, facts_of(one)) if edges[0] < at < edges[-1]]
    return [at for at in found if at.time() != edges[0].time()]

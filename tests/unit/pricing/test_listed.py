"""The price book as rows says what the engine charges: for every bill of the providers' pages, for events at random."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from spendstream_schemas import UsageEvent
from stream_jobs.base.money import PICO_PER_USD, divide_half_even
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.listed import Price
from stream_jobs.pricing.listed_terms import prices
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.pricing.result import PriceLine
from tests.unit.pricing.events import NOW, event, token_event
from tests.unit.pricing.shipped import shipped_book as book
from tests.unit.pricing.strategies import events
from tests.unit.pricing.test_bills import bills, event_of

Rows = dict[tuple[str, str], list[Price]]


@cache
def shipped() -> Rows:
    return rows_of(book())


def rows_of(prices_of: PriceBook, *providers: str) -> Rows:
    """Of tokens those of some providers, or of all."""
    found: Rows = defaultdict(list)
    for price in prices(prices_of, providers or None):
        found[(price.sku, price.meter)].append(price)
    return found


def row_for(rows: Rows, line: PriceLine, one: UsageEvent, cost: str = "list") -> Price:
    """The row of a receipt's line, found as the guide says; of a model that has several ids, any of them."""
    usage, at = one.usage, one.occurred_at
    tokens = getattr(usage, "input_tokens", None) or 0
    second = at.weekday() * 86_400 + at.hour * 3600 + at.minute * 60 + at.second
    tags = {name: value for name, value in one.attribution.model_dump().items() if isinstance(value, str)}
    holding = [
        row
        for row in rows[(line.sku, line.meter)]
        if row.context_from <= tokens <= row.context_to
        and row.valid_from <= at < row.valid_to
        and row.week_from <= second < row.week_to
        and set(row.scope) <= set(tags.items())
        and placed(row, one)
    ]
    served = (one.response_model or one.model or "").lower()
    models = {row.model for row in holding if row.cost == "list"}
    terms = [row for row in holding if row.cost != "list" and row.model.lower() == served]
    holding = [row for row in holding if row.cost == "list"] + (
        terms or [row for row in holding if row.cost != "list" and row.model in models]
    )
    costs = ("list", "contracted", "effective")
    before = costs[: costs.index(cost) + 1]
    known = [row for row in holding if row.cost in before]
    last = [row for row in known if row.cost == max(known, key=lambda row: costs.index(row.cost)).cost]
    named = {(one.response_model or "").lower(), (one.model or "").lower()}
    last = [row for row in last if row.model.lower() in named] or last
    return max(last, key=lambda row: (len(row.scope), sum(value != "*" for _, value in row.conditions)))


def placed(row: Price, one: UsageEvent) -> bool:
    """Of rate cards, whose rows say where they hold: '*' is any place that no other row names."""
    if row.layer in {"correction", "base"} or one.usage.kind == "tokens":
        return True
    said = {"region": one.region, "instance_type": getattr(one.usage, "instance_type", None)}
    where = dict(row.conditions)
    option = getattr(one.usage, "purchase_option", "standard")
    return row.tier == option and all(
        where.get(name) is None if value is None else where.get(name, "") in (value, "*")
        for name, value in said.items()
    )


def check(rows: Rows, of: PriceBook, one: UsageEvent) -> int:
    """How many lines of the receipt there are, each with the row that has its prices."""
    priced = of.price(facts_of(one))
    for line in priced.lines:
        for cost, amount in zip(("list", "contracted", "effective"), line[5:8], strict=True):
            row = row_for(rows, line, one, cost)
            exact = Fraction(row.usd) * PICO_PER_USD / row.per * Fraction(line.quantity)
            assert divide_half_even(exact.numerator, exact.denominator) == amount, (cost, line, row)
    return len(priced.lines)


@pytest.mark.slow
@pytest.mark.parametrize("bill", bills())
def test_a_bill_of_a_provider_comes_to_the_same_by_the_rows(bill: dict[str, Any]) -> None:
    """Every line of every bill that was worked by hand: tiers, lifetimes of caches, cliffs, regions, hours, tools."""
    check(shipped(), book(), event_of(bill))


@pytest.mark.slow
@settings(max_examples=300)
@given(events())
def test_an_event_comes_to_the_same_by_the_rows(one: UsageEvent) -> None:
    """Any event about any model of the base data, at any instant."""
    check(shipped(), book(), one)


def own(
    corrections: Iterable[dict[str, Any]] = (), cards: Iterable[dict[str, Any]] = (), overlays: Iterable[Any] = ()
) -> PriceBook:
    return PriceBook.of(
        [CorrectionFile.model_validate({"provider": "acme", "entries": list(corrections)})],
        [RateCardFile.model_validate(card) for card in cards],
        [OverlayFile.model_validate({"overlays": list(overlays)})],
    )


SAID = {"source": "test", "checked": "2026-01-01", "models": ["m"]}


def test_hours_weekdays_cliffs_tiers_and_tools_of_ones_own_book() -> None:
    """Whatever the hour of the week, the length and the tier: the rows say what the engine says."""
    tiered = {"base": "1.1", "tiers": [{"start": 1000, "price": "2.2"}, {"start": 5000, "price": None}]}
    of = own(
        [
            {**SAID, "prices": {"input_mtok": tiered, "output_mtok": "3", "web_searches_kcount": "10"}},
            {**SAID, "when": {"service_tier": "batch"}, "multiplier": "0.5"},
            {**SAID, "when": {"region": "eu"}, "multiplier": "1.1"},
            {**SAID, "prices": {"output_mtok": "2"}, "time_of_day": {"from": "22:30", "to": "06:00"},
             "weekdays": ["mon", "sat"], "valid_from": "2026-10-01"},
            {**SAID, "prices": {"output_mtok": "7"}, "except_dates": ["2026-11-03"], "valid_from": "2026-11-01",
             "valid_to": "2026-11-08"},
        ]
    )  # fmt: skip
    rows = rows_of(of, "acme", "vllm")
    lines = 0
    for hours in range(0, 24 * 45, 5):
        at = datetime(2026, 9, 25, 0, 59, tzinfo=UTC) + timedelta(hours=hours)
        for tokens, tier, region in ((1000, None, None), (1001, "batch", "eu"), (5001, None, "eu"), (9, "batch", None)):
            usage = {"input_tokens": tokens, "output_tokens": 7}
            one = token_event("m", usage, provider="acme", at=at, service_tier=tier, region=region,
                              tool_calls={"web_search": 3})  # fmt: skip
            lines += check(rows, of, one)
    assert lines > 1500
    assert not [row for row in rows[("acme/m/input_mtok", "input_tokens")] if row.context_to > 5000], "not sold"


TERMS = [
    {"name": "all", "scope": {"provider": "acme"}, "discount_percent": "10"},
    {"name": "team", "scope": {"provider": "acme", "attribution": {"team": "a"}}, "contract": {"output_mtok": "2"}},
    {"name": "project", "scope": {"attribution": {"project": "p"}, "models": ["m*"]}, "multiplier": "0.7",
     "valid_from": "2026-11-01"},
    {"name": "spread", "scope": {"attribution": {"project": "p", "team": "a"}}, "effective_multiplier": "0.9"},
]  # fmt: skip


def test_contracts_by_date_and_tags_have_rows_of_their_own() -> None:
    """List, contracted and effective cost of every combination of tags, before and after a contract begins."""
    of = own([{**SAID, "prices": {"input_mtok": "1", "output_mtok": "3"}}], overlays=TERMS)
    rows = rows_of(of, "acme", "vllm")
    usage = {"input_tokens": 10, "output_tokens": 7}
    for at in (NOW - timedelta(days=20), NOW + timedelta(days=1)):
        for tags in ({}, {"team": "a"}, {"project": "p"}, {"team": "a", "project": "p"}, {"team": "b", "project": "p"}):
            assert check(rows, of, token_event("m", usage, provider="acme", at=at, attribution=tags)) == 2
    layers = {(row.cost, row.layer) for found in rows.values() for row in found if row.provider == "acme"}
    assert layers == {("list", "correction"), ("contracted", "contract"), ("effective", "contract")}


def test_contracts_say_where_they_were_agreed() -> None:
    """Each price that of the agreement which makes it so; without a source of its own, the name of the agreement."""
    sourced = [said | {"source": f"contract {said['name']}"} if said["name"] != "project" else said for said in TERMS]
    of = own([{**SAID, "prices": {"input_mtok": "1", "output_mtok": "3"}}], overlays=sourced)
    found = {
        (row.meter, row.cost, row.scope, row.valid_to.year): row.source
        for rows in rows_of(of, "acme", "vllm").values()
        for row in rows
        if row.provider == "acme"
    }
    project, team = ("project", "p"), ("team", "a")
    wanted: dict[tuple[str, str, tuple[tuple[str, str], ...], int], str] = {
        **{(meter, "list", (), 2200): "test" for meter in ("input_tokens", "output_tokens")},
        ("input_tokens", "contracted", (), 2200): "contract all",
        ("output_tokens", "contracted", (), 2200): "contract all",
        ("output_tokens", "contracted", (team,), 2200): "contract team",
        ("input_tokens", "contracted", (project,), 2200): "project",
        ("output_tokens", "contracted", (project,), 2200): "project",
        ("input_tokens", "effective", (project, team), 2200): "contract spread",
        ("output_tokens", "effective", (project, team), 2200): "contract spread",
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert "" not in found.values()


@pytest.mark.parametrize(
    "terms",
    [
        [{"scope": {"models": ["gpt-4o-2024-*"]}, "discount_percent": "10"}],
        [{"scope": {"models": ["GPT-4o-2024-11-20"]}, "discount_percent": "10"}],
        [{"scope": {"models": ["gpt-4o"]}, "discount_percent": "10"},
         {"scope": {"models": ["gpt-4o-2024-11-20"], "provider": "openai"}, "multiplier": "1"}],
        [{"scope": {"models": ["gpt-4o*"], "attribution": {"team": "a"}}, "discount_percent": "10"},
         {"scope": {"models": ["gpt-4o-2024-08-06"]}, "effective_multiplier": "0.5"},
         {"scope": {"models": ["gpt-4o-2024-08-06"], "attribution": {"team": "a"}}, "contract": {"input_mtok": "1"}}],
    ],
)  # fmt: skip
def test_contracts_that_name_an_id_of_a_model_have_rows(terms: list[dict[str, Any]]) -> None:
    """A dated id may have terms that its model does not have: whichever was asked for and served, whoever for."""
    of = own(overlays=[{"name": str(number), **said} for number, said in enumerate(terms)])
    rows = rows_of(of, "openai")
    ids = ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20")
    for model, served in [(one, None) for one in ids] + [("gpt-4o", one) for one in ids]:
        for tags in ({}, {"team": "a"}, {"team": "b"}):
            usage = {"input_tokens": 1000, "output_tokens": 100}
            one = token_event(model, usage, provider="openai", response_model=served, attribution=tags)
            assert check(rows, of, one) == 2


CARD = {
    "provider": "cloud", "source": "test", "checked": "2026-01-01",
    "accelerators": [
        {"names": ["H100"], "usd_per_hour": "7.01", "purchase_options": {"spot": {"percent_off": "33"}}},
        {"names": ["H100"], "usd_per_hour": "8", "regions": ["eu"], "valid_from": "2026-11-01",
         "purchase_options": {"committed": {"usd_per_hour": "5"}}},
        {"names": ["H100"], "usd_per_hour": "6", "instance_types": ["big"], "cpu_included": True},
    ],
    "cpus": [{"usd_per_hour": "0.03"}],
    "skus": [{"sku": "disk", "unit": "gb_month", "usd_per_unit": "0.08", "regions": ["eu"]},
             {"sku": "disk", "unit": "gb_month", "usd_per_unit": "0.07"}],
}  # fmt: skip


@pytest.mark.parametrize("overlays", [[], [{"name": "x", "scope": {"provider": "cloud"}, "discount_percent": "20"}]])
def test_gpus_cpus_and_skus_have_rows(overlays: list[Any]) -> None:
    """By purchase option, region, type of instance and date, with and without a contract."""
    of = own(cards=[CARD], overlays=overlays)
    rows = rows_of(of, "acme", "vllm")
    lines = 0
    for at in (NOW - timedelta(days=20), NOW + timedelta(days=1)):
        for region in (None, "eu", "mars"):
            for option in ("on_demand", "spot", "committed"):
                for instance in (None, "big", "small"):
                    usage = {"kind": "compute", "accelerator": "H100", "gpu_seconds": "3601", "cpu_seconds": "7",
                             "purchase_option": option, "instance_type": instance}  # fmt: skip
                    lines += check(rows, of, event(usage, provider="cloud", at=at, region=region))
            usage = {"kind": "metered", "sku": "disk", "unit": "gb_month", "quantity": "3.5"}
            lines += check(rows, of, event(usage, provider="cloud", at=at, region=region))
    assert lines > 30
    agreed = {row.source for found in rows.values() for row in found if row.layer == "contract"}
    assert agreed == {overlay["name"] for overlay in overlays}


def test_a_model_of_ones_own_costs_nothing_and_says_its_pool() -> None:
    """Its rows have a price of 0, and the pool among their conditions."""
    card = {
        "provider": "vllm",
        "source": "test",
        "checked": "2026-01-01",
        "self_hosted": [{"models": ["llama*"], "pool": "a"}],
    }
    of = own(cards=[card])
    rows = rows_of(of, "acme", "vllm")
    assert check(rows, of, token_event("llama-3", {"input_tokens": 5, "output_tokens": 6}, provider="vllm")) == 2
    assert {row.usd for found in rows.values() for row in found if ("pool", "a") in row.conditions} == {Decimal(0)}


@pytest.mark.slow
def test_the_rows_of_one_price_do_not_overlap_in_time() -> None:
    """One SKU, meter, model, length and hour of the week has one list price at any instant; and the book is bounded."""
    by: dict[Any, list[Price]] = defaultdict(list)
    count = 0
    for found in shipped().values():
        for row in found:
            count += 1
            place = row.conditions if row.layer == "rate card" else ()
            key = (
                row.sku,
                row.meter,
                row.provider,
                row.model,
                row.tier,
                place,
                row.scope,
                row.cost,
                row.context_from,
                row.week_from,
            )
            by[key].append(row)
    for rows in by.values():
        ordered = sorted(rows, key=lambda row: row.valid_from)
        assert all(one.valid_to <= other.valid_from for one, other in pairwise(ordered)), ordered[:2]
    assert 100_000 < count < 250_000

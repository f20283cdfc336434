"""The mix of a series, read from the real store, costs at each date what its events cost one by one."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from spendstream_schemas import UsageEvent
from spendstream_schemas.scope import Condition, in_scope
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import facts_of
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Key, Past, Watched
from stream_jobs.ledger.amounts import opposite
from stream_jobs.metering.rows import ledger_table
from stream_jobs.planned.document import EventsDocument
from stream_jobs.planned.events import PlannedEvents
from stream_jobs.pricing.ahead import COSTS, Used, price_factors
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.series.mix import read_mix, read_share, read_shares
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.store_server import StoreProcess
from tests.unit.ledger.test_rebuild import booked
from tests.unit.pricing.events import event

pytestmark = pytest.mark.slow

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=12)
DAY = timedelta(days=1)
TEAMS = ("search", "ads")
SEARCH = {"team": Condition(any_of=("search",))}
CARD = {
    "provider": "mine", "source": "s", "checked": "2026-11-01",
    "accelerators": [
        {"names": ["H100"], "usd_per_hour": 9, "cpu_included": True, "valid_to": "2026-11-09",
         "purchase_options": {"reserved": {"percent_off": 40}}},
        {"names": ["H100"], "usd_per_hour": 6, "cpu_included": True, "valid_from": "2026-11-09",
         "purchase_options": {"reserved": {"percent_off": 40}}},
    ],
    "skus": [{"sku": "reads", "unit": "reads", "usd_per_unit": "0.000001"}],
}  # fmt: skip
OVERLAYS = [
    {"name": "all", "discount_percent": "7.3", "valid_to": "2026-11-05"},
    {"name": "search", "scope": {"provider": "openai", "attribution": {"team": "search"}}, "multiplier": "0.333",
     "valid_from": "2026-11-12"},
    {"name": "mini", "scope": {"models": ["gpt-4o-mini"]}, "contract": {"input_mtok": "0.1"}, "valid_to": "2026-11-15"},
    {"name": "spread", "scope": {"provider": "anthropic"}, "effective_multiplier": "0.9", "valid_to": "2026-11-17"},
]  # fmt: skip
BOOK = PriceBook.of(
    card_files=[RateCardFile.model_validate(CARD)], overlay_files=[OverlayFile.model_validate({"overlays": OVERLAYS})]
)
RULES = AttributionRules.load(None)
MODELS = (
    ("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro"),
)  # fmt: skip


def some(rng: random.Random, number: int) -> UsageEvent:
    """Calls of models, short and beyond the length at which prices change, cached and in batches; GPUs; reads."""
    fields: dict[str, Any] = {
        "at": NOW - rng.random() * 6 * DAY,
        "attribution": {"team": rng.choice(["search", "ads"]), "feature": rng.choice(["chat", "agent"])},
    }
    kind = rng.randrange(6)
    if kind == 0:
        usage = {"kind": "metered", "sku": "reads", "quantity": rng.randrange(10**6), "unit": "reads"}
        made = event(usage, provider="mine", **fields)
    elif kind == 1:
        usage = {"kind": "compute", "accelerator": "H100", "gpu_seconds": rng.randrange(1, 10**5)}
        made = event(usage | {"purchase_option": rng.choice(["on_demand", "reserved"])}, provider="mine", **fields)
    else:
        provider, model = rng.choice(MODELS)
        read = rng.choice([rng.randrange(1, 5000), rng.randrange(200_001, 900_000)])
        tokens = {"kind": "tokens", "input_tokens": read, "output_tokens": rng.randrange(1000)}
        if rng.random() < 0.5:
            tokens["cache_read_tokens"] = rng.randrange(read)
        if provider == "openai" and rng.random() < 0.3:
            fields["service_tier"] = "batch"
        made = event(tokens, provider=provider, model=model, **fields)
    return made.model_copy(update={"event_id": f"e{number}"})


def row_of(one: UsageEvent, offset: int) -> dict[str, Any]:
    return booked(one, (), BOOK, RULES) | {"offset": offset, "booked_at": NOW}


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


@pytest.fixture(scope="module")
def events(store: StoreClient) -> list[UsageEvent]:
    """In the ledger; beside them some that were taken back, an unpriced one, one from a cache, and older ones."""
    rng = random.Random(17)
    kept = [some(rng, number) for number in range(300)]
    taken_back = [some(rng, 1000 + number) for number in range(20)]
    rows = [row_of(one, number) for number, one in enumerate([*kept, *taken_back])]
    rows += [opposite(row) | {"entry_kind": "retraction", "offset": 900 + n} for n, row in enumerate(rows[-20:])]
    tokens = {"kind": "tokens", "input_tokens": 10**6, "output_tokens": 1}
    apart = [
        event(tokens, model="gpt-unheard-of"),
        event(tokens, model="gpt-4o", cached_response=True),
        event(tokens, model="gpt-4o", at=NOW - 20 * DAY),
    ]
    rows += [row_of(one.model_copy(update={"event_id": f"x{n}"}), 2000 + n) for n, one in enumerate(apart)]
    store.command("TRUNCATE TABLE ledger")
    insert(store.client, "ledger", ledger_table(rows), "the mix")
    return kept


@pytest.mark.parametrize("scope", [{}, SEARCH, {"model": Condition(glob="gpt-*"), **SEARCH}])
def test_a_mix_costs_what_its_events_cost_one_by_one(
    store: StoreClient, events: list[UsageEvent], scope: dict[str, Condition]
) -> None:
    """On every day, list, contracted and effective, through contracts that begin and end."""
    wanted = [one for one in events if in_scope(scope, {"team": one.attribution.team or "", "model": one.model or ""})]
    wanted = [one for one in wanted if BOOK.price(facts_of(one)).priced]  # gpt-4o has no price of cached batches
    mix = read_mix(store, scope, NOW - 7 * DAY, NOW, BOOK.scope_fields)
    assert sum(used.events for used in mix) == len(wanted)
    assert len(mix) < len(wanted) / 3
    edges = [MIDNIGHT + number * DAY for number in range(-3, 25)]
    found = price_factors(BOOK, mix, edges, NOW)
    exact = price_factors(BOOK, [Used(facts_of(one), 1) for one in wanted], edges, NOW)
    assert found.moves
    for cost in COSTS:
        assert list(found.factors[cost]) == pytest.approx(list(exact.factors[cost]), rel=1e-7)
    assert [change.at for change in found.changes] == [change.at for change in exact.changes]
    assert (found.kept, found.unpriced) == ((), 0)


def test_of_nothing_there_is_no_mix(store: StoreClient, events: list[UsageEvent]) -> None:
    """Nor of a time before."""
    assert events
    assert read_mix(store, {"team": Condition(any_of=("nobody",))}, NOW - 7 * DAY, NOW) == []
    assert read_mix(store, {}, NOW - 400 * DAY, NOW - 300 * DAY) == []


def test_the_share_of_a_scope_is_that_of_what_it_cost(store: StoreClient, events: list[UsageEvent]) -> None:
    """Of the total and of a series that lies across it; of nothing 0."""
    cost = {one.event_id: BOOK.price(facts_of(one)).effective_cost or 0 for one in events}
    search = [one for one in events if one.attribution.team == "search"]
    share = read_share(store, {}, SEARCH, NOW - 7 * DAY, NOW)
    assert share == pytest.approx(sum(cost[one.event_id] for one in search) / sum(cost.values()))
    agents = {"feature": Condition(any_of=("agent",))}
    of_agents = [one for one in events if one.attribution.feature == "agent"]
    both = sum(cost[one.event_id] for one in of_agents if one.attribution.team == "search")
    found = read_share(store, agents, SEARCH, NOW - 7 * DAY, NOW)
    assert found == pytest.approx(both / sum(cost[one.event_id] for one in of_agents))
    assert read_share(store, {"team": Condition(any_of=("nobody",))}, SEARCH, NOW - 7 * DAY, NOW) == 0


def test_the_shares_of_many_are_those_of_each_and_of_all_others(store: StoreClient, events: list[UsageEvent]) -> None:
    """In one question; of the total as one series, too."""
    assert events
    grid = Grid("hour")
    spec = SeriesSpec({}, ("feature",), "effective_cost", grid.calendar)
    found = read_shares(store, spec, [("agent",)], SEARCH, NOW - 7 * DAY, NOW)
    for values, feature in ((("agent",), "agent"), (("",), "chat")):
        alone = read_share(store, {"feature": Condition(any_of=(feature,))}, SEARCH, NOW - 7 * DAY, NOW)
        assert found[values] == pytest.approx(alone)
    total = SeriesSpec({}, (), "effective_cost", grid.calendar)
    assert read_shares(store, total, [()], SEARCH, NOW - 7 * DAY, NOW) == {
        (): read_share(store, {}, SEARCH, NOW - 7 * DAY, NOW)
    }


def test_a_run_knows_the_prices_to_come_of_each_series(store: StoreClient, events: list[UsageEvent]) -> None:
    """A contract of one team alone moves that team by all of it, the total by its part, others not; people are told."""
    assert events
    grid = Grid("day")
    keys = [Key("", (), (), "effective_cost"), *(Key("", ("team",), (one,), "effective_cost") for one in TEAMS)]
    past = Past(grid, grid.cell_at(MIDNIGHT) - 30, keys, np.ones((3, 30)))
    watched = [Watched(SeriesSpec({}, dims, "effective_cost", grid.calendar)) for dims in ((), ("team",))]
    contract = {"name": "deal", "scope": {"attribution": {"team": "search"}}, "multiplier": "0.5",
                "valid_from": "2026-11-12"}  # fmt: skip
    book = PriceBook.of(overlay_files=[OverlayFile.model_validate({"overlays": [contract]})])
    foreknowledge = Foreknowledge(store, lambda: PlannedEvents(EventsDocument()), lambda: book)
    foreknowledge.begins()
    found = foreknowledge.of(past, watched, 20)
    assert found is not None
    total, search, ads = found.factors
    assert set(ads) == {1.0}
    assert (search[: 30 + 11] == 1).all()
    assert search[30 + 12 :] == pytest.approx(0.5)
    assert ((total[30 + 12 :] > 0.5) & (total[30 + 12 :] < 1)).all()
    assert list(found.why) == [found.why[0], "prices from 2026-11-12: -50.0 % (deal begins)", ""]
    still = Foreknowledge(store, lambda: PlannedEvents(EventsDocument()), PriceBook.of)
    still.begins()
    assert still.of(past, watched, 20) is None

"""Whatever is done to an event in whatever order, its entries come to what it costs, where they should."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.repricing.corrections import COSTS, find_corrections, repriced
from tests.fuzz import examples
from tests.unit.metering.build import document
from tests.unit.repricing.build import NOW, MemoryLedger, as_entries, book, rules, sums

BOOKS = (
    book("list"),
    book("discount", {"discount_percent": "7.3"}),
    book("for search", {"scope": {"attribution": {"team": "search"}}, "multiplier": "0.123456789"}),
    book(
        "agreed",
        {"scope": {"models": ["gpt-4o"]}, "contract": {"input_mtok": "2.2222222"}},
        {"effective_multiplier": "0.9"},
    ),
    book("input dearer", {"scope": {"models": ["gpt-4o"]}, "contract": {"input_mtok": "3.1"}}),
    book("one day", {"multiplier": "3", "valid_from": "2026-11-20", "valid_to": "2026-11-21"}),
)
RULES = (
    rules(),
    rules({"name": "a", "fill": {"team": "search"}}),
    rules({"name": "b", "set": {"team": "ads", "project": "p"}}, {"name": "c", "rename": {"customer": {"x": "acme"}}}),
    rules({"name": "d", "when": {"customer": "x"}, "set": {"workload_type": "training", "environment": "dev"}}),
)
NEW_MODEL = CorrectionFile.model_validate(
    {
        "provider": "openai",
        "entries": [
            {
                "models": ["new-model"],
                "prices": {"input_mtok": Decimal(2)},
                "source": "https://example.com",
                "checked": "2026-11-20",
                "reason": "it is new",
            }
        ],
    }
)
MODELS = dict.fromkeys(("gpt-4o", "gpt-4o-mini", "nobody-knows"), "openai") | {"claude-sonnet-4-5": "anthropic"}
DAY = "2026-11-20T"


def message(event_id: str, revision: int, **changes: Any) -> bytes:
    return json.dumps(document(event_id, revision=revision, **changes)).encode()


ANY = {
    "occurred_at": st.sampled_from([DAY + "10:00:00Z", DAY + "11:59:59Z", "2026-11-19T23:59:59.999999Z"]),
    "attribution": st.sampled_from([{}, {"team": "search"}, {"customer": "x"}, {"team": "t", "customer": "x"}]),
    "cached_response": st.booleans(),
    "stated_cost_usd": st.sampled_from([None, None, "0", "0.5", "0.000000000001"]),
}


def _tokens(plain: int, read: int, written: int) -> dict[str, Any]:
    parts = {"cache_read_tokens": read, "cache_write_5m_tokens": written}
    whole = {"kind": "tokens", "input_tokens": plain + read + written}
    return whole | {name: number for name, number in parts.items() if number}


def _call(model: str, usage: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    return {"provider": MODELS[model], "model": model, "usage": usage} | rest


def _gpu(seconds: int, idle: int | None) -> dict[str, Any]:
    usage = {"kind": "compute", "accelerator": "H100", "gpu_seconds": str(seconds), "purchase_option": "on_demand"}
    return usage if idle is None else usage | {"busy_gpu_seconds": str(seconds - min(idle, seconds))}


parts = st.one_of(st.just(0), st.integers(0, 10**7))
usages = st.one_of(
    st.builds(
        _call,
        st.sampled_from(list(MODELS)),
        st.builds(_tokens, parts, parts, parts).filter(lambda usage: usage["input_tokens"]),
        st.fixed_dictionaries(ANY),
    ),
    st.fixed_dictionaries(
        ANY
        | {
            "provider": st.just("aws"),
            "model": st.none(),
            "region": st.just("us-east-1"),
            "cached_response": st.just(False),
            "usage": st.builds(_gpu, st.integers(1, 10**6), st.one_of(st.none(), st.integers(0, 10**6))),
        }
    ),
)
books, owners = st.integers(0, len(BOOKS) - 1), st.integers(0, len(RULES) - 1)
steps = st.one_of(
    st.tuples(st.just("book"), st.sampled_from(["e1", "e2", "e3"]), usages),
    st.tuples(st.just("book"), st.sampled_from(["e1", "e2", "e3"]), usages),
    st.tuples(st.just("reprice"), books),
    st.tuples(st.just("reattribute"), owners),
    # A revision is computed, a correction is posted, then the revision is booked.
    st.tuples(
        st.just("cross"),
        st.sampled_from(["e1", "e2"]),
        usages,
        st.one_of(st.tuples(st.just("reprice"), books), st.tuples(st.just("reattribute"), owners)),
    ),
)


class World:
    """A ledger, and beside it what an oracle needs: the last message of each event."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.last: dict[str, bytes] = {}
        self.revisions: dict[str, int] = {}
        self.prices, self.owners = BOOKS[0], RULES[0]

    def computed(self, event_id: str, usage: dict[str, Any]) -> list[dict[str, Any]]:
        revision = self.revisions.get(event_id, -1) + 1
        self.revisions[event_id] = revision
        self.last[event_id] = message(event_id, revision, **usage)
        return self.ledger.compute(self.prices, self.owners, self.last[event_id])

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("book", event_id, usage):
                self.ledger.add(self.computed(event_id, usage))
            case ("reprice", number):
                self.prices = BOOKS[number]
                self.ledger.correct(prices=self.prices)
            case ("reattribute", number):
                self.owners = RULES[number]
                self.ledger.correct(owners=self.owners)
            case ("cross", event_id, usage, correction):
                rows = self.computed(event_id, usage)
                self.do(correction)
                self.ledger.add(rows)
                self.ledger.correct(settle=True)

    def fresh(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """The ledger as it would be had only the last message of each event come, with these prices and rules."""
        ledger = MemoryLedger()
        for value in self.last.values():
            ledger.add(ledger.compute(self.prices, self.owners, value))
        return sums(ledger.rows)


@pytest.mark.slow
@settings(max_examples=examples(60))
@given(st.lists(steps, max_size=12))
def test_any_sequence_ends_as_if_computed_afresh(sequence: list[tuple[Any, ...]]) -> None:
    """After any sequence of booking, revising, re-pricing and re-attributing, and with corrections and revisions that
    cross each other: costs, events, meters, tags and receipts of every event are what a fresh ledger would hold."""
    world = World()
    for step in sequence:
        world.do(step)
        counted = dict.fromkeys(world.last, 0)
        for row in world.ledger.rows:
            counted[row["event_id"]] += row["events"]
        assert set(counted.values()) <= {1}, "every event counts once, at any time"
    world.ledger.correct(owners=world.owners)
    world.ledger.correct(prices=world.prices)
    assert sums(world.ledger.rows) == world.fresh()
    for again in (
        world.ledger.correct(prices=world.prices, post=False),
        world.ledger.correct(owners=world.owners, post=False),
        world.ledger.correct(settle=True, post=False),
    ):
        assert not again.postings, "what is right is left alone"


def priced(*models: str, prices: PriceBook = BOOKS[0], owners: AttributionRules = RULES[0]) -> MemoryLedger:
    """One event per model, booked."""
    ledger = MemoryLedger()
    for number, model in enumerate(models):
        ledger.add(ledger.compute(prices, owners, message(f"e{number}", 0, model=model, tokens=1_000_000)))
    return ledger


def test_another_price_is_one_signed_difference_with_both_receipts() -> None:
    """The adjustment has no meters and counts no event; its receipt takes back the old lines and books the new."""
    ledger = priced("gpt-4o")
    found = ledger.correct(prices=BOOKS[1])
    charge, adjustment = ledger.rows
    assert (found.adjusted, len(found.postings)) == (1, 1)
    assert adjustment["entry_kind"] == "adjustment"
    assert (adjustment["events"], adjustment["unpriced"], adjustment["input_tokens"]) == (0, 0, None)
    assert (adjustment["list_cost"], adjustment["effective_cost"]) == (0, charge["effective_cost"] * Decimal("-0.073"))
    assert adjustment["line_cost"] == [-charge["line_cost"][0], charge["line_cost"][0] * Decimal("0.927")]
    assert adjustment["line_quantity"] == [-1_000_000, 1_000_000]
    assert adjustment["price_book_version"] == "discount"
    same = ("event_id", "revision", "occurred_at", "team", "source", "offset", "topic_id", "partition", "labels")
    assert all(adjustment[name] == charge[name] for name in same)


def test_usage_that_gets_a_price_moves_out_of_the_unpriced() -> None:
    """unpriced = -1 under the old reason; the whole event is booked again under its price model."""
    ledger = priced("gpt-4o", prices=book("none of it"))
    without: dict[str, Any] = {"price_model": "", "unpriced": 1, "unpriced_reason": "unknown_model"}
    without |= dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"))
    without |= {name: [] for name in ledger.rows[0] if name.startswith("line_")}
    ledger.rows[0] |= without
    found = ledger.correct(prices=BOOKS[0])
    taken, booked = ledger.rows[1:]
    assert (found.priced, found.adjusted) == (1, 1)
    assert (taken["events"], taken["unpriced"], taken["input_tokens"], taken["effective_cost"]) == (
        -1,
        -1,
        -1_000_000,
        None,
    )
    assert (taken["unpriced_reason"], taken["price_model"]) == ("unknown_model", "")
    assert (booked["events"], booked["unpriced"], booked["input_tokens"], booked["unpriced_reason"]) == (
        1,
        0,
        1_000_000,
        "",
    )
    assert (booked["price_model"], booked["effective_cost"]) == ("openai/gpt-4o", Decimal("2.5"))


def test_a_stated_cost_gives_way_to_a_price_that_arrives_later_when_history_is_repriced() -> None:
    """As any other price does: the statement is taken back with its receipt, and stays beside the book's cost. With the
    same book nothing is found."""
    ledger = MemoryLedger()
    stated = message("e", 0, model="new-model", stated_cost_usd="0.5")
    ledger.add(ledger.compute(BOOKS[0], RULES[0], stated))
    (charge,) = ledger.rows
    assert (charge["list_cost"], charge["price_model"], charge["unpriced"]) == (Decimal("0.5"), "stated", 0)
    assert ledger.correct(prices=BOOKS[0]).postings == []
    later = PriceBook.of(correction_files=[NEW_MODEL], version="later")
    assert ledger.correct(prices=later).priced == 0, "it had a price"
    assert sums(ledger.rows) == sums(MemoryLedger().compute(later, RULES[0], stated))
    assert sum(row["stated_cost"] for row in ledger.rows) == Decimal("0.5")
    assert sum(row["list_cost"] for row in ledger.rows) == Decimal("0.00002")


def test_a_corrected_cost_is_compared_with_what_was_stated() -> None:
    """The entry with the difference is of an event that states a cost, and adds nothing to that."""
    ledger = MemoryLedger()
    ledger.add(ledger.compute(BOOKS[0], RULES[0], message("a", 0, stated_cost_usd="0.5")))
    ledger.add(ledger.compute(BOOKS[0], RULES[0], message("b", 0)))
    ledger.correct(prices=BOOKS[1])
    corrected = {row["event_id"]: row["stated_cost"] for row in ledger.rows if row["entry_kind"] == "adjustment"}
    assert corrected == {"a": Decimal(0), "b": None}


def test_a_price_that_moves_a_saving_and_no_cost_is_posted() -> None:
    """All of the input was read from the cache: what it would have cost is another amount now, what it cost is not.
    The entry has the difference of what is compared, and nothing else; a second run finds none."""
    ledger = MemoryLedger()
    usage = {"kind": "tokens", "input_tokens": 1_000_000, "cache_read_tokens": 1_000_000}
    ledger.add(ledger.compute(BOOKS[0], RULES[0], message("e", 0, usage=usage)))
    dearer = book("dearer", {"scope": {"models": ["gpt-4o"]}, "contract": {"input_mtok": "3.1"}})
    found = ledger.correct(prices=dearer)
    assert (found.adjusted, found.compared, len(found.postings)) == (1, 1, 1)
    charge, adjustment = ledger.rows
    assert (charge["cache_saving"], adjustment["cache_saving"]) == (Decimal("1.25"), Decimal("0.6"))
    assert {adjustment[name] for name in ("events", "unpriced", *COSTS, "avoided_cost")} == {0}
    assert sums(ledger.rows) == sums(MemoryLedger().compute(dearer, RULES[0], message("e", 0, usage=usage)))
    assert ledger.correct(prices=dearer).postings == []
    ledger.correct(owners=RULES[2])
    ledger.correct(prices=BOOKS[0])
    assert sum(row["cache_saving"] for row in ledger.rows) == Decimal("1.25")


def test_a_price_is_not_taken_away_unasked() -> None:
    """A book without the price leaves the event as it is and counts it, unless `unprice`."""
    cards = {"scope": {"provider": "openai"}, "multiplier": "0.5"}
    ledger = priced("gpt-4o", "nobody-knows", prices=book("ours", cards))
    for row in ledger.rows:
        row["model"] = "nobody-knows"
    kept = ledger.correct(prices=BOOKS[0], unprice=False)
    assert (kept.kept_price, kept.without_price, kept.postings) == (1, 1, [])
    taken = ledger.correct(prices=BOOKS[0], unprice=True)
    assert (taken.kept_price, taken.unpriced, len(taken.postings)) == (0, 1, 2)
    net = sum(row["effective_cost"] or 0 for row in ledger.rows), sum(row["unpriced"] for row in ledger.rows)
    assert net == (0, 2)


def test_an_event_that_moves_is_counted_once_and_costs_the_same() -> None:
    """One entry takes everything back under the old team, one books it under the new; what the sender said is kept."""
    ledger = priced("gpt-4o")
    ledger.correct(prices=BOOKS[1])
    ledger.correct(owners=RULES[2])
    taken, booked = ledger.rows[2:]
    assert [(row["team"], row["events"], row["input_tokens"]) for row in (taken, booked)] == [
        ("", -1, -1_000_000),
        ("ads", 1, 1_000_000),
    ]
    assert taken["effective_cost"] == -booked["effective_cost"] == Decimal("-2.3175")
    assert dict(booked["reported_tags"]) == {"team": "", "project": ""}
    assert booked["attribution_version"] == RULES[2].version
    assert not ledger.correct(prices=BOOKS[1]).postings


@pytest.mark.parametrize("correction", [{"prices": BOOKS[1]}, {"owners": RULES[2]}], ids=["reprice", "reattribute"])
def test_a_revision_takes_back_charge_and_corrections(correction: dict[str, Any]) -> None:
    """Metering's retraction of a corrected event leaves nothing of the old revision, and a correction after it finds
    the new one right."""
    ledger = priced("gpt-4o")
    ledger.correct(**correction)
    later: dict[str, Any] = {"prices": BOOKS[0], "owners": RULES[0]} | correction
    ledger.add(ledger.compute(later["prices"], later["owners"], message("e0", 1, model="gpt-4o-mini", tokens=5)))
    nets = sums(ledger.rows)
    assert {key[1] for key in nets} == {1}, "nothing is left of revision 0"
    assert not ledger.correct(**correction).postings


def test_an_event_that_was_charged_twice_is_left_to_reconciliation() -> None:
    """Which of two charges is right is not for a re-pricing to say: neither is touched."""
    ledger = priced("gpt-4o")
    ledger.add([{**ledger.rows[0], "offset": 99}])
    found = ledger.correct(prices=BOOKS[1])
    assert (found.doubled, found.postings) == (1, [])


def test_what_retention_has_torn_apart_is_left_alone() -> None:
    """Once the charge is gone (or may go at any moment), what is left of an event is no difference to be posted: the
    rollups live longer, and would be changed by it."""
    ledger = priced("gpt-4o", "gpt-4o")
    ledger.correct(prices=BOOKS[1])
    entries = as_entries([row for row in ledger.rows if (row["event_id"], row["entry_kind"]) != ("e0", "charge")])
    for decide in (repriced(entries, BOOKS[0]), None):
        found = find_corrections(entries, decide)
        assert found.expired == 1
        assert {entries.values("event_id")[posting.source] for posting in found.postings} <= {"e1"}
    later = find_corrections(entries, repriced(entries, BOOKS[0]), kept_since=NOW + timedelta(seconds=1))
    assert (later.expired, later.events, later.postings) == (2, 0, [])


def test_an_amount_too_large_for_the_ledger_is_an_error() -> None:
    """Rather than something else being booked."""
    ledger = priced("gpt-4o")
    huge = Decimal(10**26 - 1)
    ledger.rows[0] |= {"effective_cost": -huge, "contracted_cost": -huge, "list_cost": -huge}
    with pytest.raises(OverflowError):
        ledger.correct(prices=book("dear", {"multiplier": "1000000000000000000000000"}))


def test_entries_know_their_events_apart() -> None:
    """Rows belong together by event and revision, wherever they lie in the table."""
    row = priced("gpt-4o").rows[0]
    entries = as_entries([{**row, "event_id": i, "revision": r} for i, r in (("a", 0), ("b", 0), ("a", 1), ("a", 0))])
    assert sorted(map(sorted, entries.events())) == [[0, 3], [1], [2]]

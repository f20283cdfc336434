"""Costs that providers state, in the real store: booked, compared, re-priced and taken back to the last digit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.data_quality import stated_cost, unpriced
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.ledger.versions import record_versions
from stream_jobs.repricing.run import Versions
from stream_jobs.repricing.watch import Watch
from stream_jobs.store.client import StoreClient
from stream_jobs.store.queries import named_queries
from tests.integration.test_reprice import LIST, Pipeline, corrector, selection, store, with_price

__all__ = ["store"]

NO_RULES = AttributionRules.load(None)
SETTINGS = DataQualitySettings()


def call(event_id: str, model: str, stated: str | None, **changes: Any) -> tuple[str, dict[str, Any]]:
    """A thousand tokens, just now: $0.0025 by the list price of gpt-4o."""
    at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    return event_id, {"model": model, "tokens": 1000, "stated_cost_usd": stated, "occurred_at": at, **changes}


def compared(store: StoreClient) -> list[tuple[Any, ...]]:
    rows = store.rows("SELECT * EXCEPT day FROM stated_costs ORDER BY provider, model_name")
    (query,) = [query for query in named_queries().values() if query.name == "stated_costs"]
    assert [row[:6] for row in rows] == sorted([(*row[:6],) for row in store.rows(query.sql)])
    return rows


def test_what_is_stated_is_booked_and_compared(store: StoreClient) -> None:
    """By provider and model: events, our cost, the stated one, the difference; and what only the provider prices. No
    event with a stated cost is unpriced, so nothing is held or told for it."""
    Pipeline(store).book(
        call("a", "gpt-4o", "0.003"),
        call("b", "gpt-4o", "0.0025"),
        call("c", "gpt-4o", None),
        call("d", "gpt-4o", "9", cached_response=True),
        call("e", "nobody-knows", "0.7"),
        call("f", "nobody-knows", "0"),
    )
    none = Decimal(0)
    assert compared(store) == [
        ("openai", "gpt-4o", 2, Decimal("0.005"), Decimal("0.0055"), Decimal("0.0005"), 0, none),
        ("openai", "nobody-knows", 0, none, none, none, 2, Decimal("0.7")),
    ]
    assert store.rows("SELECT sum(unpriced), sum(effective_cost) FROM ledger") == [(0, Decimal("0.7075"))]
    assert store.rows(
        "SELECT price_model, sum(effective_cost) FROM cost_1h WHERE price_model = 'stated' GROUP BY 1"
    ) == [("stated", Decimal("0.7"))]
    (booked,) = store.rows("SELECT line_sku, unpriced_detail FROM ledger WHERE event_id = 'e'")
    assert booked[0] == ["stated"]
    assert str(booked[1]).startswith("unknown_model: openai has no model 'nobody-knows' in the price book")
    assert unpriced.look(store, SETTINGS, store.now()).findings == ()
    assert stated_cost.look(store, SETTINGS, store.now()).findings == (), "less than a cent"
    least = DataQualitySettings(stated_usd=Decimal("0.0005"))
    (found,) = stated_cost.look(store, least, store.now()).findings
    assert (found.subject, found.value) == (("openai", "gpt-4o"), Decimal("0.0005"))


def test_a_revision_takes_the_statement_back(store: StoreClient) -> None:
    """With the cost that it gave: the corrected event is all that is left."""
    pipeline = Pipeline(store)
    pipeline.book(call("a", "nobody-knows", "0.7"), call("b", "nobody-knows", "0.1"))
    pipeline.book(call("a", "nobody-knows", "0.5", revision=1), call("b", "nobody-knows", None, revision=1))
    assert store.rows(
        "SELECT event_id, sum(stated_cost), sum(effective_cost), sum(unpriced) FROM ledger GROUP BY event_id ORDER BY 1"
    ) == [("a", Decimal("0.5"), Decimal("0.5"), 0), ("b", Decimal(0), Decimal(0), 1)]
    assert [row[6:] for row in compared(store)] == [(1, Decimal("0.5"))]


def test_a_price_that_arrives_later_corrects_what_was_stated_by_command_only(store: StoreClient) -> None:
    """What has no price at all prices itself; what is priced as stated has one, so it waits for `reprice`."""
    Pipeline(store).book(call("a", "nobody-knows", "0.7"), call("b", "nobody-knows", None))
    prices = with_price()
    record_versions(store, prices, NO_RULES, None)
    Watch(lambda: store, Versions(prices, NO_RULES)).tick(store)
    costs = "SELECT event_id, sum(effective_cost) FROM ledger GROUP BY event_id ORDER BY event_id"
    stated, priced = (Decimal(str(cost)) for _, cost in store.rows(costs))
    assert stated == Decimal("0.7")
    assert priced not in (0, stated)
    correct = corrector(store, prices)
    correct.work(correct.open(selection(), note="", operator="me", chunk_rows=100))
    assert store.rows(costs) == [("a", priced), ("b", priced)]
    assert compared(store) == [
        ("openai", "nobody-knows", 1, priced, Decimal("0.7"), Decimal("0.7") - priced, 0, Decimal(0))
    ]
    correct = corrector(store, LIST)
    correct.work(correct.open(selection(), note="", operator="me", chunk_rows=100, unprice=True))
    assert [row[0] for row in store.rows(costs)] == ["a", "b"]
    assert store.rows(costs)[0][1] == Decimal("0.7"), "a book without the price: the statement again"

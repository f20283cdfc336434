"""The prices of a book in the store: written once, whoever does it and whatever happens meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import facts_of
from stream_jobs.ledger import prices
from stream_jobs.ledger.prices import record_prices
from stream_jobs.ledger.versions import record_versions
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.listed import Price
from stream_jobs.store.client import StoreClient
from tests.store_server import StoreProcess
from tests.unit.pricing.events import token_event
from tests.unit.pricing.test_listed import rows_of

NOW = datetime.now(UTC)
AT_NIGHT = {"from": "22:00", "to": "06:00"}


@cache
def book(version: str) -> PriceBook:
    said = {"source": "test", "checked": "2026-01-01", "models": ["m"]}
    tiered = {"base": "1.1", "tiers": [{"start": 1000, "price": "2.2"}]}
    entries: list[dict[str, Any]] = [
        {**said, "prices": {"input_mtok": tiered, "cache_read_mtok": "0.1", "cache_write_1h_mtok": "1.9",
                            "output_mtok": "3", "web_searches_kcount": "10"}},
        {**said, "when": {"service_tier": "batch"}, "multiplier": "0.5"},
        {**said, "when": {"region": "eu"}, "multiplier": "1.1"},
        {**said, "prices": {"output_mtok": "2"}, "time_of_day": AT_NIGHT},
        {**said, "prices": {"output_mtok": "9"}, "valid_from": (NOW + timedelta(days=2)).date().isoformat()},
    ]  # fmt: skip
    return PriceBook.of([CorrectionFile.model_validate({"provider": "acme", "entries": entries})], version=version)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the rows of acme: the whole book is what test_listed.py is about."""
    made = {version: tuple(_rows(version)) for version in ("one", "two", "three", "four")}
    monkeypatch.setattr(prices, "prices", lambda of: iter(made[of.version]))


@cache
def _rows(version: str) -> tuple[Price, ...]:
    return tuple(row for rows in rows_of(book(version), "acme").values() for row in rows if row.provider == "acme")


@pytest.fixture
def store(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as store:
        yield store


def count(store: StoreClient, version: str) -> int:
    ((rows,),) = store.rows("SELECT count() FROM prices WHERE version = {version:String}", {"version": version})
    return int(str(rows))


def test_several_that_start_at_once_write_a_version_once(process: StoreProcess, store: StoreClient) -> None:
    """Each finds none and inserts; one insert counts. Afterwards nobody inserts any more."""

    def start(_: int) -> None:
        with StoreClient(process.settings) as own:
            record_prices(own, book("one"))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start, range(6)))
    assert count(store, "one") == len(_rows("one")) > 30
    start(0)
    record_prices(store, book("two"))
    assert (count(store, "one"), count(store, "two")) == (len(_rows("one")),) * 2


def test_who_dies_halfway_has_written_nothing(
    process: StoreProcess, store: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before the one insert is not in the store; the next one that starts writes all."""

    def dies(of: PriceBook) -> Iterator[Price]:
        yield from _rows(of.version)[:20]
        raise KeyboardInterrupt

    monkeypatch.setattr(prices, "prices", dies)
    with pytest.raises(KeyboardInterrupt):
        record_prices(store, book("three"))
    assert count(store, "three") == 0
    monkeypatch.setattr(prices, "prices", lambda of: iter(_rows(of.version)))
    record_prices(store, book("three"))
    assert count(store, "three") == len(_rows("three"))


SQL = """
SELECT any(price.usd), any(price.per), count()
FROM prices AS price
WHERE price.version = {version:String} AND price.sku = {sku:String} AND price.meter = {meter:String}
    AND price.cost = 'list' AND {tokens:UInt64} BETWEEN price.context_from AND price.context_to
    AND price.valid_from <= {at:DateTime64(6, 'UTC')} AND price.valid_to > {at:DateTime64(6, 'UTC')}
    AND {second:UInt32} >= price.week_from AND {second:UInt32} < price.week_to
"""


def test_the_rows_in_the_store_charge_what_the_engine_charges(store: StoreClient) -> None:
    """In SQL, as the guide says: tiers, regions, caches, cliffs, hours, calls of tools; each by one row."""
    of = book("four")
    record_prices(store, of)
    lines = 0
    for hours in range(0, 200, 7):
        at = datetime(2026, 11, 1, 1, 30, tzinfo=UTC) + timedelta(hours=hours)
        for tokens, tier, region in ((1000, None, None), (1001, "batch", "eu"), (5000, None, "eu"), (9, "batch", None)):
            usage = {"input_tokens": tokens, "cache_read_tokens": 3, "cache_write_1h_tokens": 2, "output_tokens": 7}
            event = token_event("m", usage, provider="acme", at=at, service_tier=tier, region=region,
                                tool_calls={"web_search": 3})  # fmt: skip
            second = at.weekday() * 86_400 + at.hour * 3600 + at.minute * 60
            for line in of.price(facts_of(event)).lines:
                asked = {
                    "version": "four",
                    "sku": line.sku,
                    "meter": line.meter,
                    "tokens": tokens,
                    "at": at,
                    "second": second,
                }
                ((usd, per, rows),) = store.rows(SQL, asked)
                assert rows == 1
                assert Decimal(str(usd)) * line.quantity * 10**12 / Decimal(str(per)) == line.list_cost
                lines += 1
    assert lines > 400


def test_the_view_has_what_holds_now_of_the_book_in_use(store: StoreClient) -> None:
    """Of the worker that started last; neither yesterday's price nor tomorrow's, and the one of this hour. Of the book
    before while the rows of a new one are written."""
    for version in ("one", "two"):
        record_prices(store, book(version))
        record_versions(store, book(version), AttributionRules.load(None), None)
    record_versions(store, book("not listed yet"), AttributionRules.load(None), None)
    before = store.now()
    rows = store.rows(
        "SELECT DISTINCT version, usd FROM prices_now WHERE sku = 'acme/m/output_mtok' AND meter = 'output_tokens'"
    )
    hours = {before.hour, store.now().hour}  # two where one has just begun
    assert rows in [[("two", Decimal(2 if hour >= 22 or hour < 6 else 3))] for hour in hours]

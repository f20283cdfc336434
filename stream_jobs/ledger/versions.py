"""Which prices and rules are in use, and recording them so that a version can be loaded again."""

import json
from pathlib import Path

from stream_jobs.attribution.rules import AttributionRules, rules_of
from stream_jobs.base.errors import ConfigError
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.contents import book_of, content_of
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert


def record_versions(store: StoreClient, book: PriceBook, rules: AttributionRules, config_dir: Path | None) -> None:
    """What a ledger row's version stands for can be looked up for as long as the row exists.

    Each start of a worker is a row of its own: the last one says what is in use (see `version_in_use`).
    """
    now = store.now()
    for table, version, description, content in (
        ("price_book_versions", book.version, book.describe(), content_of(config_dir)),
        ("attribution_versions", rules.version, rules.describe(), rules.content()),
    ):
        row = {
            "version": version,
            "loaded_at": now,
            "description": json.dumps(description, sort_keys=True),
            "content": content,
        }
        insert(store.client, table, arrow_table(table, [row]), f"version:{version}:{now.isoformat()}")


def version_in_use(store: StoreClient, table: str) -> str | None:
    """The version that the worker loaded which started last, of 'price_book_versions' or 'attribution_versions'."""
    assert table in ("price_book_versions", "attribution_versions")
    rows = store.rows(f"SELECT version FROM {table} ORDER BY loaded_at DESC LIMIT 1")
    return str(rows[0][0]) if rows else None


def recorded_book(store: StoreClient, version: str) -> PriceBook:
    """A price book that was in use once. Raises ConfigError if it was not, or cannot be made any more."""
    return book_of(version, _content(store, "price_book_versions", version, "a price book"))


def recorded_rules(store: StoreClient, version: str) -> AttributionRules:
    """Attribution rules that were in use once. Raises ConfigError if they were not, or cannot be made any more."""
    return rules_of(version, _content(store, "attribution_versions", version, "attribution rules"))


def _content(store: StoreClient, table: str, version: str, what: str) -> str:
    rows = store.rows(
        f"SELECT content FROM {table} WHERE version = {{version:String}} ORDER BY loaded_at DESC LIMIT 1",
        {"version": version},
    )
    if not rows:
        raise ConfigError(f"no worker ever used {what} {version!r}; see SELECT version FROM {table}")
    return str(rows[0][0])

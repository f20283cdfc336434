"""Which statements make a rollup that is filled from the ledger; how it is filled, a real store shows (integration)."""

from stream_jobs.store.fill import feeds
from stream_jobs.store.migrations import load_migrations


def test_the_rollups_of_the_ledger_are_found() -> None:
    """Each view that adds up the ledger; not the one that only keeps its ids."""
    found = [feed.table for migration in load_migrations() for feed in feeds(migration.statements)]
    assert found == ["cost_1m", "cost_1h", "cost_1d", "operations_1d"]


def test_a_day_is_asked_as_the_view_asks() -> None:
    """The view's own question, of the entries of one day."""
    (feed,) = feeds(
        [
            "CREATE MATERIALIZED VIEW IF NOT EXISTS t_feed TO t AS SELECT a, sum(entry.b) AS b "
            "FROM ledger AS entry GROUP BY a"
        ]
    )
    assert feed.of_day().startswith("SELECT a, sum(entry.b) AS b FROM  ledger AS entry WHERE entry.occurred_at >= ")
    assert feed.of_day().endswith(" GROUP BY a")
    assert feeds(["CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = MergeTree ORDER BY a"]) == []

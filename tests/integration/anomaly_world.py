"""Usage as the anomalies job sees it, minute by minute, on the real store: blocks of two partitions, their deltas."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.model import FindingRow
from stream_jobs.completeness.watermark import LogLook
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.delta import Delta, encode
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord, Versions
from tests.integration.budget_world import World

TABLES = ("block_receipts", "adjustment_chunks", "anomaly_findings", "anomaly_scores", "anomaly_states")
MINUTE = timedelta(minutes=1)
BEGIN = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
"""Noon: what is told does not depend on when the test runs."""
EVER = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


def usage(at: datetime, usd: Decimal, user: str = "u1", team: str = "search") -> dict[str, Any]:
    """A charge."""
    return {
        "occurred_at": at,
        "team": team,
        "user_id": user,
        "model": "gpt-4o",
        "effective_cost": usd,
        "entry_kind": "charge",
        "unpriced_reason": "",
        "unpriced": 0,
        "events": 1,
    }


@dataclass
class Blocks(World):
    """Blocks whose offsets follow each other in each partition."""

    ends: dict[int, int] = field(default_factory=dict)

    def book(self, partition: int, entries: list[dict[str, Any]]) -> Delta:
        at = self._next_instant()
        first = self.ends.get(partition, 0)
        self.ends[partition] = first + max(1, len(entries))
        source = SourcePartition("usage.events.v1", self.topic, partition)
        block = Block(source, first, self.ends[partition] - 1, at, Versions(), 1)
        if not entries:
            return delta_of(block, None)
        table = self._table(entries, at, partition)
        insert(self.store.client, "ledger", table.select(table.column_names[:-1]), f"{self.topic}/{at.isoformat()}")
        return delta_of(block, table)

    def receipt(self, delta: Delta) -> None:
        row = {
            "topic": "usage.events.v1",
            "topic_id": delta.origin.topic_id,
            "partition": delta.origin.partition,
            "first_offset": delta.first_offset,
            "last_offset": delta.last_offset,
            "worker": "",
            **dict.fromkeys(("received", "booked", "duplicates", "quarantined", "unpriced", "unknown_fields"), 1),
            "completed_at": self.now,
        }
        insert(self.store.client, "block_receipts", arrow_table("block_receipts", [row]), repr(row))


class Log:
    """Implements LogLooker: what `world` has taken in so far, booked or not."""

    def __init__(self, world: Blocks) -> None:
        self.world = world
        self.waiting: dict[int, int] = {}  # records that are in the log and not booked, by partition
        self._seen: LogLook | None = None

    def ask(self, at: datetime) -> None:
        ends = {number: end + self.waiting.get(number, 0) for number, end in self.world.ends.items()}
        self._seen = LogLook(at, self.world.topic, ends)

    def answer(self) -> LogLook | None:
        seen, self._seen = self._seen, None
        return seen

    def holds_record(self, partition: int, offset: int) -> bool:
        return True

    def close(self) -> None:
        pass


def records(deltas: Iterable[Delta]) -> list[SourceRecord]:
    """As the feed carries them."""
    return [SourceRecord(offset, None, None, encode(delta)) for offset, delta in enumerate(deltas)]


def learn(world: Blocks, rng: random.Random, days: int, until: datetime) -> None:
    """Usual usage of the days before: what a job without a snapshot begins with."""
    hours = days * 24
    rows = []
    for hour in range(hours):
        at = until - timedelta(hours=hours - hour)
        rows += [
            usage(at + timedelta(seconds=rng.randrange(3600)), cost(rng) * 20, rng.choice(USERS)) for _ in range(30)
        ]
    for first in range(0, len(rows), 5_000):
        world.receipt(world.book(0, rows[first : first + 5_000]))


USERS = ("u1", "u2", "u3")


def cost(rng: random.Random) -> Decimal:
    return Decimal(round(rng.lognormvariate(-4, 0.7), 9)).quantize(Decimal("1e-12"))


def minute(rng: random.Random, at: datetime, factor: int = 1) -> list[dict[str, Any]]:
    """Ten requests or so, `factor` times as dear where u1 asks."""
    found = []
    for _ in range(10):
        user = rng.choice(USERS)
        usd = cost(rng) * (factor if user == "u1" else 1)
        found.append(usage(at + timedelta(seconds=rng.randrange(60)), usd, user))
    return found


def told(store: StoreClient) -> list[dict[str, Any]]:
    """The findings, as they stand, but for what says when a row was written."""
    return [_content(row) for row in Findings(store).last(EVER)]


def _content(row: FindingRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FindingRow.__slots__ if name not in ("at", "version")}


def only_history(store: StoreClient) -> None:
    """All that is not of the topic `history` is gone."""
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    store.command("ALTER TABLE ledger DELETE WHERE topic_id != 'history' SETTINGS mutations_sync = 2")


def in_memory(store: StoreClient) -> None:
    """From now on the ledger is a table in memory without views behind it: an insert takes a fraction of the time."""
    rows = store.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'"
    )
    for (name,) in rows:
        store.command(f"DROP VIEW {name}")
    store.command("CREATE TABLE ledger_in_memory AS ledger ENGINE = Memory")
    store.command("INSERT INTO ledger_in_memory SELECT * FROM ledger")
    store.command("DROP TABLE ledger")
    store.command("RENAME TABLE ledger_in_memory TO ledger")

"""A ledger for the budgets job, written as its booking jobs write it, and what its sums should be by plain addition."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from spendstream_schemas.scope import LABEL
from stream_jobs.budget_terms.document import BudgetsDocument
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.delta import Delta
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import LEDGER_DEFAULTS, TABLES, insert
from stream_jobs.streams.model import Block, SourcePartition, Versions
from tests.store_server import ledger_rows

TEAMS = ("search", "ads", "")
USERS = ("u1", "u2", "u3", "")
METERS = ("input_tokens", "output_tokens", "cache_read_tokens", "gpu_seconds")
MODELS = ("gpt-4o", "claude-sonnet-4", "")


def budgets(*items: dict[str, Any], **document: Any) -> Budgets:
    return Budgets(BudgetsDocument.model_validate({"budgets": items, **document}))


@dataclass
class World:
    """Blocks of two partitions, and corrections beside them."""

    store: StoreClient
    topic: str
    now: datetime
    rows: list[dict[str, Any]] = field(default_factory=list)  # by columns; a label as `labels.NAME`
    labels: tuple[str, ...] = ()  # that deltas tell of
    _offsets: int = 0
    _instant: datetime | None = None

    def _next_instant(self) -> datetime:
        self._instant = max(self.now, (self._instant or self.now) + timedelta(microseconds=1))
        return self._instant

    def block(self, partition: int, entries: list[dict[str, Any]]) -> Delta:
        """Book a block; its delta, which the caller may send, repeat or lose."""
        at = self._next_instant()
        table = self._table(entries, at, partition)
        insert(self.store.client, "ledger", table.select(table.column_names[:-1]), f"{self.topic}/{at.isoformat()}")
        source = SourcePartition("usage.events.v1", self.topic, partition)
        block = Block(source, self._offsets, self._offsets + 1, at, Versions(), 1)
        self._offsets += 2
        return delta_of(block, table, self.labels)

    def correct(self, run: str, entries: list[dict[str, Any]]) -> None:
        """Post adjustments as a correction run does, and note that it posted them."""
        at = self._next_instant()
        table = self._table(entries, at, 0, run=run)
        insert(self.store.client, "ledger", table, f"{self.topic}/{run}")
        chunk = {
            "run": [run],
            "chunk": [0],
            "state": ["posted"],
            "at": [at],
            "attempt": [""],
            "events": [1],
            "adjusted": [1],
            "entry_count": [len(entries)],
            "details": [""],
            "entries": [b""],
        }
        schema = TABLES["adjustment_chunks"]
        rows = pa.table([pa.array(chunk[item.name], item.type) for item in schema], schema=schema)
        insert(self.store.client, "adjustment_chunks", rows, f"{self.topic}/{run}")

    def _table(self, entries: list[dict[str, Any]], at: datetime, partition: int, run: str = "") -> pa.Table:
        self.rows += entries
        names = ("occurred_at", "team", "user_id", "model", "effective_cost", "entry_kind", "unpriced_reason")
        columns: dict[str, Any] = {name: [entry.get(name, "") for entry in entries] for name in names}
        columns |= {
            "source": [row.get("source", "test") for row in entries],
            "region": [row.get("region", "") for row in entries],
        }
        columns["labels"] = [
            [(name.removeprefix(LABEL), text) for name, text in row.items() if name.startswith(LABEL)]
            for row in entries
        ]
        columns |= {name: [entry.get(name) for entry in entries] for name in METERS if any(name in e for e in entries)}
        costs = columns["effective_cost"]
        table = ledger_rows(
            len(entries),
            **columns,
            list_cost=costs,
            contracted_cost=costs,
            booked_at=at,
            topic_id=self.topic,
            partition=partition,
        )
        for name in LEDGER_DEFAULTS:
            field = TABLES["ledger"].field(name)
            values = [
                {
                    "reported_tags": [],
                    "stated_cost": None,
                    "held_flat": flat(entry),
                    "adjustment_run": run,
                    **entry,
                }.get(name)
                for entry in entries
            ]
            table = table.append_column(field, pa.array(values, field.type))
        return table

    def total(self, start: datetime, end: datetime, **facts: str) -> tuple[Decimal, int, Decimal]:
        """Of a period: spend, unpriced events, what is held for these at a flat bound of USD 1; by plain addition of
        all that was booked."""
        found = [
            row
            for row in self.rows
            if start <= row["occurred_at"] < end and all(row.get(name, "") == value for name, value in facts.items())
        ]
        spent = sum((row["effective_cost"] or Decimal(0) for row in found), Decimal(0))
        held = sum((row.get("held_cost") or Decimal(0) for row in found), Decimal(0))
        return spent, sum(row["unpriced"] for row in found), max(held, Decimal(0)) + max(0, sum(map(flat, found)))


def flat(row: dict[str, Any]) -> int:
    """How many events of unknown models: those without a price that nothing is held for by itself."""
    return 0 if row.get("held_cost") else int(row["unpriced"])


def entry(rng: random.Random, at: datetime, **given: Any) -> dict[str, Any]:
    """A charge, priced or not."""
    cost = None if rng.random() < 0.1 else Decimal(rng.randrange(1, 10**14)).scaleb(-12)
    row = {
        "occurred_at": at,
        "team": rng.choice(TEAMS),
        "user_id": rng.choice(USERS),
        "model": rng.choice(MODELS),
        "entry_kind": "charge",
        "effective_cost": cost,
        "unpriced_reason": "" if cost is not None else "unknown_model",
        "events": 1,
        "unpriced": 0 if cost is not None else 1,
        **given,
    }
    known = row["unpriced"] and rng.random() < 0.7
    return row | {"held_cost": Decimal(rng.randrange(1, 10**12)).scaleb(-12) if known else None}


def taken_back(row: dict[str, Any]) -> dict[str, Any]:
    """Its retraction."""
    cost = row["effective_cost"]
    return row | {
        "entry_kind": "retraction",
        "effective_cost": None if cost is None else -cost,
        "events": -row["events"],
        "unpriced": -row["unpriced"],
        "held_cost": -row["held_cost"] if row.get("held_cost") else None,
        **{name: -row[name] for name in METERS if row.get(name) is not None},
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

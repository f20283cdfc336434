"""Posting a batch so that it is in the ledger and in every rollup once, however often the process dies.

The order of writes: the batch itself into reconciliation_batches ▸ its rows into the ledger, with the batch's token ▸
the report ▸ the batch again, as posted. A crash after the first is made good by the next run, with the same bytes and
the same token; ClickHouse drops what it has, in the ledger and in the views behind it.
"""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import pyarrow as pa

from stream_jobs.base.errors import CrashError
from stream_jobs.base.instants import as_utc
from stream_jobs.reconciliation.findings import ENTRY_COLUMNS, Batch
from stream_jobs.reconciliation.turns import Turn
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, arrow_table, insert

log = logging.getLogger(__name__)

SAFE_INSERTS: Final = 40_000
"""ClickHouse remembers the tokens of a table's last 50,000 inserts. When more than this were made since a batch was
planned, its token may be forgotten, and it is looked for in the ledger before it is repeated."""
_EMPTY: Final[Mapping[str, Any]] = {"revision": 0, "partition": 0, "avoided_cost": 0, "events": 0, "unpriced": 0}


@dataclass(frozen=True, slots=True)
class _Planned:
    batch: Batch
    turn: int
    at: datetime


def plan(store: StoreClient, turn: Turn, batch: Batch, at: datetime) -> None:
    """Write down what is about to be posted."""
    row = {
        "batch": batch.token,
        "turn": turn.number,
        "state": "planned",
        "at": at,
        "entries": batch.ledger.num_rows,
        "ledger_rows": _packed(batch.ledger),
        "finding_rows": _packed(batch.findings),
    }
    insert(
        store.client, "reconciliation_batches", arrow_table("reconciliation_batches", [row]), f"{batch.token} planned"
    )


def post(store: StoreClient, turn: int, batch: Batch, at: datetime) -> None:
    """Insert what was planned. May be repeated."""
    insert(store.client, "ledger", batch.ledger, batch.token)
    # A crash here, or within the insert above: the batch is planned and not posted, so the next run repeats it.
    insert(store.client, "reconciliation_findings", batch.findings, batch.token)
    _mark_posted(store, turn, batch, at)


def _mark_posted(store: StoreClient, turn: int, batch: Batch, at: datetime) -> None:
    row = {
        "batch": batch.token,
        "turn": turn,
        "state": "posted",
        "at": at,
        "entries": batch.ledger.num_rows,
        "ledger_rows": b"",
        "finding_rows": b"",
    }
    insert(
        store.client, "reconciliation_batches", arrow_table("reconciliation_batches", [row]), f"{batch.token} posted"
    )


def finish_interrupted(store: StoreClient) -> int:
    """Post what an earlier run had planned and not finished. Returns the number of batches."""
    rows = store.rows(
        "SELECT batch, turn, at, base64Encode(ledger_rows), base64Encode(finding_rows) FROM reconciliation_batches "
        "WHERE state = 'planned' AND batch NOT IN "
        "(SELECT batch FROM reconciliation_batches WHERE state = 'posted') ORDER BY at, batch",
    )
    for token, turn, at, ledger, findings in cast(list[tuple[Any, ...]], rows):
        batch = Batch(token, _unpacked(ledger, ENTRY_COLUMNS), _unpacked(findings, TABLES["reconciliation_findings"]))
        _repeat(store, _Planned(batch, int(turn), as_utc(at)))
    return len(rows)


def _repeat(store: StoreClient, planned: _Planned) -> None:
    if _inserts_since(store, planned.at) > SAFE_INSERTS and (held := _held(store, planned)):
        if held != planned.batch.ledger.num_rows:
            raise CrashError(f"{planned.batch.token}: {held} of its {planned.batch.ledger.num_rows} entries are booked")
        log.error(
            "the rollups may lack what reconciliation %d posted at %s: it died during the insert, and too much was "
            "booked since to repeat it; compare them with 'spendstream conservation'",
            *(planned.turn, planned.at),
        )
        _mark_posted(store, planned.turn, planned.batch, planned.at)
        return
    log.info("finishing what reconciliation %d had begun", planned.turn)
    post(store, planned.turn, planned.batch, planned.at)


def _inserts_since(store: StoreClient, at: datetime) -> int:
    """Inserts into the ledger, near enough: every block is one, and nothing else makes thousands."""
    rows = store.rows("SELECT count() FROM blocks WHERE fixed_at >= {at:DateTime64(6, 'UTC')}", {"at": at})
    return int(str(rows[0][0]))


def _held(store: StoreClient, planned: _Planned) -> int:
    """How many of a batch's entries are in the ledger: the instant and the run are its own."""
    run = planned.batch.ledger.column("adjustment_run")[0].as_py()
    rows = store.rows(
        "SELECT count() FROM ledger WHERE booked_at = {at:DateTime64(6, 'UTC')} AND adjustment_run = {run:String}",
        {"at": planned.batch.ledger.column("booked_at")[0].as_py(), "run": run},
    )
    return int(str(rows[0][0]))


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _unpacked(encoded: str, schema: pa.Schema) -> pa.Table:
    """The rows in today's columns: a version that was installed in the meantime may have more of them."""
    with pa.ipc.open_stream(base64.b64decode(encoded)) as reader:
        table = reader.read_all()
    return pa.table(
        [
            table.column(field.name) if field.name in table.column_names else _absent(field, table.num_rows)
            for field in schema
        ],
        schema=schema,
    )


def _absent(field: pa.Field, rows: int) -> pa.Array:
    if pa.types.is_string(field.type):
        return pa.array([""] * rows, field.type)
    if pa.types.is_list(field.type) or pa.types.is_map(field.type):
        return pa.array([[]] * rows, field.type)
    return pa.array([_EMPTY.get(field.name)] * rows, field.type)

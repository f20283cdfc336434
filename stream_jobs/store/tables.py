"""What the application inserts: one Arrow schema per table, and the one way to insert.

The SQL migrations are the truth about the tables; a test compares them with these declarations. A column that is left
out here is filled by the table's DEFAULT.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from spendstream_schemas import ATTRIBUTION_FIELDS, DECIMAL_METERS, METERS, ToolCalls
from stream_jobs.base.errors import CrashError
from stream_jobs.store.arrow_body import COMPRESSIONS, pieces_of
from stream_jobs.store.client import StoreQueryError, store_errors
from stream_jobs.store.deadline import CONSTRAINT_NAME, VIOLATED_CONSTRAINT, LateInsertError
from stream_jobs.store.fitting import as_table

TEXT: Final = pa.string()
BYTES: Final = pa.binary()
COUNT: Final = pa.int64()
INSTANT: Final = pa.timestamp("us", tz="UTC")
MONEY: Final = pa.decimal128(38, 12)
UNIT_PRICE: Final = pa.decimal128(38, 18)
PERCENT: Final = pa.decimal128(9, 3)
TAGS: Final = pa.map_(TEXT, TEXT)
TOOL_COLUMNS: Final = tuple(f"tool_{kind}" for kind in ToolCalls.model_fields)
"""`tool_web_search`, ...: one per kind of ToolCalls."""
COMPARISONS: Final = ("on_demand_cost", "idle_cost", "cache_saving", "cache_premium")
"""What an event's cost is compared with; see sql/migrations."""

_KAFKA: Final = {"topic_id": TEXT, "partition": pa.uint32(), "offset": pa.uint64()}
_RANGE: Final = {
    "topic": TEXT,
    "topic_id": TEXT,
    "partition": pa.uint32(),
    "first_offset": pa.uint64(),
    "last_offset": pa.uint64(),
    "worker": TEXT,
}
_VERSION: Final = {"version": TEXT, "loaded_at": INSTANT, "description": TEXT, "content": TEXT}


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, TEXT)


_FORECAST: Final = {
    "run": INSTANT,
    **_texts("grain", "budget_id"),
    **dict.fromkeys(("dims", "vals"), pa.list_(TEXT)),
    "measure": TEXT,
}
_DRIVERS: Final = ("requests", "tokens_per_request", "known_prices", "price")
_LEDGER: Final = {
    "event_id": TEXT,
    "revision": pa.uint32(),
    "entry_kind": TEXT,  # charge, adjustment or retraction
    "occurred_at": INSTANT,
    "booked_at": INSTANT,
    **_texts("source", "kind", "provider", "model", "response_model", "price_model", "operation", "service_tier"),
    "region": TEXT,
    "conditions": TAGS,
    "category": TEXT,
    **_texts(*ATTRIBUTION_FIELDS),
    "labels": TAGS,
    "unallocated": pa.list_(TEXT),
    **{meter: MONEY if meter in DECIMAL_METERS else COUNT for meter in METERS},
    **dict.fromkeys(TOOL_COLUMNS, COUNT),
    "accelerator": TEXT,
    "accelerator_count": pa.uint32(),
    **_texts("instance_type", "purchase_option", "sku", "unit"),
    "list_cost": MONEY,
    "contracted_cost": MONEY,
    "effective_cost": MONEY,
    "avoided_cost": MONEY,
    **_texts("unpriced_reason", "unpriced_detail", "price_book_version", "attribution_version"),
    "line_sku": pa.list_(TEXT),
    "line_meter": pa.list_(TEXT),
    "line_quantity": pa.list_(MONEY),
    "line_list_unit_price": pa.list_(UNIT_PRICE),
    "line_unit_price": pa.list_(UNIT_PRICE),
    "line_list_cost": pa.list_(MONEY),
    "line_cost": pa.list_(MONEY),
    "line_effective_cost": pa.list_(MONEY),
    **_texts("response_id", "trace_id", "status"),
    "latency_ms": pa.float64(),
    "cached_response": pa.bool_(),
    "complexity": pa.float64(),
    "batchable": pa.bool_(),
    **_texts("retry_of", "prompt_fingerprint"),
    "unknown_fields": pa.list_(TEXT),
    **_KAFKA,
    "reason_text": TEXT,
    "events": pa.int8(),
    "unpriced": pa.int8(),  # -1: an adjustment that prices an event that had no price
    "reported_tags": TAGS,  # the tags that the rules changed, as the sender gave them
    "stated_cost": MONEY,  # what the provider says of itself; signed, 0 in a correction of the cost alone
    "held_cost": MONEY,  # of an event without a price, signed; no cost
    "held_flat": pa.int8(),  # events without a price that no bound is known of; -1: an adjustment that brings one
    "session_id": TEXT,
    "duration_s": MONEY,  # of compute, from occurred_at on; of the event, so the same in all of its entries
    "subcategory": TEXT,  # the second level of the cost stack
    **dict.fromkeys(COMPARISONS, MONEY),  # signed; NULL: nothing of the kind
    "adjustment_run": TEXT,  # RUN/CHUNK that posts an adjustment; a retraction does not copy it
}
LEDGER_DEFAULTS: Final = (
    *("events", "unpriced", "reported_tags", "stated_cost", "held_cost", "held_flat", "session_id", "duration_s"),
    *("subcategory", *COMPARISONS, "adjustment_run"),
)
"""The last columns of the ledger, each with a DEFAULT: rows may end before any of them."""

TABLES: Final[Mapping[str, pa.Schema]] = {
    name: pa.schema(list(columns.items()))
    for name, columns in {
        "ledger": _LEDGER,
        "quarantine": {
            "quarantined_at": INSTANT,
            "topic": TEXT,
            **_KAFKA,
            "record_timestamp": pa.timestamp("ms", tz="UTC"),
            "key": BYTES,
            "raw": BYTES,
            "raw_size": pa.uint64(),
            **_texts("raw_sha256", "reason", "path", "detail", "source", "event_id"),
            "signature": BYTES,
        },
        "quarantine_replays": {
            "replayed_at": INSTANT,
            **_KAFKA,
            "new_topic": TEXT,
            "new_partition": pa.int32(),
            "new_offset": COUNT,
            **_texts("operator", "note"),
        },
        "duplicates": {
            "seen_at": INSTANT,
            "event_id": TEXT,
            "revision": pa.uint32(),
            "source": TEXT,
            "topic": TEXT,
            **_KAFKA,
            "first_booked_at": INSTANT,
        },
        "blocks": {
            **_RANGE,
            "fixed_at": INSTANT,
            **_texts("price_book_version", "attribution_version"),
            "generation": pa.int32(),
            **_texts("sender_rules", "refusals"),
        },
        "block_receipts": {
            **_RANGE,
            **dict.fromkeys(
                ("received", "booked", "duplicates", "quarantined", "unpriced", "unknown_fields"), pa.uint64()
            ),
            "completed_at": INSTANT,
        },
        "adjustment_runs": {
            "turn": pa.uint64(),
            **_texts("run", "state"),
            "at": INSTANT,
            **_texts("kind", "operator", "note"),
            "since": INSTANT,
            "until": INSTANT,
            "filters": TAGS,
            **_texts("price_book_version", "attribution_version", "chunks"),
            **dict.fromkeys(("events", "adjusted", "entries"), pa.uint64()),
            **dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"), MONEY),
            "details": TEXT,
        },
        "adjustment_chunks": {
            "run": TEXT,
            "chunk": pa.uint32(),
            "state": TEXT,
            "at": INSTANT,
            "attempt": TEXT,
            **dict.fromkeys(("events", "adjusted", "entry_count"), pa.uint64()),
            "details": TEXT,
            "entries": BYTES,
        },
        "reconciliation_runs": {
            "turn": pa.uint64(),
            "state": TEXT,
            "at": INSTANT,
            **_texts("owner", "worker", "trigger"),
            "since": INSTANT,
            **dict.fromkeys(("examined", "findings", "entries"), pa.uint64()),
            **dict.fromkeys(("list_cost", "effective_cost"), MONEY),
            "detail": TEXT,
        },
        "reconciliation_batches": {
            "batch": TEXT,
            "turn": pa.uint64(),
            "state": TEXT,
            "at": INSTANT,
            "entries": pa.uint64(),
            **dict.fromkeys(("ledger_rows", "finding_rows"), BYTES),
        },
        "reconciliation_findings": {
            "event_id": TEXT,
            "found_at": INSTANT,
            "turn": pa.uint64(),
            "cause": TEXT,
            "revision": pa.uint32(),
            **_texts("source", "provider", "response_id", "kept_event_id", "kept_source"),
            "kept_booked_at": INSTANT,
            **_KAFKA,
            "copies": COUNT,
            "copies_booked_at": INSTANT,
            "events": COUNT,
            "entries": pa.uint64(),
            **dict.fromkeys(("list_cost", "contracted_cost", "effective_cost"), MONEY),
        },
        "long_calls": {
            "at": INSTANT,
            "price_model": TEXT,
            "events": pa.uint64(),
            "cost": MONEY,
            **dict.fromkeys(("input_tokens", "output_tokens"), COUNT),
        },
        "price_book_versions": _VERSION,
        "attribution_versions": _VERSION,
        "prices": {
            **_texts("version", "provider", "model", "meter", "sku", "tier"),
            "conditions": TAGS,
            **dict.fromkeys(("context_from", "context_to"), pa.uint64()),
            **dict.fromkeys(("week_from", "week_to"), pa.uint32()),
            **dict.fromkeys(("valid_from", "valid_to"), INSTANT),
            "scope": TAGS,
            "cost": TEXT,
            **dict.fromkeys(("usd_per_unit", "usd"), UNIT_PRICE),
            "per": pa.uint32(),
            **_texts("layer", "source"),
        },
        "budget_definitions": {
            "budget_id": TEXT,
            "at": INSTANT,
            **_texts("change_id", "origin"),
            "removed": pa.bool_(),
            **_texts("changed_by", "note", "definition"),
        },
        "budget_credits": {
            "budget_id": TEXT,
            "at": INSTANT,
            **_texts("change_id", "period_key"),
            "period_start": INSTANT,
            "vals": pa.list_(TEXT),
            "amount": MONEY,
            **_texts("changed_by", "note"),
        },
        "budget_crossings": {
            "budget_id": TEXT,
            "vals": pa.list_(TEXT),
            "period_key": TEXT,
            "period_start": INSTANT,
            "period_end": INSTANT,
            "kind": TEXT,
            "threshold": PERCENT,
            "threshold_amount": MONEY,
            "direction": TEXT,
            "at": INSTANT,
            **_texts("unit", "currency"),
            **dict.fromkeys(("rate", "amount", "spent", "held"), MONEY),
            "unpriced_events": COUNT,
            "forecast": MONEY,
            "late": pa.bool_(),
        },
        "budget_periods": {
            "budget_id": TEXT,
            "period_start": INSTANT,
            "vals": pa.list_(TEXT),
            "period_key": TEXT,
            "period_end": INSTANT,
            "updated_at": INSTANT,
            **_texts("name", "owner", "parent"),
            "per": pa.list_(TEXT),
            **_texts("unit", "currency"),
            **dict.fromkeys(("rate", "amount", "credited", "spent", "held"), MONEY),
            "unpriced_events": COUNT,
            "burn_per_hour": MONEY,
            "forecast": MONEY,
            "exhausted_at": INSTANT,
            "thresholds": pa.list_(PERCENT),
            "threshold_amounts": pa.list_(MONEY),
        },
        "alert_events": {
            "alert_id": TEXT,
            "position": pa.uint64(),
            "episode": pa.uint32(),
            "change": TEXT,
            "at": INSTANT,
            **_texts("status", "kind", "name", "severity"),
            "level": pa.uint32(),
            **_texts("alert_group", "summary", "owner"),
            "labels": TAGS,
            "money_usd": MONEY,
            **dict.fromkeys(("starts_at", "observed_at"), INSTANT),
            **_texts("by", "note", "request_id", "silence_id"),
            "receivers": pa.list_(TEXT),
            "document": TEXT,
        },
        "alert_deliveries": {
            **_texts("receiver", "group_id"),
            "revision": pa.uint32(),
            "at": INSTANT,
            **_texts("key", "state", "action"),
            "attempt": pa.uint32(),
            **_texts("answer", "alert_group", "severity", "change"),
            **dict.fromkeys(("open_alerts", "resolved_alerts"), pa.uint64()),
            "money_usd": MONEY,
            **dict.fromkeys(("first_told", "position"), pa.uint64()),
            **{
                f"{what}{column}": pa.list_(kind)
                for what in ("told", "over")
                for column, kind in (("", TEXT), ("_episode", pa.uint32()))
            },
            "notification": TEXT,
        },
        "anomaly_marks": {**_texts("finding_id", "mark", "note", "by"), "at": INSTANT},
        "forecast_overrides": {
            **_texts("override_id", "action"),
            "at": INSTANT,
            **_texts("by", "note", "budget_id"),
            **dict.fromkeys(("dims", "vals"), pa.list_(TEXT)),
            "measure": TEXT,
            **dict.fromkeys(("starts_at", "ends_at"), INSTANT),
            **dict.fromkeys(("amount", "model_p10", "model_p50", "model_p90"), MONEY),
        },
        "forecast_override_scores": {
            "override_id": TEXT,
            "scored_at": INSTANT,
            **dict.fromkeys(("part", "came", "override", "model"), MONEY),
        },
        "alert_silences": {
            "silence_id": TEXT,
            **dict.fromkeys(("at", "starts_at", "ends_at"), INSTANT),
            "scope": TEXT,
            "kinds": pa.list_(TEXT),
            **_texts("alert_id", "by", "note", "document"),
        },
        "anomaly_findings": {
            "finding_id": TEXT,
            "version": pa.uint32(),
            "at": INSTANT,
            **_texts("state", "kind", "direction", "scale", "measure"),
            **dict.fromkeys(("dims", "vals"), pa.list_(TEXT)),
            **dict.fromkeys(("starts_at", "detected_at", "ends_at"), INSTANT),
            **dict.fromkeys(("expected", "actual", "low", "high", "per_day"), MONEY),
            "score": pa.float32(),
            **_texts("severity", "closing", "group_id", "silenced_by", "cause", "document"),
        },
        "anomaly_scores": {
            **dict.fromkeys(("dims", "vals"), pa.list_(TEXT)),
            "at": pa.timestamp("s", tz="UTC"),
            **dict.fromkeys(("events", "actual", "expected", "low", "high"), pa.float64()),
            "score": pa.float32(),
        },
        "anomaly_states": {
            "kind": TEXT,
            "minute": pa.uint32(),
            **dict.fromkeys(("written_at", "run"), INSTANT),
            **dict.fromkeys(("format", "part", "parts"), pa.uint16()),
            "vector": TEXT,
            "known": pa.bool_(),
            "state": BYTES,
        },
        "forecast_runs": {
            "run": INSTANT,
            **_texts("grain", "status"),
            **dict.fromkeys(("at", "known_until", "due_at"), INSTANT),
            **dict.fromkeys(("series", "refused", "budgets", "duration_ms"), pa.uint32()),
            **_texts("version", "error", "by"),
        },
        "forecasts": {
            **_FORECAST,
            "at": pa.timestamp("s", tz="UTC"),
            **dict.fromkeys(("p10", "p50", "p90", "sum_p10", "sum_p50", "sum_p90"), MONEY),
        },
        "forecast_series": {
            **_FORECAST,
            "zone": TEXT,
            "until": pa.timestamp("s", tz="UTC"),
            "known": pa.uint32(),
            **_texts("label", "why", "method"),
            "members": pa.list_(TEXT),
            "scale": pa.float64(),
            "scored": pa.uint32(),
            **dict.fromkeys(("error", "coverage"), pa.float64()),
        },
        "forecast_drivers": {
            "run": INSTANT,
            **dict.fromkeys(("dims", "vals"), pa.list_(TEXT)),
            "days": pa.uint16(),
            "per": TEXT,  # token, request or nothing
            **dict.fromkeys(("cost_lately", "cost_ahead"), MONEY),
            **dict.fromkeys(("requests_lately", "requests_ahead", "tokens_lately", "tokens_ahead"), pa.float64()),
            "ratio": pa.float64(),
            **{f"{part}_factor": pa.float64() for part in _DRIVERS},
            **{f"{part}_usd": MONEY for part in _DRIVERS},
            "why": TEXT,
        },
        "forecast_scores": {
            **{name: kind for name, kind in _FORECAST.items() if name != "run"},
            "ahead": pa.uint16(),
            "at": pa.timestamp("s", tz="UTC"),
            **dict.fromkeys(("n", "inside", "below", "above", "scaled"), pa.uint32()),
            "error": pa.float64(),
            "scored_at": INSTANT,
        },
        "budget_forecasts": {
            "run": INSTANT,
            **_texts("grain", "budget_id"),
            "vals": pa.list_(TEXT),
            "period_key": TEXT,
            **dict.fromkeys(("period_start", "period_end"), INSTANT),
            **_texts("unit", "currency"),
            **dict.fromkeys(("rate", "amount", "spent", "p10", "p50", "p90"), MONEY),
            "thresholds": pa.list_(PERCENT),
            "probabilities": pa.list_(pa.float64()),
            "raised_since": pa.list_(INSTANT),
            "states": pa.list_(TEXT),
            "evaluated_at": INSTANT,
            **dict.fromkeys(("breach_p10", "breach_p50", "breach_p90"), INSTANT),
            **_texts("label", "why"),
        },
        "outcomes": {
            "event_id": TEXT,
            "occurred_at": INSTANT,
            "booked_at": INSTANT,
            **_texts("source", "outcome"),
            "quantity": MONEY,
            "value_usd": MONEY,
            **_texts("project", "environment", "team", "feature", "customer", "user_id", "trace_id"),
            "labels": TAGS,
            "revision": pa.uint32(),
            "entry_kind": TEXT,  # charge or retraction
            "events": pa.int8(),
            "reason_text": TEXT,
            **_KAFKA,
        },
    }.items()
}
"""The Arrow schema of every table that the application inserts into. Columns that may be NULL are the Nullable ones."""

INSERT_BEFORE: Final = pa.schema([("insert_before", INSTANT)])
"""After everything else: the server refuses the rows when this instant has passed. `insert` adds it."""
DEADLINE_TABLES: Final = frozenset(
    {
        *("ledger", "quarantine", "duplicates", "outcomes", "block_receipts"),
        *("forecast_runs", "forecasts", "forecast_series", "forecast_drivers"),
        *("forecast_scores", "budget_forecasts"),
        "forecast_override_scores",
    }
)
"""What a block writes after its commit (the row in `blocks` is written before it, and promises nothing), and what a run
of forecasts does."""


def arrow_table(name: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows with all declared columns of a table, in its order. A missing column is a KeyError."""
    return as_table(TABLES[name], rows)


SMALL_ROWS: Final = 5_000
"""Up to so many rows the views behind a table work at once: an insert of a few rows takes 44 ms, not 63, on two cores.
Larger ones come when much waits, and then all cores have work. And so few rows are no work for several threads, which
only cost: with one an insert of 50 rows takes a tenth to a sixth less CPU, and no longer."""


def insert(client: Client, table: str, rows: pa.Table, token: str, not_after: datetime | None = None) -> None:
    """Insert all rows or none; a repetition with the same token changes nothing, in the table and the views behind it.

    `rows` has the columns of TABLES[table] in that order (texts may be dictionary-encoded, in lists, too; the ledger's
    LEDGER_DEFAULTS may be missing from the end) and, for the partitioned tables, one booking time. The token must not
    be empty. Raises StoreUnavailableError when it is unknown whether the rows arrived: repeat with the same token.

    `not_after` (for tables of DEADLINE_TABLES): an instant by the server's clock, from ServerClock.deadline. Raises
    LateInsertError when it has passed there.
    """
    _check(table, rows, token)
    if rows.num_rows == 0:
        return
    if not_after is not None:
        rows = _with_deadline(table, rows, not_after)
    settings = {
        "insert_deduplication_token": token,
        "insert_deduplicate": 1,
        "deduplicate_blocks_in_dependent_materialized_views": 1,
        "async_insert": 0,  # the answer means: it is in the table
        "optimize_on_insert": 0,  # the rollups' rows are summed by their views already: a quarter less work
        "input_format_defaults_for_omitted_fields": 0,  # columns are there or not; looking for fields took 4 ms
        **({"parallel_view_processing": 1, "max_threads": 1} if rows.num_rows <= SMALL_ROWS else {}),
        # One insert makes one part per table, whatever its size: that is what makes it all or nothing.
        "max_insert_block_size": 10_000_000,
        "min_insert_block_size_rows": 10_000_000,
        "min_insert_block_size_bytes": 2 * 1024**3,
    }
    try:
        with store_errors(str(client.uri)):
            _send(client, table, _given(rows).combine_chunks(), settings)
    except StoreQueryError as error:
        if error.code == VIOLATED_CONSTRAINT and CONSTRAINT_NAME in str(error):
            raise LateInsertError(
                f"{table}: the store refused an insert that came after its deadline, {not_after}; nothing of it was "
                "written. The worker, or its machine, stood still; the block is redone by whoever owns its partition"
            ) from error
        raise


def _send(client: Client, table: str, rows: pa.Table, settings: dict[str, Any]) -> None:
    """As the client's own `insert_arrow`, without a copy of all of it."""
    body, size = pieces_of(rows, client.write_compression if client.write_compression in COMPRESSIONS else None)
    length = {"Content-Length": str(size)}
    client.raw_insert(table, rows.column_names, cast(Any, body), settings, "Arrow", transport_settings=length)


def _with_deadline(table: str, rows: pa.Table, not_after: datetime) -> pa.Table:
    if table not in DEADLINE_TABLES:
        raise CrashError(f"the server does not check deadlines of inserts into {table}")
    (field,) = INSERT_BEFORE
    return rows.append_column(field, pa.repeat(pa.scalar(not_after, field.type), rows.num_rows))


def _given(rows: pa.Table) -> pa.Table:
    """The columns that say anything: where one is missing the server puts NULL. Most of the ledger's meters are empty
    in most blocks, a third of the bytes."""
    return rows.select([name for name in rows.column_names if rows[name].null_count < rows.num_rows])


def _check(table: str, rows: pa.Table, token: str) -> None:
    """A mistake in here is ours, and booking on would lose a column: stop."""
    if not token:
        raise CrashError(f"an insert into {table} without a deduplication token could be counted twice")
    declared = TABLES.get(table)
    if declared is None:
        raise CrashError(f"{table} is not declared in stream_jobs/store/tables.py")
    given = pa.schema([(field.name, _plain(field.type)) for field in rows.schema])
    required = len(declared) - (len(LEDGER_DEFAULTS) if table == "ledger" else 0)
    expected = pa.schema(list(declared)[: max(required, len(given))])
    if given != expected:
        wrong = sorted({str(field) for field in given} ^ {str(field) for field in expected})
        raise CrashError(f"the rows for {table} do not have its columns; these differ: {', '.join(wrong) or 'order'}")


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind.value_type if pa.types.is_dictionary(kind) else kind

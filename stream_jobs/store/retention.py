"""How long rows are kept. A setting, not a migration: it differs between deployments and changes without a release."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from clickhouse_connect.driver.client import Client
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import variables
from stream_jobs.base.instants import EPOCH
from stream_jobs.store.client import StoreClient, store_errors

MAX_DAYS: Final = 20_000
"""ClickHouse counts the seconds of a TTL up to 2106 and begins at 1970 again: what should be kept for longer would be
deleted at once."""
BOOKED_AHEAD: Final = timedelta(days=1)
"""An event is booked at most so long before it happens, whatever is tolerated."""


class RetentionSettings(BaseSettings):
    """Days; read from SPENDSTREAM_RETENTION_*."""

    model_config = variables("SPENDSTREAM_RETENTION_")

    ledger_days: Annotated[
        int,
        Field(
            ge=35,
            le=MAX_DAYS,
            description="How long ledger entries are kept after booking: a year to compare with, and more.",
        ),
    ] = 400
    id_days: Annotated[
        int,
        Field(
            ge=35,
            le=MAX_DAYS,
            description="How long the ids of booked events are kept, by which copies are recognised: as long as the "
            "ledger, plus the longest time after which a copy may still come, such as a replay from the quarantine.",
        ),
    ] = 500
    rollup_days: Annotated[
        int,
        Field(
            ge=35, le=MAX_DAYS, description="How long the rollups per minute, hour and day are kept after the events."
        ),
    ] = 5 * 366
    quarantine_days: Annotated[
        int, Field(ge=7, le=MAX_DAYS, description="How long refused records are kept with their bytes.")
    ] = 90
    alert_days: Annotated[
        int,
        Field(
            ge=35, le=MAX_DAYS, description="How long the history of alerts is kept, and what was told of them to whom."
        ),
    ] = 400
    score_days: Annotated[
        int,
        Field(ge=1, le=MAX_DAYS, description="How long it is kept how unusual each series was, and what was expected."),
    ] = 35
    forecast_days: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_DAYS,
            description="How long it is kept what was forecast of a time, after that time. What budgets were forecast "
            "to come to is kept as long as alerts are.",
        ),
    ] = 35
    forecast_score_days: Annotated[
        int,
        Field(ge=28, le=MAX_DAYS, description="How long it is kept how good the forecasts of a time were."),
    ] = 120

    @field_validator("id_days")
    @classmethod
    def _ids_outlive_the_ledger(cls, days: int, info: ValidationInfo) -> int:
        # Else a copy of an event that is still in the ledger would be booked again.
        if days < (ledger_days := info.data.get("ledger_days", 0)):
            raise ValueError(f"must not be less than ledger_days ({ledger_days})")
        return days


LEDGER_TABLES: Final = {
    "ledger": "booked_at",  # by the time of booking: partitions are months of it, so whole parts fall away
    "outcomes": "booked_at",
    "duplicates": "seen_at",
    "blocks": "fixed_at",
    "block_receipts": "completed_at",
    "long_calls": "at",
}
IDS: Final = {"booked_ids": "booked_at", "response_ids": "booked_at", "outcome_ids": "booked_at"}
ROLLUPS: Final = {"cost_1m": "minute", "cost_1h": "hour", "cost_1d": "day", "operations_1d": "day"}
QUARANTINE: Final = {"quarantine": "quarantined_at", "quarantine_replays": "replayed_at"}
BUDGETS: Final = {
    "budget_crossings": "period_end",
    "budget_periods": "period_end",
}  # as long as the rollups, whose sums they are
ALERTS: Final = {
    "alert_events": "at",
    "alert_deliveries": "at",
    "alert_silences": "at",
    "anomaly_findings": "detected_at",
    "forecast_runs": "run",
    "budget_forecasts": "run",
    "forecast_drivers": "run",
}
SCORES: Final = {"anomaly_scores": "at"}
FORECASTS: Final = {"forecasts": "at", "forecast_series": "until"}
FORECAST_SCORES: Final = {"forecast_scores": "at"}
STATES: Final = {"anomaly_states": "written_at"}
STATE_DAYS: Final = 7
"""A restart reads the last one. The others are for whoever looks into what went wrong."""

KEPT_FOR_EVER: Final = frozenset(
    {
        "schema_migrations",
        "price_book_versions",
        "prices",
        "attribution_versions",
        "adjustment_runs",
        "adjustment_chunks",
        "reconciliation_batches",
        "reconciliation_findings",
        "reconciliation_runs",
        "budget_definitions",
        "budget_credits",
        "anomaly_marks",
        "forecast_overrides",
        "forecast_override_scores",
    }
)
"""Small: what a version or a budget stands for, what was corrected, and what was said of findings or
expected of a time, when and by whom."""


def apply_retention(client: Client, settings: RetentionSettings) -> dict[str, str]:
    """Set the TTL of every table that has one, where it is another one; may be repeated. Returns the TTL expressions by
    table, all of them.

    Nothing is deleted at once: ClickHouse drops what is due in its next merges, also of rows that are there already.
    Price book and rule versions, and the records of corrections, stay.
    """
    expressions = {
        table: f"toDateTime({column}) + toIntervalDay({days})"
        for tables, days in (
            (LEDGER_TABLES, settings.ledger_days),
            (IDS, settings.id_days),
            (ROLLUPS, settings.rollup_days),
            (BUDGETS, settings.rollup_days),
            (QUARANTINE, settings.quarantine_days),
            (ALERTS, settings.alert_days),
            (SCORES, settings.score_days),
            (FORECASTS, settings.forecast_days),
            (FORECAST_SCORES, settings.forecast_score_days),
            (STATES, STATE_DAYS),
        )
        for table, column in tables.items()
    }
    with store_errors(str(client.uri)):
        tables = client.query("SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()")
        definitions = {str(name): str(definition) for name, definition in tables.result_rows}
        for table, expression in expressions.items():
            if f" TTL {expression}" in definitions.get(table, ""):
                continue
            # When a row is due is noted per part, when the part is written. Noting it anew for the parts that are there
            # takes a moment; without this setting ClickHouse would rewrite all of them.
            client.command(f"ALTER TABLE {table} MODIFY SETTING materialize_ttl_recalculate_only = 1")
            client.command(f"ALTER TABLE {table} MODIFY TTL {expression}", settings={"materialize_ttl_after_modify": 1})
    return expressions


def kept_for(store: StoreClient, table: str) -> timedelta | None:
    """How long a table's rows are kept as it stands, whatever the settings say now. None: for ever."""
    rows = store.rows(
        "SELECT extract(create_table_query, 'TTL .*toIntervalDay\\\\((\\\\d+)\\\\)') FROM system.tables "
        "WHERE database = currentDatabase() AND name = {table:String}",
        {"table": table},
    )
    return timedelta(days=int(str(rows[0][0]))) if rows and rows[0][0] else None


def whole_since(kept: timedelta | None, now: datetime) -> datetime:
    """From when on all that happened is in a table whose rows are kept for so long after booking (`kept_for`)."""
    return EPOCH if kept is None else now - kept + BOOKED_AHEAD

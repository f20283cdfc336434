"""How long rows are kept. A setting, not a migration: it differs between deployments and changes without a release."""

from typing import Annotated, Final

from clickhouse_connect.driver.client import Client
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_jobs.errors import ConfigError
from stream_jobs.store.client import store_errors

ENV_PREFIX: Final = "SPENDSTREAM_RETENTION_"


class RetentionSettings(BaseSettings):
    """Days; read from SPENDSTREAM_RETENTION_*."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True)

    ledger_days: Annotated[
        int,
        Field(ge=35, description="How long ledger entries are kept after booking: a year to compare with, and more."),
    ] = 400
    rollup_days: Annotated[
        int, Field(ge=35, description="How long the rollups per minute, hour and day are kept after the events.")
    ] = 5 * 366
    quarantine_days: Annotated[int, Field(ge=7, description="How long refused records are kept with their bytes.")] = 90


def load_retention_settings() -> RetentionSettings:
    """From the environment. Raises ConfigError with every problem by its variable's name."""
    try:
        return RetentionSettings()
    except ValidationError as error:
        raise ConfigError(
            [f"{ENV_PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        ) from None


LEDGER_TABLES: Final = {
    "ledger": "booked_at",  # by the time of booking: partitions are months of it, so whole parts fall away
    "booked_ids": "booked_at",
    "outcomes": "booked_at",
    "outcome_ids": "booked_at",
    "duplicates": "seen_at",
    "blocks": "fixed_at",
    "block_receipts": "completed_at",
}
ROLLUPS: Final = {"cost_1m": "minute", "cost_1h": "hour", "cost_1d": "day"}
QUARANTINE: Final = {"quarantine": "quarantined_at", "quarantine_replays": "replayed_at"}


def apply_retention(client: Client, settings: RetentionSettings) -> dict[str, str]:
    """Set the TTL of every table that has one; may be repeated. Returns the TTL expressions by table.

    Nothing is deleted at once: ClickHouse drops what is due in its next merges. Price book and rule versions stay.
    """
    expressions = {
        table: f"toDateTime({column}) + INTERVAL {days} DAY"
        for tables, days in (
            (LEDGER_TABLES, settings.ledger_days),
            (ROLLUPS, settings.rollup_days),
            (QUARANTINE, settings.quarantine_days),
        )
        for table, column in tables.items()
    }
    with store_errors(str(client.uri)):
        for table, expression in expressions.items():
            # Without materialize_ttl_after_modify=0 every old part would be rewritten now.
            client.command(f"ALTER TABLE {table} MODIFY TTL {expression}", settings={"materialize_ttl_after_modify": 0})
    return expressions

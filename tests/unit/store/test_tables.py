"""The declared columns follow the contract, and an insert refuses what is not them."""

from typing import Any, cast

import pyarrow as pa
import pytest

from spendstream_schemas import ATTRIBUTION_FIELDS, DECIMAL_METERS, METERS, OutcomeEvent, ToolCalls
from stream_jobs.base.errors import CrashError
from stream_jobs.forecasting.drivers import PARTS
from stream_jobs.store.tables import TABLES, insert
from tests.store_server import LEDGER, ledger_rows


class NoClient:
    """Fails the test when anything is sent."""

    uri = "http://nowhere"

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the store was asked: {name}")


CLIENT = cast(Any, NoClient())


def test_the_ledger_has_a_column_for_every_meter_tool_and_attribution_field() -> None:
    """A field added to the contract without a column would be lost silently."""
    names = set(TABLES["ledger"].names)
    assert names >= set(METERS) | set(ATTRIBUTION_FIELDS) | {f"tool_{kind}" for kind in ToolCalls.model_fields}
    for meter in METERS:
        is_decimal = pa.types.is_decimal(TABLES["ledger"].field(meter).type)
        assert is_decimal == (meter in DECIMAL_METERS), meter


def test_outcomes_keep_every_field() -> None:
    """All of OutcomeEvent but its version."""
    assert set(TABLES["outcomes"].names) >= set(OutcomeEvent.model_fields) - {"schema_version"}


def test_money_is_never_a_float() -> None:
    """Only a latency and scores are floats, and what is a share or a chance; anomaly_scores holds statistics, and
    forecast_drivers factors, requests and tokens a day."""
    floats = {
        field.name
        for name, schema in TABLES.items()
        for field in schema
        if pa.types.is_floating(field.type) and name != "anomaly_scores"
    }
    usage = {f"{what}_{when}" for what in ("requests", "tokens") for when in ("lately", "ahead")}
    drivers = {*usage, "ratio", *(f"{part}_factor" for part in PARTS)}
    assert floats == {"latency_ms", "complexity", "score", "scale", "error", "coverage", *drivers}


@pytest.mark.parametrize(
    ("table", "rows", "token", "message"),
    [
        ("ledger", ledger_rows(1), "", "without a deduplication token"),
        ("ledgers", ledger_rows(1), "t", "is not declared"),
        ("ledger", ledger_rows(1).drop_columns(["team"]), "t", "team"),
        ("ledger", ledger_rows(1).append_column("extra", pa.array([1])), "t", "extra"),
        ("ledger", ledger_rows(1).select(list(reversed(LEDGER.names))), "t", "order"),
        ("quarantine", ledger_rows(1), "t", "quarantine"),
    ],
)
def test_a_mistake_of_ours_stops_the_job(table: str, rows: pa.Table, token: str, message: str) -> None:
    """A missing token or a lost column must not reach the store."""
    with pytest.raises(CrashError, match=message):
        insert(CLIENT, table, rows, token)


def test_no_rows_need_no_insert() -> None:
    """An empty table is accepted and not sent, signs or not."""
    insert(CLIENT, "ledger", LEDGER.empty_table(), "t")
    insert(CLIENT, "ledger", TABLES["ledger"].empty_table(), "t")

"""Findings and stretches of time for the tests of the telling side."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from stream_jobs.anomalies.evidence import Evidence
from stream_jobs.anomalies.model import COST, FindingRow, Series

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONEY = pa.decimal128(38, 12)


def finding(finding_id: str, series: Mapping[str, str] | None = None, **given: Any) -> FindingRow:
    """An open rise of cost since NOON, found an hour later: $110 instead of $10, unless something else is given."""
    dims = Series(tuple(series or {}), tuple((series or {}).values()))
    up = given.get("direction", "up") == "up"
    known: dict[str, Any] = {
        "version": 1,
        "at": NOON + HOUR,
        "state": "open",
        "kind": "spike" if up else "drop",
        "direction": "up",
        "scale": "1h",
        "measure": COST,
        "starts_at": NOON,
        "detected_at": NOON + HOUR,
        "ends_at": None,
        "expected": Decimal(10 if up else 110),
        "actual": Decimal(110 if up else 10),
        "low": Decimal(5 if up else 80),
        "high": Decimal(15 if up else 140),
        "per_day": Decimal(2400 if up else -2400),
        "score": 25.0,
        "severity": "error",
    } | given
    if known["ends_at"] is not None:
        known["state"], known["closing"] = "closed", given.get("closing", "over")
    return FindingRow(finding_id=finding_id, series=dims, **known)


def evidence(cells: Sequence[tuple[Mapping[str, str], float, float]], start: datetime = NOON) -> Evidence:
    """Of one hour: cells as (values, cost before, cost after); a request for each ten cents."""
    names = sorted({name for values, _, _ in cells for name in values})
    columns: dict[str, Any] = {name: pa.array([values.get(name, "") for values, _, _ in cells]) for name in names}
    for period, index in (("before", 1), ("after", 2)):
        amounts = [Decimal(str(cell[index])) for cell in cells]
        columns[f"cost_{period}"] = pa.array(amounts, MONEY)
        columns[f"requests_{period}"] = pa.array([amount * 10 for amount in amounts], MONEY)
    return Evidence(start, start + HOUR, pa.table(columns), tuple(names), "the same hours of earlier weeks")

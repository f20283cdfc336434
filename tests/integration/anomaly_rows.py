"""Findings and marks as the job and people write them, put into a real store."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.base.json_values import json_values
from tests.store_server import StoreProcess

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=4)
"""The job's rows are kept for days or weeks."""
MINUTE = timedelta(minutes=1)


def finding(finding_id: str, **changes: Any) -> dict[str, Any]:
    """A burst of a team's cost, open, in its first version."""
    series = changes.pop("series", {"team": "search"})
    cause = changes.pop("cause", "")
    return {
        "finding_id": finding_id,
        "version": 1,
        "at": START + 5 * MINUTE,
        "state": "open",
        "kind": "spike",
        "direction": "up",
        "scale": "15m",
        "measure": "effective_cost",
        "dims": list(series),
        "vals": list(series.values()),
        "starts_at": START,
        "detected_at": START + 4 * MINUTE,
        "ends_at": None,
        "expected": Decimal("0.4"),
        "actual": Decimal("5.000000000007"),
        "low": Decimal("0.1"),
        "high": Decimal("0.9"),
        "per_day": Decimal(1650),
        "score": 80.5,
        "severity": "warning",
        "closing": "",
        "group_id": "",
        "silenced_by": "",
        "cause": cause if isinstance(cause, str) else json.dumps(json_values(cause)),
        "document": "{}",
        **changes,
    }


def mark(finding_id: str, said: str, at: datetime, **changes: Any) -> dict[str, Any]:
    return {"finding_id": finding_id, "mark": said, "note": "", "by": "mei", "at": at, **changes}


def put(process: StoreProcess, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert them as JSON."""
    body = "\n".join(json.dumps(json_values(row)) for row in rows)
    with process.connect() as client:
        client.raw_insert(table, insert_block=body.encode(), fmt="JSONEachRow")

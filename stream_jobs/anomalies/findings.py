"""Findings and scores in ClickHouse."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, cast

from stream_jobs.anomalies.model import FindingRow, Series
from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TABLES, arrow_table, insert

FIELDS: Final = tuple(TABLES["anomaly_findings"].names)


class Findings:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def record(self, rows: Sequence[FindingRow]) -> None:
        """Append. May be repeated with the same arguments."""
        by_month: dict[tuple[int, int], list[FindingRow]] = {}
        for row in rows:
            by_month.setdefault((row.detected_at.year, row.detected_at.month), []).append(row)
        for some in by_month.values():
            which = " ".join(f"{row.finding_id}/{row.version}" for row in some)
            token = f"{some[0].at.isoformat()} {hashlib.blake2b(which.encode(), digest_size=16).hexdigest()}"
            table = arrow_table("anomaly_findings", list(map(as_row, some)))
            insert(self._store.client, "anomaly_findings", table, token)

    def last(self, since: datetime) -> list[FindingRow]:
        """The last row of each finding that is open, or was closed `since`; in the order in which they were found."""
        rows = self._store.rows(
            f"SELECT * FROM (SELECT {', '.join(FIELDS)} FROM anomaly_findings "
            "ORDER BY version DESC, at DESC LIMIT 1 BY finding_id) "
            "WHERE isNull(ends_at) OR ends_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
            "ORDER BY detected_at, finding_id",
            {"since": unix_micros(since)},
        )
        return list(map(from_row, rows))


def as_row(row: FindingRow) -> dict[str, Any]:
    """As anomaly_findings has it."""
    found = {name: value for name, value in asdict(row).items() if name != "series"}
    return found | {
        "dims": list(row.series.dims),
        "vals": list(row.series.vals),
        "document": json.dumps(dict(row.document)),
    }


def from_row(row: Iterable[object]) -> FindingRow:
    """Of FIELDS."""
    found = dict(zip(FIELDS, cast(Iterable[Any], row), strict=True))
    found["series"] = Series(tuple(found.pop("dims")), tuple(found.pop("vals")))
    for name in ("at", "starts_at", "detected_at", "ends_at"):
        found[name] = None if found[name] is None else as_utc(found[name])
    found["score"] = round(float(found["score"]), 3)
    found["document"] = json.loads(found["document"] or "{}")
    return FindingRow(**found)

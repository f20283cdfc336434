"""Records that could not be accepted: too many of what a source sends."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import clock, duration
from stream_jobs.data_quality.finding import MAX_FINDINGS, Finding, Result, command, fit, percent, result
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.store.client import StoreClient

CHECK: Final = "quarantine"
_GRAVE: Final = 10
"""Times the threshold, from where on it is an error and told again."""
_MAX_DETAIL: Final = 200
_REFUSED: Final = """
SELECT source, toString(reason), count() AS records, min(quarantined_at), any(detail)
FROM quarantine_open
WHERE quarantined_at >= {since:DateTime64(6, 'UTC')}
GROUP BY source, reason
ORDER BY records DESC, source, reason
"""
_OTHERS: Final = """
SELECT source, sum(records)
FROM
(
    SELECT source, count() AS records FROM ledger
    WHERE booked_at >= {since:DateTime64(6, 'UTC')} AND entry_kind = 'charge' AND source IN {sources:Array(String)}
    GROUP BY source
    UNION ALL
    SELECT source, count() AS records FROM outcomes
    WHERE booked_at >= {since:DateTime64(6, 'UTC')} AND entry_kind = 'charge' AND source IN {sources:Array(String)}
    GROUP BY source
    UNION ALL
    SELECT source, count() AS records FROM duplicates
    WHERE seen_at >= {since:DateTime64(6, 'UTC')} AND source IN {sources:Array(String)}
    GROUP BY source
)
GROUP BY source
"""
_RECEIVED: Final = """
SELECT sum(records)
FROM
(
    SELECT any(block_receipts.received) AS records
    FROM block_receipts
    WHERE completed_at >= {since:DateTime64(6, 'UTC')}
    GROUP BY topic_id, partition, first_offset, last_offset
)
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """Open quarantined records of one source (empty: it could not be read) and one reason."""

    source: str
    reason: str
    records: int
    first: datetime
    example: str


def look(store: StoreClient, settings: DataQualitySettings, now: datetime) -> Result:
    """Of the window's records those that are still in quarantine: what was sent again since does not count. Raises
    StoreUnavailableError."""
    since = now - timedelta(seconds=settings.window_s)
    rows = cast(list[tuple[Any, ...]], store.rows(_REFUSED, {"since": since}))
    refused = [Refused(source, reason, int(n), as_utc(first), example) for source, reason, n, first, example in rows]
    by_source: dict[str, int] = defaultdict(int)
    for item in refused:
        by_source[item.source] += item.records
    most = sorted(by_source, key=lambda source: -by_source[source])[: MAX_FINDINGS + 1]
    suspects = [source for source in most if by_source[source] >= settings.quarantine_records]
    if not suspects:
        return Result(CHECK)
    others = cast(list[tuple[Any, ...]], store.rows(_OTHERS, {"since": since, "sources": suspects}))
    accepted = {str(source): int(records) for source, records in others}
    if "" in suspects:  # nobody knows who sent it: it is set against everything that came
        received = cast(list[tuple[Any, ...]], store.rows(_RECEIVED, {"since": since}))
        accepted[""] = max(0, int(received[0][0]) - by_source[""])
    return result(CHECK, findings([item for item in refused if item.source in suspects], accepted, settings))


def findings(
    refused: Iterable[Refused], accepted: Mapping[str, int], settings: DataQualitySettings
) -> Iterable[Finding]:
    """One for each source with too many refused records. `accepted` are the other records by source."""
    by_source: dict[str, list[Refused]] = defaultdict(list)
    for item in refused:
        by_source[item.source].append(item)
    for source, items in by_source.items():
        number = sum(item.records for item in items)
        received = number + accepted.get(source, 0)
        if number >= settings.quarantine_records and number * 100 > settings.quarantine_percent * received:
            yield _finding(source, items, number, received, settings)


def _finding(source: str, items: list[Refused], number: int, received: int, settings: DataQualitySettings) -> Finding:
    share = percent(number, received)
    since = min(item.first for item in items)
    window = duration(timedelta(seconds=settings.window_s))
    grave = number * 100 > _GRAVE * settings.quarantine_percent * received
    chosen = ["--source", source] if source else []
    start = f"{since:%Y-%m-%dT%H:%M:%S}"
    return Finding(
        check=CHECK,
        subject=(source,) if source else (),
        name="QuarantineRate",
        severity="error" if grave else "warning",
        summary=f"{number:,} records from {source or 'an unknown source'} refused in {window}: {share} % of "
        f"{'what it sent' if source else 'all records'} is in no total",
        facts={
            "refused": f"{number:,} of {received:,} records in the last {window}",
            "allowed": f"{settings.quarantine_percent:f} %, and fewer than {settings.quarantine_records:,} records",
            "since": f"{clock(since)} UTC",
        },
        causes=tuple(
            f"{item.reason}: {item.records:,} records, such as: {fit(item.example, _MAX_DETAIL) or 'no detail'}"
            for item in sorted(items, key=lambda item: (-item.records, item.reason))
        ),
        action=f"See them: {command('quarantine', 'list', *chosen, '--since', start)}. The sender must fix what the "
        "reasons name; if it was ours, fix it and send them again, nothing is booked twice: "
        + command("quarantine", "replay", *(chosen or ["--since", start])),
        labels={"source": source},
        level=int(grave),
        value=share,
        since=since,
    )

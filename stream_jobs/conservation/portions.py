"""The store's part of the check, hour by hour in portions: any history in the memory of one of them.

The view `conservation` says what is compared; over everything it takes a row per block, in memory or on disk. A portion
is as many hours as hold some hundred thousand blocks. It asks the view's own SELECT, of which the two tables of blocks
are narrowed to the offsets that those hours reach: a look at the last hours does not read the years before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, cast

from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.conservation.accounts import PartitionProgress
from stream_jobs.store.client import StoreClient
from stream_jobs.store.views import load_views

PORTION_BLOCKS: Final = 600_000
"""Blocks, receipts and instants of rows together. A block that closes is one of each, and takes some 1,200 bytes."""
HOUR: Final = timedelta(hours=1)
_ROWS: Final = (
    ("ledger", "booked_at", "entry_kind = 'charge'"),
    ("outcomes", "booked_at", "entry_kind = 'charge'"),
    ("duplicates", "seen_at", "true"),
    ("quarantine", "quarantined_at", "true"),
    ("reconciliation_findings", "copies_booked_at", "copies != 0"),
)
_BLOCKS: Final = (("blocks", "fixed_at"), ("block_receipts", "completed_at"))
_SINCE: Final = "fromUnixTimestamp64Micro({since:Int64}, 'UTC')"
_UNTIL: Final = "fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
_SIZES: Final = " UNION ALL ".join(
    [
        *(
            f"SELECT toStartOfHour({instant}) AS hour, count() AS number FROM {table} WHERE {instant} >= {_SINCE} "
            "GROUP BY hour"
            for table, instant in _BLOCKS
        ),
        *(
            f"SELECT toStartOfHour({instant}), uniqHLL12(topic_id, partition, {instant}) FROM {table} "
            f"WHERE {instant} >= {_SINCE} AND {which} GROUP BY toStartOfHour({instant})"
            for table, instant, which in _ROWS
        ),
    ]
)
_REACH: Final = " UNION ALL ".join(
    [
        *(
            f"SELECT topic_id, partition, min(first_offset) AS lowest, max(last_offset) AS highest FROM {table} "
            f"WHERE {instant} >= {_SINCE} AND {instant} < {_UNTIL} GROUP BY topic_id, partition"
            for table, instant in _BLOCKS
        ),
        *(
            f"SELECT topic_id, partition, min(offset), max(offset) FROM {table} "
            f"WHERE {instant} >= {_SINCE} AND {instant} < {_UNTIL} AND {which} GROUP BY topic_id, partition"
            for table, instant, which in _ROWS
        ),
    ]
)
_LAST: Final = "SELECT topic_id, partition, max(last_offset) FROM block_receipts GROUP BY topic_id, partition"
_NARROWED: Final = (("receipts", "block_receipts"), ("intentions", "blocks"))
_FAR: Final = datetime(2200, 1, 1, tzinfo=UTC)


class Reach(NamedTuple):
    """The offsets, both inclusive, of everything that bears an instant of a portion, in one partition."""

    topic_id: str
    partition: int
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of the view, of the hours that begin in [since, until), and the offsets between the receipts of those hours
    that none covers, by topic id and partition."""

    rows: Sequence[Sequence[Any]]
    holes: dict[tuple[str, int], list[tuple[int, int]]]


def finished(store: StoreClient) -> dict[tuple[str, int], int]:
    """The offset behind the last receipt, by topic id and partition. Raises StoreUnavailableError."""
    rows = cast(list[tuple[Any, ...]], store.rows(_LAST))
    return {(str(topic_id), int(partition)): int(last) + 1 for topic_id, partition, last in rows}


def portions(
    store: StoreClient, since: datetime, columns: Iterable[str], ends: dict[tuple[str, int], int]
) -> Iterator[Portion]:
    """Everything since an hour, in the order of time; `ends` is what `finished` said. Raises StoreUnavailableError."""
    for begin, end in spans(_sizes(store, since), since):
        reaches = _reaches(store, begin, end)
        if not reaches:
            continue
        narrowed, given = _narrowed(reaches, _before(store, reaches), ends)
        given |= {"since": unix_micros(begin), "until": unix_micros(end)}
        listed = ", ".join(columns)
        hours = f"hour >= {_SINCE} AND hour < {_UNTIL}"
        rows = store.rows(f"SELECT {listed} FROM ({''.join(_view(narrowed))}) WHERE {hours}", given)
        yield Portion(cast(list[Sequence[Any]], rows), _holes(store, narrowed, given, reaches))


def progress_of(
    ends: dict[tuple[str, int], int], holes: dict[tuple[str, int], list[tuple[int, int]]]
) -> dict[tuple[str, int], PartitionProgress]:
    return {place: PartitionProgress(end, tuple(sorted(set(holes.get(place, ()))))) for place, end in ends.items()}


def spans(sizes: Sequence[tuple[datetime, int]], since: datetime) -> list[tuple[datetime, datetime]]:
    """Whole hours from `since` on, in spans of at most PORTION_BLOCKS or one hour; `sizes` are hours, rising, and what
    each holds. The last span has no end."""
    bounds, held = [since], 0
    for hour, number in sizes:
        if held and held + number > PORTION_BLOCKS:
            bounds.append(hour)
            held = 0
        held += number
    return list(zip(bounds, [*bounds[1:], _FAR], strict=True))


def _sizes(store: StoreClient, since: datetime) -> list[tuple[datetime, int]]:
    rows = store.rows(
        f"SELECT hour, sum(number) FROM ({_SIZES}) GROUP BY hour ORDER BY hour", {"since": unix_micros(since)}
    )
    return [(as_utc(hour), int(number)) for hour, number in cast(list[tuple[Any, ...]], rows)]


def _reaches(store: StoreClient, begin: datetime, end: datetime) -> list[Reach]:
    rows = store.rows(
        f"SELECT topic_id, partition, min(lowest), max(highest) FROM ({_REACH}) GROUP BY topic_id, partition",
        {"since": unix_micros(begin), "until": unix_micros(end)},
    )
    return [Reach(str(one), int(two), int(low), int(high)) for one, two, low, high in cast(list[tuple[Any, ...]], rows)]


def _before(store: StoreClient, reaches: Sequence[Reach]) -> dict[tuple[str, int], int]:
    """The end of the last receipt before what a portion reaches: the first of its receipts begins there, or a gap."""
    parts = [
        f"SELECT topic_id, partition, last_offset FROM block_receipts WHERE topic_id = {{topic{number}:String}} "
        f"AND partition = {reach.partition} AND last_offset < {reach.lowest} ORDER BY last_offset DESC LIMIT 1"
        for number, reach in enumerate(reaches)
    ]
    rows = store.rows(" UNION ALL ".join(f"SELECT * FROM ({part})" for part in parts), _topics(reaches))
    return {(str(topic_id), int(number)): int(last) for topic_id, number, last in cast(list[tuple[Any, ...]], rows)}


def _narrowed(
    reaches: Sequence[Reach], before: dict[tuple[str, int], int], ends: dict[tuple[str, int], int]
) -> tuple[dict[str, str], dict[str, Any]]:
    """What the tables of blocks are narrowed to: what a portion reaches, the receipt before it, and the last ones,
    which say how far a partition is finished."""
    within, last = [], []
    for number, reach in enumerate(reaches):
        place = (reach.topic_id, reach.partition)
        where = f"topic_id = {{topic{number}:String}} AND partition = {reach.partition}"
        lowest = before.get(place, reach.lowest)
        within.append(f"({where} AND last_offset >= {lowest} AND first_offset <= {reach.highest})")
        if place in ends:
            last.append(f"({where} AND last_offset >= {ends[place] - 1} AND first_offset > {reach.highest})")
    sources = {}
    for name, table in _NARROWED:
        parts = [f"SELECT * FROM {table} WHERE {' OR '.join(within)}"]
        if last and name == "receipts":
            parts.append(f"SELECT * FROM {table} WHERE {' OR '.join(last)}")
        sources[name] = " UNION ALL ".join(parts)
    return sources, _topics(reaches)


def _topics(reaches: Sequence[Reach]) -> dict[str, Any]:
    return {f"topic{number}": reach.topic_id for number, reach in enumerate(reaches)}


def _holes(
    store: StoreClient, narrowed: dict[str, str], given: dict[str, Any], reaches: Sequence[Reach]
) -> dict[tuple[str, int], list[tuple[int, int]]]:
    tables, _ = _view(narrowed)
    rows = store.rows(
        f"{tables} SELECT topic_id, partition, expected_offset, first_offset FROM irregular WHERE gap > 0", given
    )
    highest = {(reach.topic_id, reach.partition): reach.highest for reach in reaches}
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for topic_id, number, began, ended in cast(list[tuple[Any, ...]], rows):
        place = (str(topic_id), int(number))
        if int(ended) <= highest[place]:  # else what lies between the portion and the last receipt
            found.setdefault(place, []).append((int(began), int(ended)))
    return found


def _view(narrowed: dict[str, str]) -> tuple[str, str]:
    """The view's SELECT, its WITH apart, of other tables of blocks."""
    tables, select = _text()
    for name, table in _NARROWED:
        whole = f"{name} AS (SELECT * FROM {table})"
        assert tables.count(whole) == 1, f"sql/views/conservation.sql has no {whole}"
        tables = tables.replace(whole, f"{name} AS ({narrowed[name]})")
    return tables, select


@cache
def _text() -> tuple[str, str]:
    text = load_views()["conservation"]
    text = text[text.index("WITH\n") :]
    cut = text.rindex("\n    )\nSELECT\n") + len("\n    )\n")
    return text[:cut], text[cut : text.rindex("\nSETTINGS ")]  # a portion needs no disk

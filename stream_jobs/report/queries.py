"""Asks ClickHouse for everything a report shows."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, ParamSpec, TypeVar

from clickhouse_connect.driver.client import Client

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import EPOCH
from stream_jobs.economics.question import Answer
from stream_jobs.report.data import (
    ZERO,
    Breakdown,
    CachePoint,
    EntryKind,
    Quarantined,
    ReportData,
    Series,
    Share,
    StackLevel,
    Totals,
    Unallocated,
    Unpriced,
)
from stream_jobs.report.figures import SHARES, Figures
from stream_jobs.report.requests import dearest
from stream_jobs.report.unusual_times import unusual_times
from stream_jobs.report.watched import watched

_P = ParamSpec("_P")
_T = TypeVar("_T")
DIMENSIONS: Final = ("model", "team", "feature", "project", "environment", "category", "provider")
PEOPLE: Final = {"customer": "operations_1d", "user_id": "cost_1d"}
"""Dimensions with perhaps millions of values, and the rollup of days that has them."""
SERIES: Final = ("model", "team")
TOP_SERIES: Final = 8
TOP_ROWS: Final = 15
TOP_JOBS: Final = 6
AT_ONCE: Final = 2
"""Questions; an embedded store answers three at a time of those who may only read, and others ask, too."""
DEFAULT_PERIOD: Final = timedelta(days=31)
_MINUTE: Final = timedelta(minutes=1)
_BUCKETS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360, 1440, 10_080))
_MAX_BUCKETS: Final = 180


def build(
    client: Client, start: datetime | None = None, end: datetime | None = None, *, seen_until: datetime | None = None
) -> ReportData:
    """The report of [start, end), widened to whole minutes.

    Without `end`, up to the newest event; without `start`, from the oldest event but at most 31 days back. Budgets and
    alerts go by when they were seen: up to `seen_until`, by default the end that was given, else now. Raises
    ConfigError when the period is empty, StoreUnavailableError when ClickHouse does not answer.
    """
    store = Figures(client)
    first, last, entries = store.rows("bounds")[0]
    now = datetime.now(UTC)
    seen_until = seen_until or (_ceil_minute(end) if end else now)
    newest = last.astimezone(UTC) + _MINUTE if entries else _ceil_minute(now)
    oldest = first.astimezone(UTC) if entries else newest - timedelta(hours=1)
    end = _ceil_minute(end) if end else max(newest, _floor_minute(start) + _MINUTE if start else newest)
    start = _floor_minute(start) if start else max(min(oldest, end - _MINUTE), end - DEFAULT_PERIOD)
    if start >= end:
        raise ConfigError(f"the period is empty: it starts at {start:%Y-%m-%d %H:%M} and ends at {end:%Y-%m-%d %H:%M}")
    store.period = {"start": start, "end": end}
    bucket = bucket_for(end - start)
    buckets = _buckets(start, end, bucket)
    with _at_once(store) as ask:  # what takes longest first
        people = {
            name: ask.rows("by_person", dimension=name, rollup=rollup, rows=TOP_ROWS) for name, rollup in PEOPLE.items()
        }
        asked_requests = ask.of(dearest, store, model_calls=TOP_ROWS, others=TOP_JOBS)
        asked_entries = ask.rows("entries")
        asked_watched = ask.of(watched, store.rows, seen_until)
        asked_breakdowns = ask.of(_registered, store)
        asked_unpriced = ask.rows("unpriced", rows=TOP_ROWS)
        asked_unusual = ask.of(unusual_times, store.rows)
        asked_cache = ask.of(_cache, store, bucket, buckets)
        breakdowns = asked_breakdowns.result()
        series = {name: ask.of(_series, store, breakdowns[name], bucket, buckets) for name in SERIES}
        asked_unallocated = ask.rows("unallocated", rows=TOP_ROWS)
        asked_quarantined = ask.rows("quarantine", rows=TOP_ROWS)
        asked_stack = ask.rows("stack")
        asked_totals = ask.of(_totals, store)
        breakdowns |= {name: _breakdown(name, asked.result()) for name, asked in people.items()}
        kinds, price_books, attributions = _entries(asked_entries.result())
        requests, jobs = asked_requests.result()
        return ReportData(
            start=start,
            end=end,
            generated_at=now,
            bucket=bucket,
            buckets=buckets,
            totals=asked_totals.result(),
            breakdowns=breakdowns,
            stack=tuple(StackLevel(*row) for row in asked_stack.result()),
            series={name: asked.result() for name, asked in series.items()},
            cache=asked_cache.result(),
            unusual=asked_unusual.result(),
            requests=requests,
            jobs=jobs,
            unpriced=tuple(Unpriced(*row) for row in asked_unpriced.result()),
            unallocated=tuple(Unallocated(*row) for row in asked_unallocated.result()),
            quarantined=tuple(Quarantined(*_aware(row)) for row in asked_quarantined.result()),
            watched=asked_watched.result(),
            entry_kinds=kinds,
            price_book_versions=price_books,
            attribution_versions=attributions,
        )


class _Asking:
    """Questions that are answered later, a few at a time."""

    def __init__(self, store: Figures, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool

    def rows(self, name: str, **parameters: Any) -> Future[list[tuple[Any, ...]]]:
        """As Figures.rows."""
        return self._pool.submit(self._store.rows, name, **parameters)

    def of(self, answer: Callable[_P, _T], *args: _P.args, **parameters: _P.kwargs) -> Future[_T]:
        """What a function finds that asks itself."""
        return self._pool.submit(answer, *args, **parameters)


@contextmanager
def _at_once(store: Figures) -> Iterator[_Asking]:
    """While one answer is sent or put together, the store works on the next. The first that fails ends all."""
    with ThreadPoolExecutor(AT_ONCE, "report") as pool:
        try:
            yield _Asking(store, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def bucket_for(period: timedelta) -> timedelta:
    """The finest bucket that cuts the period into at most 180."""
    return next((bucket for bucket in _BUCKETS if period <= bucket * _MAX_BUCKETS), _BUCKETS[-1])


def _floor_minute(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


def _ceil_minute(instant: datetime) -> datetime:
    floor = _floor_minute(instant)
    return floor if floor == instant else floor + _MINUTE


def _buckets(start: datetime, end: datetime, bucket: timedelta) -> tuple[datetime, ...]:
    """Starts of all buckets, empty ones included, cut as toStartOfInterval cuts a number of seconds: from 1970 on."""
    first = EPOCH + (start - EPOCH) // bucket * bucket
    return tuple(first + bucket * number for number in range(-(-(end - first) // bucket)))


def _totals(store: Figures) -> Totals:
    """Each field is the figure of its name."""
    found = store.registered([field.name for field in fields(Totals)]).total.figures
    return Totals(**{name: value for name, value in found.items() if value is not None})  # type: ignore[arg-type]


def _registered(store: Figures) -> dict[str, Breakdown]:
    """By dimension the values that cost most, and all others together."""
    return {
        dimension: _largest(dimension, answer)
        for dimension, answer in zip(DIMENSIONS, store.registered_each(SHARES, DIMENSIONS), strict=True)
    }


def _largest(dimension: str, answer: Answer) -> Breakdown:
    lines = [(line.values[0], *(line.figures[name] for name in SHARES)) for line in answer.lines]
    lines.sort(key=lambda line: (-(line[1] or 0), -(line[4] or 0), line[0]))  # type: ignore[operator]
    total = [answer.total.figures[name] for name in SHARES]
    return _breakdown(dimension, [(*line, *total, len(lines)) for line in lines[:TOP_ROWS]])


def _breakdown(dimension: str, rows: list[tuple[Any, ...]]) -> Breakdown:
    shares = tuple(Share(*row[:6]) for row in rows)
    total = Share("", *rows[0][6:11]) if rows else Share("", ZERO, ZERO, ZERO, 0, 0)
    others = rows[0][11] - len(rows) if rows else 0
    rest = None
    if others:
        rest = Share(
            "",
            total.effective_cost - sum((share.effective_cost for share in shares), ZERO),
            total.contracted_cost - sum((share.contracted_cost for share in shares), ZERO),
            total.list_cost - sum((share.list_cost for share in shares), ZERO),
            total.events - sum(share.events for share in shares),
            total.unpriced_events - sum(share.unpriced_events for share in shares),
        )
    return Breakdown(dimension, shares, rest, others, total)


def _series(store: Figures, breakdown: Breakdown, bucket: timedelta, buckets: tuple[datetime, ...]) -> Series:
    named_only = breakdown.dimension == "model"
    shares = [share for share in breakdown.shares if share.name or not named_only]
    top = [share.name for share in shares[:TOP_SERIES]]
    has_others = len(shares) > TOP_SERIES
    names = (*top, "") if has_others else tuple(top)
    values = [[ZERO] * len(buckets) for _ in names]
    rows = store.rows(
        "series",
        dimension=breakdown.dimension,
        names=top,
        named_only=named_only,
        bucket_s=int(bucket.total_seconds()),
    )
    for at, number, cost in rows:
        if not number and not has_others:
            continue  # the first events of a new name, booked since the breakdown was asked: in the next report
        row = number - 1 if number else len(names) - 1
        values[row][(at.astimezone(UTC) - buckets[0]) // bucket] += cost
    return Series(names, has_others, tuple(tuple(row) for row in values))


def _cache(store: Figures, bucket: timedelta, buckets: tuple[datetime, ...]) -> tuple[CachePoint, ...]:
    points = [CachePoint(0, 0, 0, 0)] * len(buckets)
    for at, *counts in store.rows("cache", bucket_s=int(bucket.total_seconds())):
        points[(at.astimezone(UTC) - buckets[0]) // bucket] = CachePoint(*counts)
    return tuple(points)


def _entries(rows: list[tuple[Any, ...]]) -> tuple[tuple[EntryKind, ...], tuple[str, ...], tuple[str, ...]]:
    kinds: dict[str, EntryKind] = {}
    for kind, _, _, count, cost in rows:
        old = kinds.get(kind, EntryKind(kind, 0, ZERO))
        kinds[kind] = EntryKind(kind, old.entries + count, old.effective_cost + Decimal(cost))
    price_books = tuple(dict.fromkeys(row[1] for row in rows if row[1]))
    attributions = tuple(dict.fromkeys(row[2] for row in rows if row[2]))
    return tuple(kinds.values()), price_books, attributions


def _aware(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.astimezone(UTC) if isinstance(value, datetime) else value for value in row)

"""A warm start: where nothing usable is written down, weeks of the ledger are learned from, in hours.

The rollup per hour answers for what it has the dimensions of. Users are in no rollup of hours: they are read from the
ledger itself, as many days as hold MAX_ENTRIES entries. What was booked of these hours by now is taken for what they
held, corrections included. Only series that there is room for are read, the most important ones.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol, Self, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream_jobs.anomalies.drivers import Drivers
from stream_jobs.anomalies.model import Series
from stream_jobs.anomalies.names import Level
from stream_jobs.anomalies.ratios import SUMS
from stream_jobs.anomalies.registry import HALF_LIFE, PER_REQUEST, Registry, is_user
from stream_jobs.base.instants import unix_micros
from stream_jobs.completeness.watermark import minute_of
from stream_jobs.detection.model import Floats
from stream_jobs.series.facts import Facts, Ints
from stream_jobs.series.history import LEDGER, SOURCES, Source
from stream_jobs.series.measures import Measure, label_parameters
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

MAX_ENTRIES: Final = 20_000_000
MAX_CELLS: Final = 2_000_000
"""Hours of users that are read: each is a row of an answer."""
HOUR: Final = timedelta(hours=1)
MINUTES: Final = 60
MEASURES: Final[tuple[Measure, ...]] = ("events", "effective_cost")
DRIVER_DAYS: Final = 14
OF_GPUS: Final[tuple[Measure, ...]] = ("gpu_seconds", "busy_gpu_seconds")
OF_DRIVERS: Final = tuple(name for name in SUMS if name not in OF_GPUS)
BY_HOUR: Final = next(source for source in SOURCES if source.table == "cost_1h")


class Detector(Protocol):
    """What is taught."""

    def add(self, names: Sequence[str]) -> None: ...

    def warm(self, at: int, events: Floats, cost: Floats) -> None:
        """More hours, which follow those before."""


class Hours(NamedTuple):
    """`events` and `cost` (USD) are [places of the registry, hours]; the first hour begins at `at`. Of users, whose
    places are the last ones, nothing is known before the hour number `users_from`."""

    at: int  # minutes since 1970
    events: npt.NDArray[np.float32]
    cost: npt.NDArray[np.float32]
    users_from: int
    users: int  # so many

    def teach(self, detector: Detector, names: Sequence[str]) -> None:
        """Add the series, by place, and learn: of users not that they were silent when nobody knows what they did."""
        events, cost = cast(Floats, self.events), cast(Floats, self.cost)
        known = len(names) - self.users if self.users_from and self.users else 0
        begin = self.users_from if known else 0
        if known:
            detector.add(names[:known])
            detector.warm(self.at, events[:known, :begin], cost[:known, :begin])
        detector.add(names[known:])
        detector.warm(self.at + begin * MINUTES, events[:, begin:], cost[:, begin:])


def learn(store: StoreClient, registry: Registry, days: int, until: datetime) -> Hours | None:
    """Fill the registry, and give what its series held by hour before `until`, a whole hour. None: nothing. Raises
    StoreUnavailableError."""
    first = _first(store, until - timedelta(days=days))
    if first is None or first >= until:
        return None
    levels = registry.names.levels
    users_since = max(_affordable(store, first, until), until - MAX_CELLS // registry.most * HOUR)
    parts = []
    for level in levels:
        source, since = (BY_HOUR, first) if BY_HOUR.has(level, ()) else (LEDGER, users_since)
        rows = _read(store, source, level, since, until, registry.most)
        parts.append(_Part.of(registry, level, rows, first))
    return _laid(registry, parts, first, until, max(0, int((users_since - first) / HOUR)))


def _first(store: StoreClient, since: datetime) -> datetime | None:
    ((count, first),) = cast(
        list[tuple[int, int]],
        store.rows(
            "SELECT count(), toUnixTimestamp(min(hour)) FROM cost_1h "
            "WHERE hour >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
            {"since": unix_micros(since)},
        ),
    )
    return datetime.fromtimestamp(first, since.tzinfo) if count else None


def _affordable(store: StoreClient, since: datetime, until: datetime) -> datetime:
    """From when on the ledger has no more than MAX_ENTRIES."""
    rows = store.rows(
        "SELECT toUnixTimestamp(hour) AS at, sum(entries) FROM cost_1h "
        "WHERE hour >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
        "AND hour < fromUnixTimestamp64Micro({until:Int64}, 'UTC') GROUP BY at ORDER BY at DESC",
        {"since": unix_micros(since), "until": unix_micros(until)},
    )
    total = 0
    at = until
    for hour, entries in cast(list[tuple[int, int]], rows):
        total += int(entries)
        if total > MAX_ENTRIES:
            break
        at = datetime.fromtimestamp(int(hour), until.tzinfo)
    return at


def learn_drivers(store: StoreClient, drivers: Drivers, days: int, until: datetime) -> None:
    """Judge, for those that are followed, the hours before `until`, a whole hour. The rollup does not know how long
    GPUs were busy: that is read from the ledger, as far back as is affordable. Raises StoreUnavailableError."""
    count = 24 * min(days, DRIVER_DAYS)
    first = until - count * HOUR
    place_of = {series: place for place, series in enumerate(drivers.series)}
    sums = np.zeros((count, len(place_of), len(SUMS)))
    sources = [(BY_HOUR, first, OF_DRIVERS)]
    if _has_gpus(store, first, until):
        sources.append((LEDGER, max(first, _affordable(store, first, until)), OF_GPUS))
    for source, since, measures in sources:
        for level in sorted({series.dims for series in place_of}):
            rows = _read(store, source, level, since, until, len(place_of), measures)
            vals = zip(*(rows[f"v{number}"].to_pylist() for number in range(len(level))), strict=True)
            series = [Series(level, texts) for texts in vals] if level else [Series()] * rows.num_rows
            places = np.array([place_of.get(one, -1) for one in series], np.int64)
            mine = places >= 0
            hours = (rows["h"].to_numpy()[mine] - int(first.timestamp())) // 3600
            for name in measures:
                sums[hours, places[mine], SUMS.index(name)] = rows[f"m_{name}"].to_numpy()[mine]
    for number in range(count):
        drivers.judge(minute_of(first + number * HOUR), sums[number])


def _has_gpus(store: StoreClient, since: datetime, until: datetime) -> bool:
    rows = store.rows(
        "SELECT sum(gpu_seconds) > 0 FROM cost_1h WHERE hour >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
        "AND hour < fromUnixTimestamp64Micro({until:Int64}, 'UTC')",
        {"since": unix_micros(since), "until": unix_micros(until)},
    )
    return bool(rows[0][0])


def _read(
    store: StoreClient,
    source: Source,
    level: Level,
    since: datetime,
    until: datetime,
    most: int,
    measures: Sequence[Measure] = MEASURES,
) -> pa.Table:
    """Columns v0, v1, ... of the level, h, the hour (unix seconds), and m_NAME of each measure."""
    dims = [source.column(name) for name in level]
    given = {"since": unix_micros(since), "until": unix_micros(until), **label_parameters(level)}
    when = (
        f"{source.at} >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC') "
        f"AND {source.at} < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')"
        + "".join(f" AND {dim} != ''" for dim in dims)
    )
    among = ""
    if dims:
        weight = f"toFloat64(sum({source.table}.effective_cost)) + {PER_REQUEST} * sum({source.table}.events)"
        among = (
            f" AND tuple({', '.join(dims)}) IN (SELECT tuple({', '.join(dims)}) FROM {source.table} WHERE {when} "
            f"GROUP BY {', '.join(dims)} ORDER BY {weight} DESC LIMIT {most})"
        )
    sums = ", ".join(f"toFloat64(sum({source.sums(name)[0]})) AS m_{name}" for name in measures)
    keys = ", ".join(f"{dim} AS v{number}" for number, dim in enumerate(dims))
    groups = "".join(f", v{number}" for number in range(len(dims)))
    return store.arrow(
        f"SELECT {keys + ', ' if keys else ''}toInt64(intDiv(toUnixTimestamp({source.at}), 3600) * 3600) AS h, "
        f"{sums} FROM {source.table} WHERE {when}{among} GROUP BY h{groups}",
        given,
    )


class _Part(NamedTuple):
    """Of each row of an answer its series' number in the registry's names, its hour, requests and USD."""

    ids: Ints
    hours: Ints
    events: Floats
    cost: Floats

    @classmethod
    def of(cls, registry: Registry, level: Level, rows: pa.Table, first: datetime) -> Self:
        hours = rows["h"].to_numpy()
        texts = {name: rows[f"v{number}"].cast(pa.string()) for number, name in enumerate(level)}
        facts = Facts(pa.table({"minute": pa.array(hours), **texts}))
        ids = registry.names.ids(level, facts)
        kept = ids >= 0
        hours = (hours - int(first.timestamp())) // 3600
        return cls(ids[kept], hours[kept], *(rows[f"m_{name}"].to_numpy()[kept] for name in MEASURES))


def _laid(registry: Registry, parts: Sequence[_Part], first: datetime, until: datetime, users_from: int) -> Hours:
    ids, hours, events, cost = (np.concatenate(column) for column in zip(*parts, strict=True))
    count = int((until - first) / HOUR)
    age = 0.5 ** ((count - hours) / HALF_LIFE)
    everybody = np.unique(ids)
    registry.spent(
        everybody,
        np.bincount(ids, np.abs(cost) * age)[everybody],
        np.bincount(ids, np.abs(events) * age)[everybody],
    )
    registry.admit(registry.ranked(everybody), set)
    places = registry.place_of(ids)
    mine = places >= 0
    laid = np.zeros((2, len(registry.places), count), np.float32)
    laid[0, places[mine], hours[mine]] = events[mine]
    laid[1, places[mine], hours[mine]] = cost[mine]
    log.info("learned from %d hours of %d series", count, len(registry.places))
    users = sum(is_user(series) for series in registry.places)
    return Hours(minute_of(first), laid[0], laid[1], users_from, users)

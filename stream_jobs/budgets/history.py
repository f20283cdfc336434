"""What the budgets job keeps in ClickHouse: definitions, crossings, and where every budget stands."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar, cast

import pyarrow as pa

from stream_jobs.base.instants import EPOCH, as_utc, unix_micros
from stream_jobs.base.money import pico_from_usd
from stream_jobs.budgets.book import KEEP_NOTIFIED, Notified, Place, StandingUpdate
from stream_jobs.budgets.period_rows import kept_period, period_rows
from stream_jobs.budgets.standing import WINDOW_KEY, Standing, ThresholdKey
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Sums, Values
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

MAX_VALUES: Final = 50
"""That a parameter names: a server allows it 131,072 bytes, and values are texts from outside."""
MONTHS_AT_ONCE: Final = 12
"""An insert goes into one partition per month; ClickHouse refuses more than a hundred."""
ROWS_AT_ONCE: Final = 50_000
"""Of one insert: what is made of them at once is held in memory."""
UNRECORDED: Final = timedelta(minutes=10)
"""How far what is recorded may lag behind what is booked: deltas that wait, and what is recorded every few seconds."""
_Row = TypeVar("_Row")

TAKEN_BACK: Final = ""
"""The period_key of a row that no longer counts. ClickHouse replaces rows, and the job deletes none."""


class Recorded(NamedTuple):
    """What a row of budget_periods is about."""

    period: Period
    values: Values


class BudgetHistory:
    """Raises StoreUnavailableError when ClickHouse does not answer."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store

    def notified(self, now: datetime) -> dict[Place, Notified]:
        """The thresholds that are crossed, of periods that are not long over, and the forecasts that were told; and
        what was taken back just before the job ended, for it may have told nobody.

        A window is never over, however long ago it crossed."""
        last = self.last_recorded()
        ended = EPOCH if last is None else last - UNRECORDED
        rows = self._store.rows(
            "SELECT budget_id, period_key, vals, max(period_start), max(period_end), toString(kind), threshold, "
            "threshold_amount, argMax(direction, (at, direction = 'down')) = 'up', "
            "argMax(at, (at, direction = 'down')), argMax(late, at), argMaxIf(amount, at, direction = 'up'), "
            "maxIf(at, direction = 'up') "
            "FROM budget_crossings "
            "WHERE period_end > fromUnixTimestamp64Micro({since:Int64}, 'UTC') OR period_key = {window:String} "
            "GROUP BY budget_id, period_key, vals, kind, threshold, threshold_amount",
            {"since": unix_micros(now - KEEP_NOTIFIED), "window": WINDOW_KEY},
        )
        found: dict[Place, Notified] = {}
        for row in cast(list[tuple[Any, ...]], rows):
            budget_id, key, vals, start, end, kind, percent, amount, up, at, late, of, told_at = row
            notified = found.setdefault(
                Place(budget_id, key, tuple(vals)), Notified(Period(as_utc(start), as_utc(end)))
            )
            which = ThresholdKey(kind, Decimal(percent), Decimal(amount))
            if up:
                notified.crossed[which] = as_utc(at)
            elif as_utc(at) >= ended:
                notified.taken_back.add(which)
            if kind == "forecast" and (up or not late):
                notified.forecast_notified[which], notified.told_at[which] = of, as_utc(told_at)
        return {place: one for place, one in found.items() if one.crossed or one.forecast_notified or one.taken_back}

    def record_crossings(self, updates: Sequence[StandingUpdate]) -> None:
        """One row per threshold and direction. May be repeated with the same arguments."""
        rows = [
            _crossing(update, key, direction)
            for update in updates
            for direction, keys in (("up", update.up), ("down", update.down))
            for key in keys
        ]
        self._insert("budget_crossings", rows)

    def record_standings(self, updates: Iterable[StandingUpdate]) -> None:
        """The latest of each budget, values and period. May be repeated with the same arguments."""
        by_month: dict[tuple[int, int], list[StandingUpdate]] = {}
        for update in updates:
            start, _ = kept_period(update.standing.period, rolling=update.standing.rolling)
            by_month.setdefault((start.year, start.month), []).append(update)
        for part in _parts(by_month):
            self._send("budget_periods", period_rows(part))

    def recorded(
        self, budget_id: str, since: datetime, until: datetime, among: Collection[Values] | None = None
    ) -> dict[Recorded, Sums]:
        """What is kept of a budget's periods that begin in [since, until): what was said to be spent, to have no price,
        and to be held for that (all of it, `flat` is 0); `among`: only of these values. Of a rolling window nothing: it
        has no periods."""
        question = (
            "SELECT period_start, period_end, vals, spent, unpriced_events, held FROM budget_periods FINAL "
            f"WHERE budget_id = {{budget:String}} AND {_STARTS} AND {_IS_PERIOD}"
        )
        given: dict[str, Any] = {"budget": budget_id, **_bounds(since, until)}
        if among is None:
            rows = self._store.rows(question, given)
        elif len(among) <= MAX_VALUES:
            given["vals"] = [list(one) for one in sorted(among)]
            rows = self._store.rows(question + " AND vals IN {vals:Array(Array(String))}", given)
        else:
            ids = ["/".join(value.encode().hex() for value in one) for one in sorted(among)]
            rows = self._store.rows_for_ids(f"{question} AND {_VALS_ID} IN {{ids:Array(String)}}", ids, given)
        return {
            Recorded(Period(as_utc(start), as_utc(end)), tuple(vals)): Sums(
                pico_from_usd(spent), int(unpriced), pico_from_usd(held)
            )
            for start, end, vals, spent, unpriced, held in cast(list[tuple[Any, ...]], rows)
        }

    def periods(self, budget_id: str, since: datetime, until: datetime, limit: int) -> dict[Period, int]:
        """The first so many that are kept of a budget and begin in [since, until), rising, and how many rows each
        has."""
        rows = self._store.rows(
            "SELECT period_start, period_end, count() FROM budget_periods FINAL "
            f"WHERE budget_id = {{budget:String}} AND {_STARTS} AND {_IS_PERIOD} "
            f"GROUP BY period_start, period_end ORDER BY period_start, period_end LIMIT {limit}",
            {"budget": budget_id, **_bounds(since, until)},
        )
        return {
            Period(as_utc(start), as_utc(end)): int(count) for start, end, count in cast(list[tuple[Any, ...]], rows)
        }

    def running(self, now: datetime, among: Collection[str] | None = None) -> list[tuple[str, Recorded]]:
        """The rows of periods that hold this instant, by budget, of all that its calendar was; of every budget, or at
        least of these."""
        which, given = "", {"now": unix_micros(now)} | dict[str, Any]()
        if among is not None and len(among) <= MAX_VALUES:
            which, given["budgets"] = " AND budget_id IN {budgets:Array(String)}", sorted(among)
        rows = self._store.rows(
            "SELECT budget_id, period_start, period_end, vals FROM budget_periods FINAL "
            "WHERE period_start <= fromUnixTimestamp64Micro({now:Int64}, 'UTC') "
            f"AND period_end > fromUnixTimestamp64Micro({{now:Int64}}, 'UTC') AND {_IS_PERIOD}{which}",
            given,
        )
        return [
            (budget_id, Recorded(Period(as_utc(start), as_utc(end)), tuple(vals)))
            for budget_id, start, end, vals in cast(list[tuple[Any, ...]], rows)
        ]

    def last_recorded(self) -> datetime | None:
        """When a standing was last kept; None: never."""
        ((count, at),) = cast(
            list[tuple[int, datetime]], self._store.rows("SELECT count(), max(updated_at) FROM budget_periods")
        )
        return as_utc(at) if count else None

    def take_back(self, budget_id: str, rows: Iterable[Recorded], now: datetime) -> None:
        """These periods and values are the budget's no longer: it has other ones by now."""
        self._insert("budget_periods", [_taken_back(budget_id, row, now) for row in rows])

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        by_month: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in rows:
            by_month.setdefault((row["period_start"].year, row["period_start"].month), []).append(row)
        for part in _parts(by_month):
            self._send(table, arrow_table(table, part))

    def _send(self, table: str, rows: pa.Table) -> None:
        insert(self._store.client, table, rows, _token(rows))


_STARTS: Final = (
    "period_start >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
    "AND period_start < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)
_VALS_ID: Final = "arrayStringConcat(arrayMap(one -> lower(hex(one)), vals), '/')"
_IS_PERIOD: Final = f"period_key NOT IN ('{TAKEN_BACK}', '{WINDOW_KEY}')"


def _bounds(since: datetime, until: datetime) -> dict[str, Any]:
    return {"since": unix_micros(since), "until": unix_micros(until)}


def _token(rows: pa.Table) -> str:
    """Of the content: the same rows again change nothing."""
    digest = hashlib.sha256()
    for batch in rows.to_batches():
        digest.update(batch.serialize())
    return digest.hexdigest()


def _parts(by_month: Mapping[tuple[int, int], Sequence[_Row]]) -> Iterator[list[_Row]]:
    """The rows of MONTHS_AT_ONCE months at most and ROWS_AT_ONCE at most, the earliest months first."""
    months = sorted(by_month)
    for first in range(0, len(months), MONTHS_AT_ONCE):
        rows = [row for month in months[first : first + MONTHS_AT_ONCE] for row in by_month[month]]
        for at in range(0, len(rows), ROWS_AT_ONCE):
            yield rows[at : at + ROWS_AT_ONCE]


def _figures(standing: Standing) -> dict[str, Any]:
    unit = standing.unit
    return {
        "unit": unit.kept_in,
        "currency": unit.name if unit.is_money else "",
        "rate": unit.rate,
        "amount": unit.kept(standing.amount),
        "spent": unit.kept(standing.spent),
        "held": unit.kept(standing.held),
        "unpriced_events": standing.unpriced,
        "forecast": None if standing.forecast is None else unit.kept(standing.forecast),
    }


def _crossing(update: StandingUpdate, key: ThresholdKey, direction: str) -> dict[str, Any]:
    start, end = kept_period(update.standing.period, rolling=update.standing.rolling)
    return {
        "budget_id": update.place.budget_id,
        "vals": list(update.place.values),
        "period_key": update.place.period_key,
        "period_start": start,
        "period_end": end,
        "kind": key.kind,
        "threshold": key.percent,
        "threshold_amount": key.amount,
        "direction": direction,
        "at": update.at,
        **_figures(update.standing),
        "late": update.late,
    }


def _taken_back(budget_id: str, row: Recorded, now: datetime) -> dict[str, Any]:
    nothing = dict.fromkeys(("amount", "spent", "held", "credited"), Decimal(0))
    unknown = dict.fromkeys(("forecast", "burn_per_hour", "exhausted_at"))
    return {
        "budget_id": budget_id,
        "period_start": row.period.start,
        "vals": list(row.values),
        "period_key": TAKEN_BACK,
        "period_end": row.period.end,
        "updated_at": now,
        **dict.fromkeys(("name", "owner", "parent", "unit", "currency"), ""),
        "rate": Decimal(1),
        "per": [],
        **nothing,
        "unpriced_events": 0,
        **unknown,
        "thresholds": [],
        "threshold_amounts": [],
    }

"""Reading what is forecast, for people: the latest complete runs, and the series and budgets that they tell of.

Rows of a run that is not complete are never read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import EPOCH, as_utc, unix_micros
from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.periods import grain_of
from stream_jobs.series.calendar import Period
from stream_jobs.series.measures import Measure
from stream_jobs.store.client import StoreClient

STEPS: Final[tuple[Step, Step]] = ("hour", "day")
MOST_NAMED: Final = 10
COST: Final[Measure] = "effective_cost"
_RUNS: Final = """
    WITH done AS (SELECT grain, max(run) AS last FROM forecast_runs WHERE status = 'complete' GROUP BY grain)
    SELECT toString(grain), toString(status), max(run), min(at), argMax(known_until, run), argMax(due_at, run),
        argMax(error, at)
    FROM forecast_runs LEFT JOIN done USING grain
    WHERE run > done.last OR (run = done.last AND status = 'complete')
    GROUP BY grain, status"""
_SERIES: Final = (
    *("budget_id", "dims", "vals", "measure", "zone", "label", "why", "method", "members", "known"),
    *("scored", "error", "coverage"),
)
_STEPS: Final = "SELECT at, p10, p50, p90, sum_p10, sum_p50, sum_p90 FROM forecasts"
_BUDGETS: Final = """
    SELECT told.budget_id, told.vals, told.period_start, period_end, currency, rate, told.amount, spent, p10, p50, p90,
        probability, breach_p10, breach_p50, breach_p90, label, why, run, known_until, stale_since, stale_why,
        if(stands.budget_id = '', NULL, stands.amount)
    FROM budget_forecasts_now AS told
    LEFT JOIN (SELECT budget_id, vals, period_start, amount FROM budget_status) AS stands
    ON told.budget_id = stands.budget_id AND told.vals = stands.vals AND told.period_start = stands.period_start
    ORDER BY told.budget_id, told.vals"""


class Band(NamedTuple):
    """P10, P50 and P90."""

    p10: Decimal
    p50: Decimal
    p90: Decimal


@dataclass(frozen=True, slots=True)
class Made:
    """The latest complete run of a grain, and whether it is what one would have by now."""

    grain: Step
    run: datetime
    known_until: datetime
    stale_since: datetime | None = None
    stale_why: str = ""


@dataclass(frozen=True, slots=True)
class Runs:
    """What there is to look at; `why_not`: what people should know where there is none of a grain."""

    hour: Made | None
    day: Made | None
    why_not: str = ""

    def of(self, grain: Step) -> Made | None:
        return self.hour if grain == "hour" else self.day


@dataclass(frozen=True, slots=True)
class OneSeries:
    """How a series is forecast, and how good that was so far."""

    made: Made
    series: OfSeries
    zone: str
    label: str
    why: str
    method: str
    members: tuple[str, ...]
    known: int  # cells of history
    scored: int  # steps of earlier runs that are over
    error: float | None  # of these: the mean distance of P50 from what came; 1: as good as naive
    coverage: float | None  # of these: the share between P10 and P90


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step, and everything from the first step to the end of this one: quantiles of their own, no sums."""

    at: datetime
    step: Band
    total: Band


@dataclass(frozen=True, slots=True)
class BudgetAhead:
    """What a budget's period will come to. Figures are kept ones: `unit` says them."""

    made: Made
    budget_id: str
    values: tuple[str, ...]
    period_start: datetime
    period_end: datetime
    unit: Unit
    amount: Decimal
    spent: Decimal
    total: Band | None  # None: refused
    probability: float | None  # that more than the amount is spent; None: nobody watches that
    gone: tuple[datetime | None, datetime | None, datetime | None]  # P10, P50, P90; None: not in this period
    label: str
    why: str
    amount_now: Decimal | None = None  # None: nobody knows

    @property
    def name(self) -> str:
        return "/".join((self.budget_id, *self.values))

    @property
    def why_another(self) -> str:
        """In words, where the amount has changed since, by a credit or by its file: the chances are about the old one;
        else empty."""
        if self.amount_now is None or self.amount_now == self.amount:
            return ""
        return f"the amount is {self.unit.text(self.amount_now)} now: the next run, or --now, forecasts when it is gone"


def read_runs(store: StoreClient) -> Runs:
    """Raises StoreUnavailableError."""
    return runs_of(store.rows(_RUNS), store.now())


def runs_of(rows: Iterable[Sequence[Any]], now: datetime) -> Runs:
    """`rows`: of each grain and status since the last complete run, as _RUNS asks for them."""
    seen = {(row[0], row[1]): row[2:] for row in rows}
    hour, day = (_made(grain, seen, now) for grain in STEPS)
    return Runs(hour, day, "" if hour and day else _why_none(seen))


def _made(grain: Step, seen: dict[tuple[str, str], Sequence[Any]], now: datetime) -> Made | None:
    if (grain, "complete") not in seen:
        return None
    run, _, known_until, due_at, _ = seen[grain, "complete"]
    since, why = (as_utc(due_at), "no run since") if now > as_utc(due_at) else (None, "")
    problems = [seen[grain, status] for status in ("stale", "failed") if (grain, status) in seen]
    if problems:
        since = min(as_utc(row[1]) for row in problems)
        why = str(max(problems, key=lambda row: row[0])[4]) or why
    return Made(grain, as_utc(run), as_utc(known_until), since, why)


def _why_none(seen: dict[tuple[str, str], Sequence[Any]]) -> str:
    missing = [grain for grain in STEPS if (grain, "complete") not in seen]
    whose = "there is no forecast yet" if len(missing) > 1 else f"there is no forecast by the {missing[0]} yet"
    failed = [seen[grain, "failed"] for grain in missing if (grain, "failed") in seen]
    if failed:
        return f"{whose}: {max(failed, key=lambda row: row[0])[4]}"
    begun = [as_utc(seen[grain, "running"][0]) for grain in missing if (grain, "running") in seen]
    if begun:
        return f"{whose}: a run began at {max(begun):%F %H:%M:%S} UTC and is not done"
    return (
        f"{whose}: the job 'forecasts' has not begun a run. It runs with 'spendstream up', or as 'spendstream worker "
        "forecasts'; --now asks it for one"
    )


def read_series(store: StoreClient, made: Made) -> list[OneSeries]:
    """All of a run, refused ones too. Raises StoreUnavailableError."""
    rows = store.rows(
        f"SELECT {', '.join(_SERIES)} FROM forecast_series WHERE {_OF_RUN} ORDER BY budget_id, dims, vals",
        _run_of(made),
    )
    return [series_of_row(made, row) for row in cast(list[tuple[Any, ...]], rows)]


def series_of_row(made: Made, row: Sequence[Any]) -> OneSeries:
    """A row of the columns that `read_series` asks for."""
    budget_id, dims, vals, measure, zone, label, why, method, members, known, scored, error, coverage = row
    series = OfSeries(str(budget_id), tuple(dims), tuple(vals), measure)
    quality = int(known), int(scored), error, coverage
    return OneSeries(made, series, str(zone), str(label), str(why), str(method), tuple(members), *quality)


def the_one(found: Sequence[OneSeries], wanted: OfSeries) -> OneSeries:
    """Of what a run has said something of. The order of values does not matter. Raises ConfigError where there is no
    such series, with those that are most like it."""
    asked = dict(zip(wanted.dims, wanted.vals, strict=True))
    of_budget = [one for one in found if one.series.budget_id == wanted.budget_id]
    if not wanted.budget_id:
        of_budget = [one for one in of_budget if one.series.measure == COST]
    for one in of_budget:
        if dict(zip(one.series.dims, one.series.vals, strict=True)) == asked:
            return one
    like = [one for one in of_budget if {*one.series.dims} == {*asked}] or of_budget
    names = [one.series.words for one in like if "" not in one.series.vals]
    listed = "; ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
    there = f"there are: {listed}" if names else "there is none like it"
    raise ConfigError(f"no forecast of {wanted.words[:200]!r}: of each kind the dearest have one; {there}")


def read_ahead(store: StoreClient, one: OneSeries, steps: int) -> list[Ahead]:
    """At most so many steps; none of what is refused. Raises StoreUnavailableError."""
    series = one.series
    rows = store.rows(
        f"{_STEPS} WHERE {_OF_RUN} AND budget_id = {{budget_id:String}} AND dims = {{dims:Array(String)}} "
        "AND vals = {vals:Array(String)} AND measure = {measure:String} ORDER BY at LIMIT {steps:UInt32}",
        {
            **_run_of(one.made),
            **{"budget_id": series.budget_id, "dims": [*series.dims], "vals": [*series.vals]},
            **{"measure": series.measure, "steps": steps},
        },
    )
    return [Ahead(as_utc(row[0]), Band(*row[1:4]), Band(*row[4:7])) for row in cast(list[tuple[Any, ...]], rows)]


def read_budgets_ahead(store: StoreClient, made: Made, steps: int) -> dict[OfSeries, list[Ahead]]:
    """Of all series of budgets, at most so many steps of each. Raises StoreUnavailableError."""
    rows = store.rows(
        "SELECT budget_id, dims, vals, measure, at, p10, p50, p90, sum_p10, sum_p50, sum_p90 FROM forecasts "
        f"WHERE {_OF_RUN} AND budget_id != '' ORDER BY budget_id, dims, vals, measure, at "
        "LIMIT {steps:UInt32} BY budget_id, dims, vals, measure",
        {**_run_of(made), "steps": steps},
    )
    found: dict[OfSeries, list[Ahead]] = {}
    for budget_id, dims, vals, measure, at, *figures in cast(list[tuple[Any, ...]], rows):
        series = OfSeries(str(budget_id), tuple(dims), tuple(vals), measure)
        found.setdefault(series, []).append(Ahead(as_utc(at), Band(*figures[:3]), Band(*figures[3:])))
    return found


def read_budgets(store: StoreClient) -> list[BudgetAhead]:
    """Of all budgets whose period has an end that is not over yet. Raises StoreUnavailableError."""
    return [budget_of_row(row) for row in cast(list[tuple[Any, ...]], store.rows(_BUDGETS))]


def budget_of_row(row: Sequence[Any]) -> BudgetAhead:
    """A row of the columns that `read_budgets` asks for."""
    budget_id, vals, start, end, currency, rate, amount, spent, p10, p50, p90, probability, *rest = row
    *gone, label, why, run, known_until, stale_since, stale_why, amount_now = rest
    instants = [None if at is None else as_utc(at) for at in (*gone, stale_since)]
    grain = grain_of(Period(as_utc(start), as_utc(end)))
    made = Made(grain, as_utc(run), as_utc(known_until), instants[3], str(stale_why))
    return BudgetAhead(
        *(made, str(budget_id), tuple(vals), as_utc(start), as_utc(end), Unit(str(currency), rate), amount, spent),
        total=None if p50 is None else Band(p10, p50, p90),
        probability=probability,
        gone=(instants[0], instants[1], instants[2]),
        label=str(label),
        why=str(why),
        amount_now=amount_now,
    )


_OF_RUN: Final = "grain = {grain:String} AND run = fromUnixTimestamp64Micro({run:Int64}, 'UTC')"


def _run_of(made: Made) -> dict[str, Any]:
    assert made.run > EPOCH
    return {"grain": made.grain, "run": unix_micros(made.run)}

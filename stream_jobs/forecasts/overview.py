"""What people look at, put together: the total and every budget, or one series in full."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from stream_jobs.forecasts.drivers_ahead import read_drivers
from stream_jobs.forecasts.grid import Step
from stream_jobs.forecasts.model import REST
from stream_jobs.forecasts.overrides import OfSeries, Said, read_overrides
from stream_jobs.forecasts.read import (
    Ahead,
    Made,
    OneSeries,
    read_ahead,
    read_budgets,
    read_budgets_ahead,
    read_runs,
    read_series,
    the_one,
)
from stream_jobs.forecasts.recent import read_lengths, read_windows
from stream_jobs.forecasts.terminal import Outlined, Overview, Shown
from stream_jobs.forecasts.windows import Window
from stream_jobs.store.client import StoreClient


def read_overview(store: StoreClient, steps: Mapping[Step, int]) -> Overview:
    """`steps`: how far ahead the total, and budgets without an end, are looked at by each grain that is asked for. Of
    several that say something of a budget the first counts; of one that drops nothing the last, which looks farther.
    Raises StoreUnavailableError."""
    runs, budgets, lengths = read_runs(store), read_budgets(store), read_lengths(store)
    totals: list[Outlined] = []
    notes: list[str] = []
    endless: dict[OfSeries, tuple[OneSeries, list[Ahead]]] = {}
    has_end = {(one.budget_id, one.values) for one in budgets}
    for grain, count in steps.items():
        made = runs.of(grain)
        found = read_series(store, made) if made else []
        if made and not found:
            notes.append(f"by the {grain}: nothing can be said before usage of a whole hour is booked")
        totals += [_outlined(one, read_ahead(store, one, count)) for one in found if one.series == OfSeries()]
        ahead_of = read_budgets_ahead(store, made, count) if made and found else {}
        for one in found:
            series = one.series
            is_one = series.budget_id and REST not in series.vals and (series.budget_id, series.vals) not in has_end
            if not is_one:
                continue
            ahead = ahead_of.get(series, [])
            drops_nothing = lengths.get(series.budget_id, 0) is None
            if series not in endless or not endless[series][1] or (drops_nothing and ahead):
                endless[series] = one, ahead
    windows = read_windows(store, lengths, {one: ahead for one, ahead in endless.values() if ahead})
    outlined = [_outlined(one, ahead, windows.get(one)) for one, ahead in endless.values()]
    return Overview(runs, totals, budgets, outlined, notes, read_drivers(store, OfSeries()))


def look_at(store: StoreClient, made: Made, wanted: OfSeries, steps: int) -> Shown:
    """Raises ConfigError where the run says nothing of it, StoreUnavailableError."""
    one = the_one(read_series(store, made), wanted)
    own = one.series.budget_id, one.series.vals
    budgets = [budget for budget in read_budgets(store) if (budget.budget_id, budget.values) == own]
    expected = [override for override in read_overrides(store) if _is_same(override.series, one)]
    ahead, drivers = read_ahead(store, one, steps), read_drivers(store, one.series)
    return Shown(one, ahead, budgets[0] if budgets else None, expected, drivers)


def said_of(ahead: Sequence[Ahead], time: tuple[datetime, datetime]) -> Said | None:
    """What the steps say of a time; None where they do not cover it from a step's beginning to another's."""
    start, end = time
    begins = [step.at for step in ahead]
    if start not in begins or end not in begins[1:]:
        return None
    first, after = begins.index(start), begins.index(end)
    if not first:
        return Said(*ahead[after - 1].total)
    middle = max(ahead[after - 1].total.p50 - ahead[first - 1].total.p50, Decimal(0))
    low, high = (sum((step.step[place] for step in ahead[first:after]), Decimal(0)) for place in (0, 2))
    return Said(min(low, middle), middle, max(high, middle))


def _is_same(series: OfSeries, one: OneSeries) -> bool:
    def of(other: OfSeries) -> tuple[str, Sequence[tuple[str, str]]]:
        return other.budget_id, sorted(zip(other.dims, other.vals, strict=True))

    return of(series) == of(one.series)


def _outlined(one: OneSeries, ahead: Sequence[Ahead], window: Window | None = None) -> Outlined:
    return Outlined(one, len(ahead), ahead[-1] if ahead else None, window)

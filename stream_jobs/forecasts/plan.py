"""What one run looks at: which series, on which grids, how far ahead. Plain."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from spendstream_schemas.budget_feed import END_OF_TOTALS
from stream_jobs.base.instants import time_zone
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.forecasts.grid import Grid, Step
from stream_jobs.forecasts.model import Watched
from stream_jobs.forecasts.past import demand, drivers, scopes
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.series.calendar import Period, Window
from stream_jobs.series.spec import SeriesSpec

FARTHEST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Part:
    """Series that are forecast together."""

    grid: Grid
    watched: list[Watched]
    budgets: list[Budget]
    origin: int  # the first cell that is forecast
    cells: int  # so many of the past are looked at
    horizon: int
    takes_slow: bool = True  # slow members are fitted to its series


def parts(grain: Step, budgets: Budgets, known_until: datetime, settings: ForecastsSettings) -> list[Part]:
    """Of hours one, and one of what models are asked; of days one for each zone that somebody's days are of. The
    settings' zone has the scopes. What drives their costs comes last: budgets have what one run may ask for before it.
    Demand and drivers stand apart: series that are forecast together learn from each other."""
    counting = [budget for budget in budgets if budgets.in_force(budget, known_until)]
    if grain == "hour":
        grid = Grid("hour")
        cells, horizon = settings.history_hours, settings.hours
        origin = grid.cell_at(known_until)
        of_costs = _part(grid, scopes(grid), counting, budgets, origin, cells, horizon)
        if not settings.demand_values:
            return [of_costs]
        return [of_costs, Part(grid, demand(grid, settings.demand_values), [], origin, cells, horizon)]
    own = time_zone(settings.zone)
    zones: dict[str, ZoneInfo] = {own.key: own}
    by_zone: dict[str, list[Budget]] = {own.key: []}
    for budget in counting:
        zone = budgets.zone_of(budget)
        zones.setdefault(zone.key, zone)
        by_zone.setdefault(zone.key, []).append(budget)
    found = []
    for name, theirs in by_zone.items():
        grid = Grid("day", zones[name])
        origin = grid.cell_at(known_until)
        horizon = max([settings.days, *(_days_left(budget, budgets, grid, origin) for budget in theirs)])
        watched = scopes(grid) if name == own.key else []
        found.append(_part(grid, watched, theirs, budgets, origin, settings.history_days, min(horizon, FARTHEST_DAYS)))
    costs = found[0]  # of the settings' zone
    of_drivers = Part(
        *(costs.grid, drivers(costs.grid), [], costs.origin, costs.cells, settings.days), takes_slow=False
    )
    return [*found, of_drivers]


def period_of(budgets: Budgets, budget: Budget, at: datetime) -> Period | None:
    """The period whose end is forecast: None where there is none, or none with an end."""
    calendar = budgets.calendar_of(budget)
    if isinstance(calendar, Window):
        return None
    period = calendar.period_at(at)
    return None if period is None or period.end >= END_OF_TOTALS else period


def _days_left(budget: Budget, budgets: Budgets, grid: Grid, origin: int) -> int:
    period = period_of(budgets, budget, grid.start(origin))
    return 0 if period is None else grid.cells_until(origin, period.end)


def _part(
    grid: Grid, watched: list[Watched], counting: list[Budget], budgets: Budgets, origin: int, cells: int, horizon: int
) -> Part:
    theirs = []
    for budget in counting:
        spec = budgets.series_of(budget)
        theirs.append(Watched(SeriesSpec(spec.scope, spec.per, spec.measure, grid.calendar), budget.id))
    return Part(grid, [*watched, *theirs], counting, origin, cells, horizon)

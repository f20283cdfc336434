"""What a report says of the time to come: everything together, drawn, and which budget will be gone when."""

from dataclasses import dataclass
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.readable import instant
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.forecasts.read import BudgetAhead, read_ahead, read_budgets, read_runs, read_series, the_one
from stream_jobs.forecasts.recent import read_recent
from stream_jobs.forecasts.terminal import as_of, chance, figure, gone, soonest
from stream_jobs.report.forecast_plots import plot
from stream_jobs.store.client import StoreClient

STEPS: Final = {"hour": 72, "day": 90}
MOST_BUDGETS: Final = 12


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """All of it as people read it."""

    name: str
    until: str
    spent: str
    amount: str
    band: str  # P50 (P10 to P90) of the whole period
    chance: str
    gone: str
    label: str


@dataclass(frozen=True, slots=True)
class Section:
    said: str  # what everything comes to
    as_of: str
    plot: str  # inline SVG without text from outside; empty: there is nothing to draw
    budgets: tuple[BudgetLine, ...]
    others: int  # budgets that are not shown


def read_section(store: StoreClient) -> Section | None:
    """None where nobody forecasts, or no run is complete. Raises StoreUnavailableError."""
    runs = read_runs(store)
    made = runs.day or runs.hour
    if made is None:
        return None
    try:
        one = the_one(read_series(store, made), OfSeries())
    except ConfigError as error:  # the run says nothing of everything together, and why
        said, drawn = str(error), ""
    else:
        ahead = read_ahead(store, one, STEPS[made.grain])
        drawn = plot(one, read_recent(store, one), ahead, "forecast")
        said = f"{one.label}: {one.why}"
        if ahead:
            low, middle, high = (figure(one, amount) for amount in ahead[-1].total)
            span = f"in the next {len(ahead)} {made.grain}s"
            said = f"{middle} is expected {span}, between {low} and {high} in eight of ten cases ({one.label})"
    budgets = soonest(read_budgets(store))
    return Section(said, as_of(made), drawn, tuple(map(_line, budgets[:MOST_BUDGETS])), len(budgets[MOST_BUDGETS:]))


def _line(one: BudgetAhead) -> BudgetLine:
    band = ""
    if one.total is not None:
        low, middle, high = (one.unit.text(amount) for amount in one.total)
        band = f"{middle} ({low} to {high})"
    label = one.why if one.label == "refused" else one.why_another or one.label
    spent, amount = one.unit.text(one.spent), one.unit.text(one.amount)
    return BudgetLine(one.name, instant(one.period_end), spent, amount, band, chance(one), gone(one), label)

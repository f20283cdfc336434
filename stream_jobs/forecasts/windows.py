"""What a budget without an end will hold, cell by cell: a window drops what is older than it is long, a total nothing.
Plain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from stream_jobs.budget_terms.units import Unit
from stream_jobs.forecasts.read import Ahead, Band

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A budget whose period is the last so many hours, always; or all that was ever spent. Figures are kept ones:
    `unit` says them."""

    hours: int | None  # None: it drops nothing
    unit: Unit
    amount: Decimal
    spent: Decimal  # of what is in it: of a window where the forecast begins, ever by now
    bands: tuple[Band, ...] = ()  # what it holds at the end of each cell to come, until nothing of the past is in it
    gone: tuple[datetime | None, datetime | None, datetime | None] = (None, None, None)
    """P10, P50 and P90: the cell by whose end the amount is passed with that chance; None: not within `bands`."""


def window_of(hours: int, unit: Unit, amount: Decimal, came: Sequence[Decimal], ahead: Sequence[Ahead]) -> Window:
    """`came`: by the hour, the last one is that before the forecast begins; hours that are missing had nothing."""
    bands = tuple(_plus(_kept(came, hours - past - 1), ahead[past].total) for past in range(min(hours, len(ahead))))
    return Window(hours, unit, amount, _kept(came, hours), bands, _gone(amount, bands, ahead))


def total_of(unit: Unit, amount: Decimal, spent: Decimal, since: Decimal, ahead: Sequence[Ahead]) -> Window:
    """`spent`: ever; `since`: of that from where the forecast begins on, which is in both."""
    bands = tuple(Band(*(max(spent, figure) for figure in _plus(spent - since, step.total))) for step in ahead)
    return Window(None, unit, amount, spent, bands, _gone(amount, bands, ahead))


def _gone(
    amount: Decimal, bands: Sequence[Band], ahead: Sequence[Ahead]
) -> tuple[datetime | None, datetime | None, datetime | None]:
    begins = [step.at for step in ahead]
    early, middle, late = (passed(amount, [band[place] for band in bands], begins) for place in (2, 1, 0))
    return early, middle, late


def _kept(came: Sequence[Decimal], hours: int) -> Decimal:
    return sum(came[-hours:], Decimal(0)) if hours > 0 else Decimal(0)


def _plus(kept: Decimal, band: Band) -> Band:
    return Band(*(kept + figure for figure in band))


def passed(amount: Decimal, holds: Sequence[Decimal], begins: Sequence[datetime]) -> datetime | None:
    """Where the first cell begins at whose end more is held; None: there is none. `begins`: of these cells."""
    return next((begins[place] for place, figure in enumerate(holds) if figure > amount), None)

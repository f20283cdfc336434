"""What moves a cost, for people: the view `drivers_ahead`, read and put into words and a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from rich.text import Text

from stream_jobs.base.readable import count, money
from stream_jobs.forecasting.drivers import PARTS, Part
from stream_jobs.forecasts.drivers import LATELY
from stream_jobs.forecasts.overrides import OfSeries
from stream_jobs.output.tables import Table
from stream_jobs.store.client import StoreClient, StoreQueryError

WORDS: Final[Mapping[Part, str]] = {
    "requests": "requests",
    "tokens_per_request": "tokens per request",
    "known_prices": "prices that are known",
    "price": "the rest of the price",
}
_LEAST: Final = 0.005
"""What moves a cost by less is not told."""
_WHOLE: Final = 100
_FAR: Final = 10
_UNITS: Final = {"token": "per 1M tokens", "request": "per request", "nothing": ""}
_PAIRS: Final = ("cost", "requests", "tokens_per_request", "unit_price")
_COLUMNS: Final = (
    *("days", "per", "ratio", "why"),
    *(f"{name}_{when}" for name in _PAIRS for when in ("lately", "ahead")),
    *(f"{part}_factor" for part in PARTS),
    *(f"{part}_usd" for part in PARTS),
)


class Pair(NamedTuple):
    """Of a day. None: there is none."""

    lately: Any
    ahead: Any


@dataclass(frozen=True, slots=True)
class DriversAhead:
    """Of the mean day of the next `days` beside that of the last 28."""

    days: int
    per: str  # what the price is of: token, request or nothing
    ratio: float | None  # of the costs; None: it cannot be told, and `why` says why
    why: str
    cost: Pair  # USD
    requests: Pair
    tokens_per_request: Pair
    unit_price: Pair  # USD per million tokens, or per request
    factors: Mapping[Part, float]  # they multiply to the ratio; empty without
    usd: Mapping[Part, Decimal]  # they add up to the difference of the costs

    @property
    def words(self) -> str:
        if self.ratio is None:
            return self.why
        told = [f"{WORDS[part]} {_percent(by)}" for part, by in self.factors.items() if abs(by - 1) >= _LEAST]
        parts = f": {', '.join(told)}" if told else ""
        return f"cost a day {_percent(self.ratio)} in the next {self.days} days beside the last {LATELY}{parts}"


def read_drivers(store: StoreClient, series: OfSeries) -> list[DriversAhead]:
    """In rising order of days; empty where they are not told of: of budgets, before the first run of days, by an
    instance of before. Raises StoreUnavailableError."""
    if series.budget_id:
        return []
    try:
        rows = store.rows(
            f"SELECT {', '.join(_COLUMNS)} FROM drivers_ahead WHERE dims = {{dims:Array(String)}} "
            "AND vals = {vals:Array(String)} ORDER BY days",
            {"dims": [*series.dims], "vals": [*series.vals]},
        )
    except StoreQueryError as error:
        if not error.of_unknown_table:
            raise
        return []
    return [_of_row(row) for row in cast(list[tuple[Any, ...]], rows)]


def _of_row(row: tuple[Any, ...]) -> DriversAhead:
    days, per, ratio, why, *rest = row
    cost, requests, each, price = (Pair(*rest[place : place + 2]) for place in range(0, 2 * len(_PAIRS), 2))
    factors, usd = rest[2 * len(_PAIRS) : -len(PARTS)], rest[-len(PARTS) :]
    told = ratio is not None
    return DriversAhead(
        *(days, per, ratio, why, cost, requests, each, price),
        factors=dict(zip(PARTS, factors, strict=True)) if told else {},
        usd=dict(zip(PARTS, usd, strict=True)) if told else {},
    )


def drivers_table(found: Sequence[DriversAhead]) -> Table:
    """A row for each length ahead: what a day was lately, what it will be, and by what each part moves the cost."""
    table = Table("a day of the next", header_style="bold")
    price = _UNITS[found[0].per]
    for column in ("cost", "requests", "tokens each", f"price {price}".rstrip(), "prices known"):
        table.add_column(column, justify="right")
    for one in found:
        factors = one.factors
        table.add_row(
            f"{one.days} days",
            _moved(one.cost, money, one.ratio),
            _moved(one.requests, _count, factors.get("requests")),
            _moved(one.tokens_per_request, _count, factors.get("tokens_per_request")),
            _moved(one.unit_price, money, factors["known_prices"] * factors["price"] if factors else None),
            Text(_percent(factors["known_prices"]) if factors else one.why),
        )
    return table


def _moved(pair: Pair, said: Callable[[Any], str], factor: float | None) -> str:
    if pair.lately is None:
        return ""
    if pair.ahead is None:
        return said(pair.lately)
    by = "" if factor is None else f" ({_percent(factor)})"
    return f"{said(pair.lately)} to {said(pair.ahead)}{by}"


def _count(number: float) -> str:
    return count(round(number)) if number >= _WHOLE else f"{number:.3g}"


def _percent(factor: float) -> str:
    """'+12 %'; far away the factor itself."""
    return f"{round((factor - 1) * 100):+d} %" if factor < _FAR else f"x{factor:,.3g}"

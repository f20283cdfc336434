"""What moves a cost: requests, tokens per request, the share of usage that has a price, prices that are known to come,
and the rest of what a token costs, which is the mix of models and meters.

    cost = requests x tokens per request x share with a price x USD per token with a price

The parts of a change multiply to it. Each is also told as USD, by the logarithmic mean (LMDI: Ang, Energy Policy 33,
2005), and these add up to the difference. Where there are no tokens (compute, metered usage) the price is that of a
request; where there are no requests either, cost has no parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import Final, Literal, NamedTuple

import numpy as np

from stream_jobs.forecasting.model import Floats, Forecast

Part = Literal["requests", "tokens_per_request", "priced", "known_prices", "price"]
PARTS: Final[tuple[Part, ...]] = ("requests", "tokens_per_request", "priced", "known_prices", "price")
"""From the first on: each is what is left when those before it have moved."""
WORDS: Final[Mapping[Part, str]] = {
    "requests": "requests",
    "tokens_per_request": "tokens per request",
    "priced": "usage with a price",
    "known_prices": "prices that are known",
    "price": "mix of prices",
}
_LEAST: Final = 1e-12
"""What is less is nothing: a pico-USD."""
_MOST: Final = 1e30
_NEAR: Final = 1e-9


class Amounts(NamedTuple):
    """Of a series, per cell."""

    cost: float  # USD; of what has a price
    requests: float
    tokens: float = 0.0
    unpriced: float = 0.0  # requests that the cost does not cover

    @property
    def priced(self) -> float:
        """The share of requests that have a price."""
        return max(0.0, 1.0 - self.unpriced / self.requests) if self.requests > 0 else 1.0

    @property
    def tokens_per_request(self) -> float:
        """0 where there are no requests."""
        return max(0.0, self.tokens) / self.requests if self.requests > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Drivers:
    """From now to what is expected."""

    now: Amounts
    expected: Amounts
    ratio: float | None  # of the costs; None: it cannot be told, and `why` says why
    parts: Mapping[Part, float] = field(default_factory=dict)  # factors: they multiply to `ratio`
    usd: Mapping[Part, float] = field(default_factory=dict)  # per cell: they add up to the difference of the costs
    per: Literal["token", "request", "nothing"] = "nothing"  # what the price is of
    why: str = ""

    @property
    def words(self) -> str:
        """For people: what moves by at least half a percent, in the order of the parts."""
        if self.ratio is None:
            return self.why
        told = [f"{WORDS[part]} {_percent(by)}" for part, by in self.parts.items() if abs(by - 1) >= 0.005]
        return f"cost {_percent(self.ratio)}" + (f": {', '.join(told)}" if told else "")


def amounts_of(cost: Floats, requests: Floats, tokens: Floats, unpriced: Floats | None = None) -> Amounts:
    """The means over cells (one array of them per measure) of which all measures are known. NaN: not known. What
    credits and corrections have made negative counts as 0."""
    rows = np.vstack([cost, requests, tokens, np.zeros_like(cost) if unpriced is None else unpriced])
    known = rows[:, np.isfinite(rows).all(axis=0)]
    if not known.shape[1]:
        return Amounts(0.0, 0.0)
    return Amounts(*(max(0.0, float(mean)) for mean in known.mean(axis=1)))


def expected_of(
    cost: Forecast, requests: Forecast, tokens: Forecast | None, steps: int, unpriced: float = 0.0
) -> Amounts | None:
    """What is expected of a cell in the mean of the first `steps`: by the medians of sums, for a median of a sum is
    none of its steps. `unpriced`: requests without a price, per cell. None where cost or requests have no forecast that
    is so long."""
    found = [_per_cell(one, steps) for one in (cost, requests, tokens)]
    if found[0] is None or found[1] is None:
        return None
    return Amounts(found[0], found[1], found[2] or 0.0, min(unpriced, found[1]))


def decompose(now: Amounts, expected: Amounts | None, known_prices: float = 1.0) -> Drivers:
    """What makes the difference. `known_prices`: by what the mix of now gets dearer by changes that are known."""
    if expected is None:
        return Drivers(now, Amounts(0.0, 0.0), None, why="its cost or its requests have no forecast")
    if not all(0 <= amount <= _MOST for amount in (*now, *expected)) or not _LEAST < known_prices <= _MOST:
        return Drivers(now, expected, None, why="an amount is negative, without end or not known")
    now, expected = _whole(now), _whole(expected)
    if not now.cost:
        return Drivers(now, expected, None, why="nothing was spent lately, so there is nothing to compare with")
    ratio = expected.cost / now.cost
    parts, per = _parts(now, expected, ratio, known_prices)
    return Drivers(now, expected, ratio, parts, _usd(now.cost, expected.cost, parts), per)


def _whole(amounts: Amounts) -> Amounts:
    cost, requests, tokens, unpriced = (amount if amount > _LEAST else 0.0 for amount in amounts)
    return Amounts(cost, requests, tokens if requests else 0.0, min(unpriced, requests))


def _parts(
    now: Amounts, expected: Amounts, ratio: float, known_prices: float
) -> tuple[dict[Part, float], Literal["token", "request", "nothing"]]:
    parts: dict[Part, float] = dict.fromkeys(PARTS, 1.0)
    parts["price"] = ratio  # all that is not told apart
    if not now.requests:
        return parts, "nothing"
    per: Literal["token", "request"] = "request"
    told: list[tuple[Part, float]] = [("requests", expected.requests / now.requests)]
    if now.tokens and (expected.tokens or not expected.requests):
        per = "token"
        told.append(("tokens_per_request", expected.tokens_per_request / now.tokens_per_request))
    if now.priced > 0:
        told.append(("priced", expected.priced / now.priced))
    told.append(("known_prices", known_prices))
    left = ratio
    for part, by in told:
        if by > 0:
            parts[part], left = by, left / by
        elif left <= 0:
            parts[part], left = 0.0, 1.0  # this has taken all of it away
            break
    parts["price"] = left
    return parts, per


def _usd(before: float, after: float, parts: Mapping[Part, float]) -> dict[Part, float]:
    gone = next((part for part, by in parts.items() if by <= 0), None)
    if gone is not None:  # the limit of the logarithmic mean: what went to nothing took it all
        return {part: after - before if part == gone else 0.0 for part in parts}
    change = log(after / before)
    near = abs(after - before) <= _NEAR * before
    mean = before if near else (after - before) / change
    return {part: mean * log(by) for part, by in parts.items()}


def _per_cell(forecast: Forecast | None, steps: int) -> float | None:
    if forecast is None or forecast.refused or not 0 < steps <= len(forecast.sums):
        return None
    return max(0.0, float(forecast.sums[steps - 1].quantile(0.5))) / steps


def _percent(factor: float) -> str:
    return f"{(factor - 1) * 100:+.0f} %"

"""What moves a cost: requests, tokens per request, prices that are known to come, and the rest of what a token costs,
which is the mix of models, meters and terms.

    cost = requests x tokens per request x USD per token

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

Part = Literal["requests", "tokens_per_request", "known_prices", "price"]
PARTS: Final[tuple[Part, ...]] = ("requests", "tokens_per_request", "known_prices", "price")
"""From the first on: each is what is left when those before it have moved."""
Per = Literal["token", "request", "nothing"]
_LEAST: Final = 1e-12
"""What is less is nothing: a pico-USD."""
_MOST: Final = 1e30
_NEAR: Final = 1e-9


class Amounts(NamedTuple):
    """Of a series, per cell."""

    cost: float  # USD
    requests: float
    tokens: float = 0.0

    @property
    def tokens_per_request(self) -> float:
        """0 where there are no requests."""
        return self.tokens / self.requests if self.requests > 0 else 0.0


NOTHING: Final = Amounts(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Drivers:
    """From what was lately to what is expected."""

    lately: Amounts
    expected: Amounts
    ratio: float | None  # of the costs; None: it cannot be told, and `why` says why
    parts: Mapping[Part, float] = field(default_factory=dict)  # factors: they multiply to `ratio`
    usd: Mapping[Part, float] = field(default_factory=dict)  # per cell: they add up to the difference of the costs
    per: Per = "nothing"  # what the price is of
    why: str = ""


def amounts_of(cost: Floats, requests: Floats, tokens: Floats) -> Amounts:
    """The means over cells (one array of them per measure) of which all measures are known. NaN: not known. What
    credits and corrections have made negative counts as 0."""
    rows = np.vstack([cost, requests, tokens])
    known = rows[:, np.isfinite(rows).all(axis=0)]
    if not known.shape[1]:
        return NOTHING
    return Amounts(*(max(0.0, float(mean)) for mean in known.mean(axis=1)))


def median_per_cell(forecast: Forecast, steps: int) -> float | None:
    """What is expected of a cell in the mean of the first `steps`: by the median of their sum, for a median of a sum is
    none of its steps. None where there is no forecast that is so long."""
    if forecast.refused or not 0 < steps <= len(forecast.sums):
        return None
    return max(0.0, float(forecast.sums[steps - 1].quantile(0.5))) / steps


def expected_of(cost: float | None, requests: float | None, tokens: float | None) -> Amounts | None:
    """Of medians per cell. None where cost or requests have none."""
    return None if cost is None or requests is None else Amounts(cost, requests, tokens or 0.0)


def decompose(lately: Amounts, expected: Amounts | None, known_prices: float = 1.0) -> Drivers:
    """What makes the difference. `known_prices`: by what the mix of now gets dearer by changes that are known."""
    if expected is None:
        return Drivers(lately, NOTHING, None, why="its cost or its requests have no forecast")
    if not all(0 <= amount <= _MOST for amount in (*lately, *expected)) or not _LEAST < known_prices <= _MOST:
        return Drivers(lately, expected, None, why="an amount is negative, without end or not known")
    lately, expected = _whole(lately), _whole(expected)
    if not lately.cost:
        return Drivers(lately, expected, None, why="nothing was spent lately, so there is nothing to compare with")
    ratio = expected.cost / lately.cost
    parts, per = _parts(lately, expected, ratio, known_prices)
    return Drivers(lately, expected, ratio, parts, _usd(lately.cost, expected.cost, parts), per)


def _whole(amounts: Amounts) -> Amounts:
    cost, requests, tokens = (amount if amount > _LEAST else 0.0 for amount in amounts)
    return Amounts(cost, requests, tokens if requests else 0.0)


def _parts(lately: Amounts, expected: Amounts, ratio: float, known_prices: float) -> tuple[dict[Part, float], Per]:
    parts: dict[Part, float] = dict.fromkeys(PARTS, 1.0)
    parts["price"] = ratio  # all that is not told apart
    if not lately.requests:
        return parts, "nothing"
    per: Per = "request"
    told: list[tuple[Part, float]] = [("requests", expected.requests / lately.requests)]
    if lately.tokens and (expected.tokens or not expected.requests):
        per = "token"
        told.append(("tokens_per_request", expected.tokens_per_request / lately.tokens_per_request))
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

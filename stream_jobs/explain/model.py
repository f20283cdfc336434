"""The words of explain: cells with amounts before and after, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Exact = npt.NDArray[Any]
"""Whole numbers: int64 where no sum of them can leave it, Python's own otherwise."""

Factor = Literal["volume", "mix", "tokens_per_request", "cache", "price", "cost_per_request", "without_requests"]
FACTORS: Final[tuple[Factor, ...]] = (
    "volume",
    "mix",
    "tokens_per_request",
    "cache",
    "price",
    "cost_per_request",
    "without_requests",
)
"""`cost_per_request` stands for tokens_per_request, cache and price where no tokens are known. `without_requests` is
money of cells that have none: credits, fees, storage."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of each cell, in whole numbers of 1/`unit`."""

    before: Exact
    after: Exact
    unit: int = 1


@dataclass(frozen=True, slots=True)
class Dimension:
    """Which of its values, which are distinct and in the order of texts, each cell has."""

    name: str
    values: Sequence[str]
    codes: Codes


@dataclass(frozen=True, slots=True)
class Cells:
    """Each combination of values once, in the order of its values by the order of dimensions' names."""

    dimensions: tuple[Dimension, ...]
    requests: Amounts
    cost: Amounts  # pico-USD, of unit 10^12
    meters: Mapping[str, Amounts]  # tokens by meter; none: nobody knows

    def __len__(self) -> int:
        return len(self.cost.before)


@dataclass(frozen=True, slots=True)
class ExplainingSet:
    """All cells that have these values, and what is unusual about them. Money in USD."""

    values: Mapping[str, str]
    equivalent: tuple[Mapping[str, str], ...]  # other names of the very same cells, such as a model's only provider
    before: Decimal
    after: Decimal
    excess: Decimal
    explains: Decimal  # of the excess, what no set before it has explained: these and `unexplained` add up
    share: float | None  # `explains` of the whole excess; None where that is zero
    times: float | None  # after ÷ before; None where nothing was before
    requests_before: float
    requests_after: float
    factor: Factor | None  # the one that weighs most in the direction of the excess
    factors: Mapping[Factor, Decimal]  # add up to `excess`
    score: float  # nats above what chance explains, less what it costs to say
    one_request: Decimal | None = None  # the cost of a single one that nearly all of it is


@dataclass(frozen=True, slots=True)
class Common:
    """What all cells have in common: a growth, or stretches of another length, or that there was or is nothing."""

    times: float | None  # None: nothing was before
    explains: Decimal  # of the excess


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a cost moved. Money in USD, exact: `decomposition` adds up to `excess`, and so do the sets' `explains`, what
    is common and what is unexplained."""

    before: Decimal
    after: Decimal
    excess: Decimal
    requests_before: float
    requests_after: float
    factor: Factor | None
    decomposition: Mapping[str, Decimal]  # by factor, and `total`
    told_together: Mapping[Factor, tuple[Factor, ...]]  # factors that the amounts at hand cannot tell apart
    cells: tuple[str, ...]  # the dimensions whose combinations are the cells of the mix
    everywhere: Mapping[str, str]  # values that all cells have
    common: Common | None
    sets: tuple[ExplainingSet, ...]  # the one that explains most first
    unexplained: Decimal

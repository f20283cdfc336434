"""Scales on which the noise of usage is alike, whatever its size. Back from them nothing is negative."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Scale(Protocol):
    def to(self, amount: Any) -> Any:
        """Of one amount or an array of them. What is negative counts as 0."""

    def back(self, value: Any) -> Any:
        """The amount, never negative."""


@dataclass(frozen=True, slots=True)
class Root:
    """The `power`-th root: of counts whose noise grows with their size, and that may be 0."""

    power: float = 3.0

    def to(self, amount: Any) -> Any:
        return np.maximum(amount, 0.0) ** (1 / self.power)

    def back(self, value: Any) -> Any:
        return np.maximum(value, 0.0) ** self.power


@dataclass(frozen=True, slots=True)
class Logarithm:
    """log(amount + floor): of sums whose noise is a share of them; `floor` > 0 keeps what is nearly nothing near."""

    floor: float

    def to(self, amount: Any) -> Any:
        return np.log(np.maximum(amount, 0.0) + self.floor)

    def back(self, value: Any) -> Any:
        return np.maximum(np.exp(value) - self.floor, 0.0)

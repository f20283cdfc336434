"""The words of the slow members: what is fitted, what is known beside it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_jobs.base.errors import SpendstreamError

Floats = npt.NDArray[np.float64]
Step = Literal["hour", "day"]
MemberName = Literal["prophet", "ets", "theta", "stl"]


class RefusedError(SpendstreamError):
    """This member can say nothing of this series; the message says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is known beside the values. Arrays of (cells + horizon,): of the history, then of what is forecast."""

    ignored: npt.NDArray[np.bool_] | None = None
    """(cells,) Cells that must not teach: an incident, what was before a shift of the level."""
    factors: Floats | None = None
    """What declared events make of the usual, all of them together; 1: nothing. They are taken out of the history and
    put into the forecast; what is forecast may exceed its bound by them."""
    events: Mapping[str, Floats] = field(default_factory=dict)
    """By name, the share of each cell over which it lasts. Prophet learns of those in the history what they did beyond
    their factors."""
    country: str = ""  # whose holidays: an ISO 3166 code; empty: none


@dataclass(frozen=True, slots=True)
class Task:
    """One fit, for a worker."""

    member: MemberName
    values: Floats  # one series; NaN: not known
    first: int  # hours since 1970 (UTC), or the ordinal of a date
    step: Step
    horizon: int
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Answer:
    """Of one fit."""

    values: Floats
    """(horizon,): amounts, finite, not negative. Empty where it is refused."""
    refused: str = ""
    notes: tuple[str, ...] = ()  # what people should know

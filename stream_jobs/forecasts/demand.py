"""What deployments of models will be asked in the next hours: figures to scale by. Plain.

What is not known is said in words and never as 0: whoever scales by these must not take a missing forecast for no
traffic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Final, Literal

Quantile = Literal["0.5", "0.9"]
QUANTILES: Final[tuple[Quantile, ...]] = ("0.5", "0.9")
OLD_AFTER: Final = timedelta(minutes=5)
"""What was read from the store longer ago is not relied on: nobody could have heard that it is stale."""
HOUR: Final = timedelta(hours=1)
NAMED: Final = 5
"""Deployments, in an answer that asks which is meant."""


class UnknownDemandError(Exception):
    """Nothing can be said now; the text says why."""


class UnclearDemandError(Exception):
    """It is not clear what is asked; the text says what to ask."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model where it runs. Without a region: wherever it does."""

    provider: str
    model: str
    region: str = ""

    def __str__(self) -> str:
        return f"{self.model!r} of {self.provider!r}" + (f" in {self.region!r}" if self.region else "")


@dataclass(frozen=True, slots=True)
class DemandHour:
    """Means of one hour, per second, by quantile. None: nothing can be said."""

    start: datetime
    requests: Mapping[Quantile, float | None]
    tokens: Mapping[Quantile, float | None]
    label: str = "steady"


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that is forecast, as the store had it at `read`."""

    read: datetime
    hours: Mapping[Deployment, Sequence[DemandHour]]  # side by side, the earliest first
    as_of: datetime  # what happened by then is in it
    stale: str = ""  # why it should not be relied on


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest of the hours that lie in a time."""

    requests: float | None
    tokens: float | None
    label: str


def usable(outlook: Outlook | None, now: datetime) -> Outlook:
    """Raises UnknownDemandError for what is stale, or was read too long ago."""
    if outlook is None or not outlook.hours:
        raise UnknownDemandError("there is no forecast of demand yet")
    if outlook.stale:
        raise UnknownDemandError(f"the forecast is stale: {outlook.stale}")
    if now - outlook.read > OLD_AFTER:
        raise UnknownDemandError(f"the store was last heard of at {outlook.read.isoformat()}")
    return outlook


def deployment(outlook: Outlook, model: str, provider: str | None, region: str) -> Deployment:
    """The one that is meant. Raises UnknownDemandError where there is none, UnclearDemandError where there are more."""
    found = [
        one
        for one in outlook.hours
        if model and one.model == model and one.region == region and provider in (None, one.provider)
    ]
    if not found:
        wanted = Deployment(provider or "any provider", model, region)
        raise UnknownDemandError(f"no forecast of {wanted}: unknown, too new, or not among those with most requests")
    if len(found) > 1:
        some = ", ".join(repr(one.provider) for one in found[:NAMED])
        raise UnclearDemandError(f"which provider? {model!r} runs at {some}")
    return found[0]


def peak(hours: Sequence[DemandHour], now: datetime, horizon: timedelta, quantile: Quantile) -> Peak:
    """Of the hours that have a part in [now, now + horizon]. Raises UnknownDemandError unless all of that is forecast,
    each hour once."""
    end = now + horizon
    seen = [hour for hour in hours if hour.start <= end and hour.start + HOUR > now]
    gaps = any(later.start - earlier.start != HOUR for earlier, later in pairwise(seen))
    if not seen or gaps or seen[0].start > now or seen[-1].start + HOUR < end:
        raise UnknownDemandError(f"not all hours up to {end.isoformat()} are forecast")
    return Peak(
        _largest([hour.requests[quantile] for hour in seen]),
        _largest([hour.tokens[quantile] for hour in seen]),
        seen[0].label,
    )


def replicas(found: Peak, per_replica: float | None, tokens_per_replica: float | None) -> int:
    """So many can serve it, where one serves so many requests, and tokens, per second. Raises UnknownDemandError where
    one of these is not forecast."""
    needed = 0
    for what, rate, each in (
        ("requests", found.requests, per_replica),
        ("tokens", found.tokens, tokens_per_replica),
    ):
        if each is None:
            continue
        if rate is None:
            raise UnknownDemandError(f"no forecast of {what}")
        needed = max(needed, ceil(rate / each), 1 if rate > 0 else 0)  # a quotient of next to nothing is 0
    return needed


def _largest(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if len(known) == len(rates) else None

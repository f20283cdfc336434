"""The words of detection: what a minute of many series holds, and what is found.

Statistics are floats (USD, requests): they say what was to be expected, and never what is owed. Money that people are
told comes from the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Direction = Literal["up", "down"]
FindingKind = Literal["spike", "shift", "ramp", "drop", "silence", "dear_request", "new_series", "driver"]
Severity = Literal["info", "warning", "error", "critical"]
State = Literal["open", "closed"]
Closing = Literal["over", "new_normal", "corrected", "expected"]
"""Why it was closed: it is as usual again; it lasted so long that it is the usual now; late data took it back; people
said that it was to be expected."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of all series of a detector: arrays whose index is the series' number."""

    at: int  # its beginning, in minutes since 1970-01-01T00:00Z
    events: Floats  # requests
    cost: Floats  # USD
    squares: Floats | None = None  # the sum of each request's cost squared, USD²; None where nobody tells
    capped: Floats | None = None  # the sum of each request's cost up to 1 USD; None likewise
    known: npt.NDArray[np.bool_] | None = None  # False: nobody knows what the minute held; None: all are known


@dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of time in which a series was not as usual. Instants are minutes since 1970-01-01T00:00Z."""

    number: int  # of the series in its detector
    start: int  # where what is unusual began, as far as the window tells
    detected_at: int  # the end of the minute whose judgement opened it
    end: int | None  # None while it is open
    direction: Direction
    kind: FindingKind
    scale: str  # the window that told it, or a shorter one that held it: 5m, 1h, 7d, ramp, silence, request
    expected: float  # USD (or requests, or the gauge's unit) from `start` until now, or until its end
    actual: float
    low: float  # what the same stretch costs when nothing is wrong, by the limit that it is beyond
    high: float
    score: float  # surprise in nats: the greatest so far
    severity: Severity
    per_day: float  # USD that it costs (or saves) more a day if it goes on like this
    closing: Closing | None = None
    measure: str = ""  # the driver whose unit the figures have; empty: cost

    @property
    def excess(self) -> float:
        return self.actual - self.expected

    @property
    def state(self) -> State:
        return "open" if self.end is None else "closed"


class Detector(Protocol):
    """Judges series side by side, each by its own past. The same minutes give the same findings, bit by bit."""

    def add(self, names: Sequence[str]) -> None:
        """More series, numbered on from those that are there."""

    def advance(self, minute: Minute) -> list[Finding]:
        """Take the next minute (ends when the minute does); returns the findings that it opened, changed or closed.
        Minutes come in order, without a gap: what nobody knows of comes as one that is not `known`."""

    def scores(self) -> Floats:
        """Of each series at the last minute: its surprise in nats, 0 where it is as usual."""

    def dump(self) -> bytes:
        """All of its state; `load` goes on as if nothing had happened."""

    @classmethod
    def load(cls, state: bytes) -> Self:
        """Raises ValueError for what is no state, or one of another version."""

"""How fast events are sent: as fast as possible, or in time compressed by a factor."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from stream_jobs.base.errors import ConfigError

MAX_SPEED = 1e9


def parse_speed(text: str) -> float | None:
    """'max' -> None, '10x' -> 10.0: ten seconds of events in one. Raises ConfigError."""
    if text == "max":
        return None
    try:
        speed = float(text.lower().removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= MAX_SPEED:
        raise ConfigError(f"--speed {text}: expected max or a factor such as 1x (as it happened) or 60x")
    return speed


@dataclass
class Pace:
    """Holds each event back until its time has come. The first event goes out at once."""

    speed: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _first: datetime | None = field(default=None, init=False)
    _started: float = field(default=0.0, init=False)

    def wait_for(self, occurred_at: datetime) -> None:
        if self.speed is None:
            return
        if self._first is None:
            self._first, self._started = occurred_at, self.clock()
            return
        due = self._started + (occurred_at - self._first).total_seconds() / self.speed
        while (rest := due - self.clock()) > 0:
            self.sleep(min(rest, 1.0))  # in short pieces, so that Ctrl-C and a moved clock are noticed

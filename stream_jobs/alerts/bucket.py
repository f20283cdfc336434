"""Limits of one receiver: how often it may be told, and how long to leave it alone after it failed. Times in seconds of
a monotonic clock."""

import random
from typing import Final

FIRST_BACKOFF_S: Final = 1.0
LONGEST_BACKOFF_S: Final = 300.0
LONGEST_GRAVE_S: Final = 30.0
"""While an error, or what is graver, waits: whoever is to get up must not hear of it five minutes after the receiver is
back. One attempt in half a minute harms nobody, also who asked for more."""
LONGEST_ASKED_S: Final = 3600.0  # of what a receiver asks for


class TokenBucket:
    """At most `per_minute` in any minute, half of them (one at least) at once."""

    def __init__(self, per_minute: int, now_s: float) -> None:
        self._capacity = max(1, per_minute // 2)
        # In any minute: what was saved up and what is added meanwhile.
        self._per_second = max(1, per_minute - self._capacity) / 60
        self._tokens = float(self._capacity)
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long until one may be taken; 0: now."""
        self._fill(now_s)
        return max(0.0, (1 - self._tokens) / self._per_second)

    def take(self, now_s: float) -> None:
        self._fill(now_s)
        self._tokens -= 1

    def _fill(self, now_s: float) -> None:
        self._tokens = min(self._capacity, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s


class Backoff:
    """Twice as long after each failure, with jitter, up to five minutes; as long as the receiver asks for, up to an
    hour. Half a minute at most while something grave waits."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - spreads load
        self._failures = 0

    def failed(self, retry_after_s: float | None = None, *, grave: bool = False) -> float:
        """How long to wait now."""
        longest_s = LONGEST_GRAVE_S if grave else LONGEST_BACKOFF_S
        longest_s = min(longest_s, FIRST_BACKOFF_S * 2.0 ** min(self._failures, 20))
        self._failures += 1
        wait_s = longest_s * self._random.uniform(0.5, 1.0)
        return max(wait_s, min(retry_after_s or 0.0, LONGEST_GRAVE_S if grave else LONGEST_ASKED_S))

    def succeeded(self) -> None:
        self._failures = 0

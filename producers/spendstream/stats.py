"""What the producer counts, and the log that cannot flood."""

import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from spendstream.native import in_thread_of_ours, new_rlock

logger: Final = logging.getLogger("spendstream")
LOG_INTERVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProducerStats:
    """Counters since the producer was made (in this process) and gauges of this moment.

    accepted = delivered + dropped + still pending, for events of this process; `delivered` also counts events an
    earlier process left in the spool.
    """

    accepted: int = 0  # emit() returned True
    delivered: int = 0  # acknowledged by all in-sync replicas
    spooled: int = 0  # written to the spool, now or by durable=True
    replayed: int = 0  # delivered from the spool
    rejected: Mapping[str, int] = field(default_factory=dict)  # emit() returned False, by reason
    dropped: Mapping[str, int] = field(default_factory=dict)  # accepted, then given up, by reason
    errors: Mapping[str, int] = field(default_factory=dict)  # what went wrong without losing an event, by kind
    in_memory: int = 0  # accepted, neither acknowledged nor in the spool: what kill -9 would lose
    spool_records: int = 0  # in the spool, not acknowledged
    spool_bytes: int = 0
    client_restarts: int = 0  # how often the Kafka client was replaced
    connected: bool = False  # the current client has delivered something and not lost its brokers since


class Counters:
    """The producer's counters. Plain ones belong to the background thread; the keyed ones to any thread."""

    def __init__(self) -> None:
        self._lock = new_rlock()
        self._rejected: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._quiet_until: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()
        self.unsaid: deque[tuple[int, str]] = deque(maxlen=100)
        self.delivered = 0
        self.spooled = 0
        self.replayed = 0
        self.client_restarts = 0

    def reject(self, reason: str, detail: str = "") -> None:
        """emit() refuses an event."""
        with self._lock:
            self._rejected[reason] += 1
        self.log(logging.WARNING, f"rejected:{reason}", f"an event was refused ({reason}) {detail}".rstrip())

    def drop(self, reason: str, count: int = 1, detail: str = "") -> None:
        """Accepted events are given up."""
        with self._lock:
            self._dropped[reason] += count
        self.log(logging.ERROR, f"dropped:{reason}", f"{count} accepted event(s) lost ({reason}) {detail}".rstrip())

    def error(self, kind: str, detail: str = "") -> None:
        """Something went wrong; no event is lost by it."""
        with self._lock:
            self._errors[kind] += 1
        self.log(logging.WARNING, f"error:{kind}", f"{kind} {detail}".rstrip())

    def log(self, level: int, topic: str, text: str) -> None:
        """At most one line per topic and LOG_INTERVAL_S; the next one says how many were left out."""
        now = time.monotonic()
        with self._lock:
            if now < self._quiet_until.get(topic, 0.0):
                self._suppressed[topic] += 1
                return
            self._quiet_until[topic] = now + LOG_INTERVAL_S
            left_out = self._suppressed.pop(topic, 0)
        more = f" [and {left_out} more like it]" if left_out else ""
        self.unsaid.append((level, text + more))
        if not in_thread_of_ours():
            self.say()

    def say(self) -> None:
        """Write the log lines that are due. In a thread of ours, among greenlets, they wait for a caller that is none:
        the handlers and their locks are the greenlets'."""
        with contextlib.suppress(Exception):  # a broken log handler must not reach the service
            while self.unsaid:
                level, text = self.unsaid.popleft()
                logger.log(level, "spendstream: %s", text)

    def keyed(self) -> tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]]:
        """Copies of (rejected, dropped, errors)."""
        with self._lock:
            rejected, dropped, errors = dict(self._rejected), dict(self._dropped), dict(self._errors)
        return MappingProxyType(rejected), MappingProxyType(dropped), MappingProxyType(errors)

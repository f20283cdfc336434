"""What sends the traffic: a plain Kafka client that repeats itself when in doubt, and a service with the real SDK."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from spendstream.delivery_thread import serialise
from spendstream_schemas import UsageEvent
from tests.chaos.brokers import TOPIC
from tests.chaos.processes import ChaosProcess
from tests.chaos.traffic import Message

FLUSH_STEP_S: Final = 0.05
SPOOL_FILE_LIMIT: Final = 16_000
"""Bytes a file of the service's spool may grow to: its disk is full after some dozens of events."""


class Sender(threading.Thread):
    """Sends every message at least once, spread over `seconds`. What was not acknowledged is sent again.

    No idempotence: a message whose answer was lost is in the log twice, as from many real clients.
    """

    def __init__(self, address: str, messages: Iterable[Message], seconds: float) -> None:
        super().__init__(name="sender", daemon=True)
        self._todo = deque(messages)
        self._total = len(self._todo)
        self._seconds = seconds
        self._in_flight = 0
        self._stopped = False
        self.resent = 0
        self.acknowledged = 0
        self._producer = Producer(
            {
                "bootstrap.servers": address,
                "log_level": 0,
                "acks": "all",
                "linger.ms": 5,
                "message.timeout.ms": 8_000,
                "socket.timeout.ms": 4_000,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "message.max.bytes": 1_000_000,
            }
        )

    @property
    def done(self) -> bool:
        return self.acknowledged >= self._total

    def stop(self) -> None:
        self._stopped = True
        self.join(20)
        self._producer.purge()
        self._producer.flush(1)

    def run(self) -> None:
        start = time.monotonic()
        while not self._stopped and not self.done:
            due = round(self._total * min(1.0, (time.monotonic() - start) / self._seconds))
            while self._todo and self.acknowledged + self._in_flight < due:
                self._send(self._todo.popleft())
            self._producer.poll(FLUSH_STEP_S)

    def _send(self, message: Message) -> None:
        def delivered(error: object, _: object) -> None:
            self._in_flight -= 1
            if error is None:
                self.acknowledged += 1
            else:
                self.resent += 1
                self._todo.append(message)

        self._in_flight += 1
        self._producer.produce(TOPIC, value=message.value, key=message.key, on_delivery=delivered)


def service_values(events: Iterable[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    """The bytes that the SDK will put on the wire for each event."""
    return {serialise(UsageEvent.model_validate_json(json.dumps(event))).value: event for event in events}


class Service(ChaosProcess):
    """A service that publishes its events through the SDK, again and again until each was accepted and delivered.

    Killed and started again it repeats them all, with the same ids.
    """

    def __init__(self, number: int, folder: Path, address: str, seconds: float) -> None:
        arguments = ["tests.chaos.service", str(folder / "service.json"), address, str(folder / "spool"), str(seconds)]
        super().__init__(f"service-{number}", [*arguments, str(SPOOL_FILE_LIMIT)], folder, {})

    @staticmethod
    def prepare(folder: Path, events: list[dict[str, Any]]) -> None:
        (folder / "service.json").write_text(json.dumps(events))

    def stats(self) -> dict[str, Any]:
        """What it printed at its end."""
        return dict(json.loads(self.text().splitlines()[-1]))

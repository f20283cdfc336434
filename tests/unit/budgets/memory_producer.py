"""What the budgets job sends, kept in memory; and a ClickHouse that knows no causes."""

from collections.abc import Iterable
from typing import Any

from spendstream_schemas.alert_feed import ALERT_RECORD, AlertSignal
from stream_jobs.base.errors import BrokerUnavailableError, StoreUnavailableError
from stream_jobs.runtime.record_producer import Record, RecordProducer
from stream_jobs.store.client import StoreClient


class MemoryProducer(RecordProducer):
    """`down`: the broker does not answer."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []
        self.down = False

    def send(self, topic: str, records: Iterable[Record]) -> int:
        if self.down:
            raise BrokerUnavailableError("away")
        found = [(topic, key, value) for key, value in records]
        self.sent += found
        return len(found)

    def taken(self) -> list[tuple[str, bytes, bytes | None]]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def signals(self) -> list[AlertSignal]:
        found = []
        for _, key, value in self.taken():
            signal = ALERT_RECORD.validate_json(value or b"")
            assert isinstance(signal, AlertSignal)
            assert key == signal.alert_id.encode()
            found.append(signal)
        return found


class Causes(StoreClient):
    """Answers every question with these rows; None: does not answer."""

    def __init__(self) -> None:
        self.answer: list[tuple[object, ...]] | None = []
        self.questions = 0

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[object, ...]]:
        self.questions += 1
        if self.answer is None:
            raise StoreUnavailableError("away")
        return self.answer

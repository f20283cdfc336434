"""Looks at where Kafka's log of usage events ends, beside the job's own thread."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Final, Protocol

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.completeness.watermark import LogLook
from stream_jobs.conservation.log import first_record
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.topics import USAGE_EVENTS

log = logging.getLogger(__name__)


class LogLooker(Protocol):
    """What the job asks of Kafka."""

    def ask(self, at: datetime) -> None:
        """Look, soon. `at`: now, by the store's clock. Nothing happens while an earlier look is under way."""

    def answer(self) -> LogLook | None:
        """What was seen, once. None: nothing by now, or the broker did not answer."""

    def holds_record(self, partition: int, offset: int) -> bool:
        """Whether there is a record at this offset or behind it: transaction markers take offsets, too, and retention
        takes records. Raises BrokerUnavailableError."""

    def close(self) -> None: ...


class KafkaLooker:
    """Implements LogLooker."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._ends: LogEnds | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-look")
        self._under_way: Future[LogLook] | None = None
        self._failing = False

    def ask(self, at: datetime) -> None:
        if self._under_way is None:
            self._under_way = self._thread.submit(self._look, at)

    def _look(self, at: datetime) -> LogLook:
        if self._ends is None:
            self._ends = LogEnds(self._kafka)
        topic_id, ends = self._ends.of(USAGE_EVENTS)
        return LogLook(at, topic_id, ends)

    def answer(self) -> LogLook | None:
        if self._under_way is None or not self._under_way.done():
            return None
        future, self._under_way = self._under_way, None
        try:
            found = future.result()
        except BrokerUnavailableError as error:
            if not self._failing:
                log.warning("cannot see how much waits in Kafka, so nothing more is known of the past: %s", error)
            self._failing = True
            return None
        self._failing = False
        return found

    def holds_record(self, partition: int, offset: int) -> bool:
        return first_record(self._kafka, USAGE_EVENTS, partition, offset) is not None

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


RETRY_S: Final = 1.0
"""After a look that was not answered."""

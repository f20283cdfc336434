"""Reads the changes of budgets from `budget.control.v1`, all of them, from the beginning."""

import logging
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from spendstream_schemas.unreadable import UnreadableBatches
from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms.control import BudgetChange, change_from_json
from stream_jobs.runtime.kafka import lasting_consumer_config
from stream_jobs.runtime.kafka_refusals import reason
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.logs import warn_once
from stream_jobs.runtime.metrics import UNREADABLE_BATCHES
from stream_jobs.runtime.refused import pass_over
from stream_jobs.runtime.topics import BUDGET_CONTROL

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 500


class ControlReader:
    """`read` never waits, and never fails for what the topic holds or while the broker is away. A change that was taken
    up before is known by its id."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Raises BrokerUnavailableError."""
        self._kafka = kafka
        self._consumer = Consumer(lasting_consumer_config(kafka))
        self._begin()

    def _begin(self) -> None:
        self._consumer.assign([TopicPartition(BUDGET_CONTROL, 0, OFFSET_BEGINNING)])
        self._unreadable = UnreadableBatches(self._consumer, BUDGET_CONTROL, 1, _on_unreadable)

    def _is_beyond_the_end(self) -> bool:
        """Tansu forgets when it stops, and answers a fetch from beyond the new topic's end with nothing, for ever. (Of
        a new topic that is longer than that the beginning is missed: commands send their change until it is taken up.)
        """
        (place,) = self._consumer.position([TopicPartition(BUDGET_CONTROL, 0)])
        found = self._consumer.get_watermark_offsets(place, cached=True)
        return found is not None and 0 <= found[1] < place.offset

    def read(self) -> list[BudgetChange]:
        """What has come since the last call."""
        changes = []
        try:
            messages = self._consumer.consume(MAX_AT_ONCE, 0)
            for message in messages:
                self._unreadable.pass_by(message)
            self._unreadable.look()
            if not messages and self._is_beyond_the_end():
                self._begin()
        except KafkaException as error:
            log.warning("cannot read changes of budgets: %s", error)
            return []
        for message in messages:
            value = message.value()
            if (failed := message.error()) is not None:
                if failed.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    said = reason(failed, self._kafka, operation="Read", name=BUDGET_CONTROL)
                    warn_once(f"changes of budgets are not taken up: {said}")
                continue
            if value is None:
                continue
            try:
                changes.append(change_from_json(value))
            except Exception as error:  # noqa: BLE001 - said and counted; nothing in the topic may stop the job
                known = isinstance(error, ConfigError)
                why = error if known else repr(error)
                pass_over(BUDGET_CONTROL, message.partition(), message.offset(), value, why, failed=not known)
        return changes

    def close(self) -> None:
        self._consumer.close()


def _on_unreadable(partition: int, low: int, high: int) -> None:
    UNREADABLE_BATCHES.labels(BUDGET_CONTROL).inc()
    log.error("%s[%d] offsets up to %d cannot be read: on from %d", BUDGET_CONTROL, partition, low, high)

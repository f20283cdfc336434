"""Reads the changes of budgets from `budget.control.v1`, all of them, from the beginning."""

import logging
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from stream_jobs.budgets.control import BudgetChange, change_from_json
from stream_jobs.errors import ConfigError
from stream_jobs.kafka import librdkafka_config
from stream_jobs.settings import KafkaSettings
from stream_jobs.topics import BUDGET_CONTROL

log = logging.getLogger(__name__)

MAX_AT_ONCE: Final = 500


class ControlReader:
    """Never waits, and never fails for what the topic holds or while the broker is away. Neither joins nor commits: a
    change that was taken up before is known by its id."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer(
            {
                **librdkafka_config(kafka),
                "group.id": "spendstream-tools",  # required, but it neither joins nor commits
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # the topic was made anew
                "fetch.wait.max.ms": 100,
            }
        )
        self._consumer.assign([TopicPartition(BUDGET_CONTROL, 0, OFFSET_BEGINNING)])

    def read(self) -> list[BudgetChange]:
        """What has come since the last call."""
        changes = []
        try:
            messages = self._consumer.consume(MAX_AT_ONCE, 0)
        except KafkaException as error:
            log.warning("cannot read changes of budgets: %s", error)
            return []
        for message in messages:
            value = message.value()
            if message.error() is not None or value is None:
                continue
            try:
                changes.append(change_from_json(value))
            except ConfigError as error:
                log.error("%s offset %s is skipped: %s", BUDGET_CONTROL, message.offset(), error)
        return changes

    def close(self) -> None:
        self._consumer.close()

"""Settings of the guard."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from spendstream.config import KafkaConfig, ProducerConfig, Seconds
from spendstream.errors import GuardConfigError
from spendstream_schemas.budget_feed import FailMode

BUDGET_TOPIC = "budget.state.v1"


class GuardConfig(KafkaConfig):
    """How one service is told of its budgets. The fields of Kafka are those of ProducerConfig.

    `from_env` reads SPENDSTREAM_KAFKA_*, SPENDSTREAM_SOURCE, and SPENDSTREAM_GUARD_* for the fields below
    (SPENDSTREAM_GUARD_FAIL, SPENDSTREAM_GUARD_STALE_AFTER_S, ...).
    """

    error_type = GuardConfigError
    section: ClassVar[str] = "GUARD_"

    topic: Annotated[str, Field(min_length=1, max_length=249)] = BUDGET_TOPIC
    fail: FailMode = "open"  # while nothing is known at all: before the first load, or without any policy and heartbeat
    stale_after_s: Seconds = 30.0  # without a heartbeat for so long, what is known is stale
    pending_margin_s: Seconds = 2.0  # how long after a request its cost can be missing in a state of that instant
    pending_limit_s: Seconds = 30.0  # after so long a request is no longer counted here, state or not
    check_interval_s: Seconds = 5.0  # how often it is checked that the topic is still the same one
    retry_interval_s: Seconds = 1.0  # between attempts to reach the broker

    @classmethod
    def from_producer(cls, config: ProducerConfig, **fields: Any) -> Self:
        """The same Kafka as a producer's; `fields` are the guard's own."""
        shared: Iterable[str] = KafkaConfig.model_fields
        return cls(**{name: getattr(config, name) for name in shared}, **fields)

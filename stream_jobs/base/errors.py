"""Every error the application raises on purpose.

    SpendstreamError
    ├── ConfigError          the operator must change something; the message says what
    ├── RetryError           nothing is wrong with the data: try the same thing again
    │   ├── StoreUnavailableError
    │   └── BrokerUnavailableError
    ├── LostPartitionError   another worker owns the partition now: drop the work, nothing was booked
    └── CrashError           an invariant is broken: stop before anything wrong is booked

What cannot be accepted is no error but data: it is quarantined with an InvalidReason.
"""

from collections.abc import Sequence
from typing import Final


class SpendstreamError(Exception):
    """Base of all errors raised on purpose. The command line prints the message without a traceback."""


class ConfigError(SpendstreamError):
    """Settings, rules or price files that cannot be used. Collects all problems, so that one run shows them all."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class RetryError(SpendstreamError):
    """A temporary failure outside of this process."""


class StoreUnavailableError(RetryError):
    """ClickHouse did not answer, or not in time."""


class BrokerUnavailableError(RetryError):
    """Kafka did not answer, or not in time."""


class LostPartitionError(SpendstreamError):
    """The broker refused a commit: this worker no longer owns the partition."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        super().__init__(f"lost {topic}[{partition}] before offset {offset} was committed")
        self.topic = topic
        self.partition = partition
        self.offset = offset


class CrashError(SpendstreamError):
    """An invariant does not hold. Going on could book something wrong."""


NOT_OF_A_RECORD: Final = (RetryError, LostPartitionError, CrashError, ConfigError)
"""What says nothing about the records at hand. Anything else may come of one of them: whoever handles records looks for
it, so that the others are not held up. (A statement that the store refuses may hold what a record brought.)
"""

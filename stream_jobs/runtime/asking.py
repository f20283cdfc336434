"""What people ask of a running job: sent to Kafka, and waited for until the store shows what became of it.

A record may be lost when the embedded broker is replaced, so it is sent again while there is no answer: whoever asks
twice with the same id asks once.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from stream_jobs.runtime.record_producer import Record, RecordProducer
from stream_jobs.runtime.retry import wait_until

LOOK_EVERY_S: Final = 0.1
_Answer = TypeVar("_Answer")


def ask(
    producer: RecordProducer,
    topic: str,
    record: Record,
    answer: Callable[[], _Answer | None],
    *,
    send_every_s: float,
    give_up_s: float,
) -> _Answer | None:
    """The first answer that is not None; None when nothing came of it in time, which may still be done later.

    Raises BrokerUnavailableError when the record cannot be sent.
    """
    send_at_s = time.monotonic()
    found: _Answer | None = None

    def answered() -> bool:
        nonlocal send_at_s, found
        if time.monotonic() >= send_at_s:
            producer.send(topic, [record])
            send_at_s = time.monotonic() + send_every_s
        found = answer()
        return found is not None

    wait_until(answered, give_up_s, LOOK_EVERY_S)
    return found

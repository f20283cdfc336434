"""What people ask of the alerts job, see stream_jobs/runtime/asking.py."""

from collections.abc import Callable
from typing import Final, TypeVar

from spendstream_schemas.alert_feed import AlertAck, Silence, alert_record_key
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime import asking
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import ALERTS

SEND_EVERY_S: Final = 5.0
GIVE_UP_S: Final = 30.0
_Answer = TypeVar("_Answer")


class NoAnswerError(BrokerUnavailableError):
    """The request is in Kafka, and the alerts job has not recorded it in time."""


def ask(
    producer: RecordProducer,
    record: AlertAck | Silence,
    answer: Callable[[], _Answer | None],
    *,
    send_every_s: float = SEND_EVERY_S,
    give_up_s: float = GIVE_UP_S,
) -> _Answer:
    """The first answer that is not None or False.

    Raises BrokerUnavailableError when the record cannot be sent, and NoAnswerError when nothing comes of it: it may
    still be done later.
    """
    message = (alert_record_key(record).encode(), record.model_dump_json(exclude_none=True).encode())
    found = asking.ask(
        producer, ALERTS, message, lambda: answer() or None, send_every_s=send_every_s, give_up_s=give_up_s
    )
    if found is None:
        raise NoAnswerError(
            f"the alerts job has not taken it up within {give_up_s:.0f} s; is it running ('spendstream status')? "
            "The request is in Kafka, and is done when the job reads it"
        )
    return found

"""What becomes of a message that a feed between our own jobs cannot use: it is counted, and the log says where it lies.

The topic keeps the message itself for as long as its retention says, so a place is enough to look at it. (What booking
refuses is not read again from Kafka, but kept in quarantine.)
"""

import logging
from typing import Final, Literal

from stream_jobs.runtime.metrics import REFUSED_MESSAGES

log = logging.getLogger(__name__)

Cause = Literal["refused", "failed"]
MAX_REASON: Final = 500
MAX_SHOWN_BYTES: Final = 200


def pass_over(
    topic: str, partition: int | None, offset: int | None, raw: bytes | None, reason: object, *, failed: bool = False
) -> None:
    """The message is none of the feed's, or (`failed`) our own code could not cope with it: go on with the next."""
    cause: Cause = "failed" if failed else "refused"
    REFUSED_MESSAGES.labels(topic, cause).inc()
    shown = ascii((raw or b"")[:MAX_SHOWN_BYTES])
    why = str(reason)[:MAX_REASON].encode("unicode_escape").decode()  # it may quote what was sent
    log.error(
        "%s[%s] offset %s is passed over (%s): %s; %d bytes: %s",
        topic,
        partition,
        offset,
        cause,
        why,
        len(raw or b""),
        shown,
    )

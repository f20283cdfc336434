"""The last check as gauges."""

import logging
import time
from typing import Final

from stream_jobs.conservation.accounts import DIFFERENCES, EXPLAINED, Accounts
from stream_jobs.runtime.metrics import CONSERVATION, CONSERVATION_CHECKED, CONSERVATION_NAMED

log = logging.getLogger(__name__)

_FATES: Final = ("received", "booked", "duplicates", "quarantined", "in_flight", "difference")


def report(accounts: Accounts) -> None:
    """Set the gauges to these accounts, summed per topic partition; partitions that are no longer there vanish."""
    CONSERVATION.clear()
    CONSERVATION_NAMED.clear()
    for hour in accounts.hours:
        where = (hour.topic, str(hour.partition))
        for fate in _FATES:
            CONSERVATION.labels(*where, fate).inc(getattr(hour, fate))
        for name in (*DIFFERENCES, *EXPLAINED):
            if name != "in_flight":
                CONSERVATION_NAMED.labels(*where, name).inc(getattr(hour, name))
        if not hour.closes:
            named = ", ".join(f"{name} {number}" for name, number in hour.names.items())
            log.error("%s[%s] does not close in the hour from %s UTC: %s", *where, hour.hour.strftime("%H:%M"), named)
    CONSERVATION_CHECKED.labels("store").set(time.time())
    if accounts.kafka_error is None:
        CONSERVATION_CHECKED.labels("kafka").set(time.time())
    else:
        log.warning("conservation was checked without Kafka: %s", accounts.kafka_error)

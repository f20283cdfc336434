"""Up to which instant the ledger is known: the ends of Kafka's log beside the receipts of finished blocks.

For those who read the ledger now and then. Who counts deltas knows by their offsets.
"""

from datetime import datetime, timedelta
from typing import Final

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.instants import EPOCH
from stream_jobs.blocks.progress import booked_to
from stream_jobs.completeness.log_look import LogLooker
from stream_jobs.completeness.watermark import LogLook, Watermark, minute_of
from stream_jobs.runtime.topics import USAGE_EVENTS
from stream_jobs.series.delta import Origin
from stream_jobs.store.client import StoreClient

LAGGING_S: Final = 30.0
"""After so long without a block where records wait, it is asked whether these are any: markers of transactions take
offsets, too."""


class LedgerReach:
    """Used by one thread. Raises StoreUnavailableError; a broker that does not answer leaves things as they are."""

    def __init__(self, store: StoreClient, looker: LogLooker, grace: timedelta) -> None:
        """`grace`: how long after it happened what services send reaches Kafka."""
        self._store = store
        self._looker = looker
        self._grace = grace
        self._watermark = Watermark(grace, timedelta(0))
        self._topic_id: str | None = None
        self._passed: dict[Origin, int] = {}  # where only markers were, or what retention has taken

    @property
    def known_until(self) -> datetime:
        """Everything that happened by then is in the ledger, as far as it was sent in time; EPOCH: nothing is known."""
        return self._watermark.known_until

    @property
    def topic_id(self) -> str | None:
        """Of the topic that was looked at last."""
        return self._topic_id

    def look(self, now: datetime) -> datetime:
        """`known_until`, as of what is booked by now. `now`: by the store's clock."""
        if (seen := self._looker.answer()) is not None:
            self._topic_id = seen.topic_id
            self._watermark.looked(seen)
        if self._topic_id is not None:
            self._watermark.counted(self._counted(self._topic_id))
            if (behind := self._watermark.behind(now, LAGGING_S)) is not None:
                self._pass_markers(behind)
        if self._watermark.wants_look(minute_of(now - self._grace) - 1, now):
            self._looker.ask(now)
        return self.known_until

    def lag(self, now: datetime) -> str:
        """Why the ledger is not known up to now, in words."""
        behind = self._watermark.behind(now, 0)
        if self.known_until == EPOCH and behind is None:
            return "Kafka does not say how much waits in it"
        if behind is None:
            return (
                f"the ends of Kafka's log were last seen for what happened until {self.known_until:%Y-%m-%d %H:%M} UTC"
            )
        waiting = behind.missing(self._counted(behind.topic_id))
        where = ", ".join(map(str, sorted(waiting)))
        return f"records wait to be booked, of partition {where}, since {behind.at:%Y-%m-%d %H:%M} UTC at the latest"

    def _counted(self, topic_id: str) -> dict[Origin, int]:
        booked = booked_to(self._store, USAGE_EVENTS, topic_id)
        found = {Origin(topic_id, partition): offset for partition, offset in booked.items()}
        for origin, offset in self._passed.items():
            found[origin] = max(offset, found.get(origin, 0))
        return found

    def _pass_markers(self, look: LogLook) -> None:
        for partition, at in look.missing(self._counted(look.topic_id)).items():
            try:
                if not self._looker.holds_record(partition, at):
                    self._passed[Origin(look.topic_id, partition)] = look.ends[partition]
            except BrokerUnavailableError:
                return

    def close(self) -> None:
        self._looker.close()

"""From one assignment of the feed to the next: what is counted, judged, written down and told, in this order.

A cycle: deltas into minutes ▸ where the log ends ▸ `judged` rows ▸ minutes through the detector ▸ findings into
ClickHouse ▸ telling ▸ a snapshot now and then. What was lost on the way is read from the ledger. A crash at any point
is made good by beginning anew: from the last snapshot, with the blocks that were counted when each minute was judged.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.anomalies.corrections import Corrections
from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.ledger import LedgerMinutes
from stream_jobs.anomalies.model import Change, FindingRow, Steer, Telling
from stream_jobs.anomalies.scores import Scores
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.start import KEPT, LOOK_BACK, Start
from stream_jobs.anomalies.states import JudgedRow, States
from stream_jobs.anomalies.watch import Watch
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.blocks.progress import booked_to
from stream_jobs.completeness.log_look import RETRY_S, LogLooker
from stream_jobs.completeness.watermark import LogLook, Watermark, minute_of, start_of
from stream_jobs.runtime.due import Due
from stream_jobs.runtime.metrics import (
    ANOMALIES_BEHIND,
    ANOMALIES_DROPPED,
    ANOMALIES_JUDGED,
    ANOMALIES_LATE,
    ANOMALIES_OPEN,
    ANOMALIES_SERIES,
    ANOMALIES_SNAPSHOT_BYTES,
    ANOMALIES_TOO_LATE_USD,
)
from stream_jobs.runtime.topics import USAGE_EVENTS
from stream_jobs.series.delta import Delta, Origin
from stream_jobs.series.follower import Follower, deltas_of
from stream_jobs.series.sums import LedgerSums
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock
from stream_jobs.streams.model import SourceRecord

log = logging.getLogger(__name__)

FOLD_S: Final = 1.0
MOST_WAITING: Final = 500
"""Deltas that are taken together: what a batch costs hardly depends on how many it holds."""
LOST_S: Final = 5.0
"""After so long without deltas that should have come the receipts of blocks are looked at, and so often."""
TELL_S: Final = 5.0
CORRECTIONS_S: Final = 5.0
LITTLE: Final = 1_000
"""Events that may come late before it is worth learning anew, and how long none must have come."""
CALM: Final = timedelta(seconds=15)
LONGEST: Final = timedelta(minutes=2)
SPACING: Final = timedelta(minutes=1)
RARELY: Final = 50
"""Minutes are judged again this long after they were last, and this many times as long as that took."""
MOST_MINUTES: Final = 30
"""That are judged in one cycle."""


class Running:
    """Used by one thread. Raises what RetryError is: the next call goes on where it stopped."""

    def __init__(
        self,
        store: StoreClient,
        settings: AnomaliesSettings,
        looker: LogLooker,
        telling: Telling,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._looker = looker
        self._telling = telling
        self._now = now or ServerClock(store).now
        begun = self._now()
        self._states = States(store, begun)
        self._findings = Findings(store)
        self._sums = LedgerSums(store)
        self._ledger = LedgerMinutes(store, settings.levels)
        self._watermark = Watermark(timedelta(seconds=settings.grace_s), timedelta(seconds=settings.patience_s))
        self._grace = timedelta(seconds=settings.grace_s)
        self._corrections = Corrections(self._sums, self._ledger)
        self._scores = Scores(store)
        recorded = self._findings.last(begun - KEPT)
        # The receipts first: whatever has one is in the ledger, and in the vector.
        self._counted: dict[Origin, int] = {}
        vector = self._sums.vector()
        self._count_to(self._receipts({origin.topic_id for origin in vector}))
        vector = self._sums.vector()
        self._start = start = Start(store, settings, self._states, self._ledger)
        self._watch = start.begin(vector, recorded, begun)
        self._missed = (self._watch.missed, begun)  # and since when
        self._floor = float(settings.floor_usd)
        self._late_since: datetime | None = None
        self._again_at = begun
        self._follower = Follower(self._sums, vector, begun)
        self._follower.reads = frozenset(name for level in settings.levels for name in level)
        self._expect_offsets()
        self._waiting: list[Delta] = []
        self._outbox: list[Change] = []
        self._recording: list[FindingRow] = []
        self._fold, self._ask, self._tell = Due(FOLD_S), Due(RETRY_S), Due(TELL_S)
        self._lost, self._unknown, self._correct = Due(LOST_S), Due(LOST_S), Due(CORRECTIONS_S)
        self._snapshot_due = Due(settings.snapshot_s)
        if start.from_snapshot:
            self._settle(begun)
        else:
            self._write_snapshot(begun)
        self._snapshot_due()
        self._telling.begin(recorded, begun)

    def handle(self, records: list[SourceRecord]) -> int:
        """See FeedHandler. Returns how many records were refused."""
        now = self._now()
        deltas, refused = deltas_of(records, now)
        self._waiting += deltas
        if self._waiting and (self._fold() or len(self._waiting) >= MOST_WAITING):
            self._take(now)
        if self._follower.gap:
            self._resync(now)
        self._look_at_log(now)
        self._judge(now)
        self._learn_anew(now)
        self._judge_again(now)
        if self._correct():
            self._outbox += self._corrections.look(self._watch, now)
        self._deliver(now)
        if self._snapshot_due():
            self._write_snapshot(now)
        return refused

    # -- what is counted

    def _take(self, now: datetime) -> None:
        if not all(delta.origin in self._follower.vector for delta in self._waiting) and self._unknown():
            self._resync(now)  # of a partition that is new nothing tells whether a delta was lost before this one
        _, facts = self._follower.take(self._waiting)
        self._waiting = []
        if facts is not None:
            self._watch.add(facts)
        self._count_to(self._follower.next_offset)
        if self._follower.untold:
            log.warning("deltas do not tell %s: series of these are not whole", ", ".join(self._follower.untold))
            self._follower.untold.clear()
        self._follower.missed_since = None
        self._outbox += self._watch.amend(now)

    def _resync(self, now: datetime) -> None:
        """Go on from the ledger: what was booked since what is counted is read from it."""
        counted = self._receipts({origin.topic_id for origin in self._follower.vector} | self._watermark.topic_ids)
        before = dict(self._follower.vector)
        try:
            with self._follower.resync(now):
                after = dict(self._follower.vector)
                parts = list(self._ledger.between([before, after], start_of(self._watch.next) - LOOK_BACK))
        except BaseException:
            self._follower.vector = before
            raise
        for level, facts in parts[0]:
            self._watch.add(facts, [level])
        self._count_to(counted)
        self._expect_offsets()
        self._follower.missed_since = None
        self._outbox += self._watch.amend(now)

    def _expect_offsets(self) -> None:
        """A delta that does not go on where the counted blocks end tells that one before it was lost."""
        for origin, offset in self._counted.items():
            if origin in self._follower.vector:
                self._follower.next_offset[origin] = max(offset, self._follower.next_offset.get(origin, 0))

    def _count_to(self, offsets: Mapping[Origin, int]) -> None:
        """Everything before these offsets is counted; what is counted already stays so."""
        for origin, offset in offsets.items():
            self._counted[origin] = max(offset, self._counted.get(origin, 0))

    def _receipts(self, topic_ids: Iterable[str]) -> dict[Origin, int]:
        """Where the finished blocks of these incarnations of the topic end."""
        return {
            Origin(topic_id, partition): offset
            for topic_id in sorted(topic_ids)
            for partition, offset in booked_to(self._store, USAGE_EVENTS, topic_id).items()
        }

    # -- how far the past is known

    def _look_at_log(self, now: datetime) -> None:
        if (look := self._looker.answer()) is not None:
            self._watermark.looked(look)
        self._watermark.counted(self._counted)
        if self._watermark.wants_look(minute_of(now - self._grace) - 1, now) and self._ask():
            self._looker.ask(now)
        behind = self._watermark.behind(now, LOST_S)
        if behind is not None and self._lost():
            self._find_lost(behind, now)
            self._watermark.counted(self._counted)
        ANOMALIES_BEHIND.set(max(0.0, (now - start_of(self._watch.next)).total_seconds()))

    def _find_lost(self, look: LogLook, now: datetime) -> None:
        """Deltas that should have come by now: they were lost, or there is nothing to come."""
        missing = look.missing(self._counted)
        booked = self._receipts([look.topic_id])
        if any(booked.get(Origin(look.topic_id, partition), 0) > at for partition, at in missing.items()):
            log.warning("blocks are booked that were not heard of: reading the ledger")
            self._resync(now)
            missing = look.missing(self._counted)
        for partition, at in missing.items():
            try:
                nothing = not self._looker.holds_record(partition, at)
            except BrokerUnavailableError:
                return
            if nothing:  # all of it are markers, or records that retention has taken
                self._counted[Origin(look.topic_id, partition)] = look.ends[partition]

    # -- what is judged

    def _judge(self, now: datetime) -> None:
        rows: list[JudgedRow] = []
        vector = dict(self._follower.vector)
        minute = self._watch.next
        while len(rows) < MOST_MINUTES and (
            (whole := self._watermark.whole(minute)) or self._watermark.given_up(minute, now)
        ):
            rows.append(JudgedRow(minute, vector, whole, self._steers(minute)))
            minute += 1
        if not rows:
            return
        self._states.judged(rows, now)
        # A crash here: the minutes are judged of the same blocks when the job begins anew.
        for row in rows:
            self._outbox += self._watch.judge(now, known=row.known, steers=row.steers)
            ANOMALIES_JUDGED.labels("known" if row.known else "unknown").inc()
            self._scores.collect(self._watch)
        registry = self._watch.registry
        ANOMALIES_SERIES.set(len(registry.places))
        ANOMALIES_DROPPED.set(registry.dropped)
        ANOMALIES_OPEN.set(len(self._watch.rows.open_series()))
        ANOMALIES_LATE.inc(self._watch.late_events)
        ANOMALIES_TOO_LATE_USD.inc(self._watch.too_late_pico / PICO_PER_USD)
        self._watch.late_events = self._watch.too_late_pico = 0
        self._scores.write()
        if len(rows) < MOST_MINUTES:
            self._settle(now)  # all is judged that there is: what is recorded as open is found by now, or is over

    def _steers(self, minute: int) -> Sequence[Steer]:
        """After a warm start minutes are judged with what was known before them; what is new waits until all is judged
        that there is, for it is said of what goes on now."""
        if self._watch.rows.quiet:
            return self._start.said.get(minute, ())
        return self._telling.steer(start_of(minute))

    def _learn_anew(self, now: datetime) -> None:
        """Where much of what the ledger holds came late, as when history is loaded into a new installation, what was
        learned says little: once no more of it comes, the ledger is learned from as by a first start."""
        missed, since = self._missed
        if self._watch.missed != missed:
            self._missed = self._watch.missed, now
        elif self._too_late(missed) and now - since > CALM and not self._watch.rows.quiet:
            log.info("%d events came late, %d in time: learning from the ledger anew", missed, self._watch.learned)
            self._deliver(now)
            watch = self._start.warm(self._follower.vector, self._findings.last(now - KEPT), now)
            self._watch, self._missed = watch, (0.0, now)
            self._corrections = Corrections(self._sums, self._ledger)
            self._write_snapshot(now)

    def _judge_again(self, now: datetime) -> None:
        """Where enough came late for minutes that were judged, they are judged again: once no more of it comes, or
        after some time all the same; and not so often that it takes more than a small part of a core."""
        missed, since = self._missed
        if self._watch.rows.quiet or self._again_at > now or self._watch.fresh.first is None:
            return
        self._late_since = self._late_since or now
        calm = now - since > CALM or now - self._late_since > LONGEST
        if not calm or self._too_late(missed):
            return
        first = self._watch.worth_again(self._floor)
        if first is None:
            self._again_at, self._late_since = now + SPACING, None
            return
        self._deliver(now)
        began = time.monotonic()
        watch = self._start.again(self._watch, first, self._watermark.whole, self._follower.vector, now)
        took = timedelta(seconds=time.monotonic() - began)
        self._again_at, self._late_since = now + max(SPACING, RARELY * took), None
        if watch is None:
            self._watch.fresh.clear()  # it has changed figures: more is not possible
            return
        # A crash here: the minutes are judged again, of the same and more.
        self._write_snapshot(now, watch)
        ANOMALIES_JUDGED.labels("again").inc(watch.next - first)
        self._watch, self._missed = watch, (watch.missed, since)
        self._corrections = Corrections(self._sums, self._ledger)
        self._settle(now)

    def _too_late(self, missed: float) -> bool:
        """Whether so much came late that what was learned says little."""
        return missed > max(LITTLE, self._watch.learned / 4)

    def _settle(self, now: datetime) -> None:
        if self._watch.rows.quiet:
            self._corrections.look(self._watch, now)  # what they come to by now is part of what is recorded
            self._outbox += self._watch.rows.settle(self._watch.next - 1, now)

    # -- what is written and told

    def _deliver(self, now: datetime) -> None:
        if not self._recording and (self._outbox or self._tell()):
            self._recording = self._telling.prepare(_together(self._outbox), now)
            self._outbox = []
            for row in self._recording:
                self._watch.rows.told(row)
        if self._recording:
            self._findings.record(self._recording)
        # A crash here: they are recorded, and who begins anew tells what was recorded lately.
        self._telling.tell(self._recording, now)
        self._recording = []

    def _write_snapshot(self, now: datetime, watch: Watch | None = None) -> None:
        watch = watch or self._watch
        size = self._states.write(watch.next, self._follower.vector, watch.dump(), now)
        ANOMALIES_SNAPSHOT_BYTES.set(size)

    def close(self) -> None:
        """Stop. What was not recorded or told is by whoever begins next."""
        self._telling.close()
        self._looker.close()


def _together(changes: Iterable[Change]) -> list[Change]:
    """Of each finding from before the first of its changes to after the last."""
    found: dict[str, Change] = {}
    for change in changes:
        known = found.get(change.after.finding_id)
        found[change.after.finding_id] = change if known is None else Change(known.before, change.after)
    return list(found.values())

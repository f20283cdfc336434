"""How the job begins: from its last snapshot and what was booked since, else from weeks of the ledger."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final

import numpy as np

from stream_jobs.anomalies import warm
from stream_jobs.anomalies.ledger import LedgerMinutes, Part
from stream_jobs.anomalies.model import FindingRow, Series, Steer
from stream_jobs.anomalies.registry import Registry
from stream_jobs.anomalies.rejudging import BACK_MINUTES
from stream_jobs.anomalies.rows import Rows
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.states import JudgedRow, Snapshot, States
from stream_jobs.anomalies.watch import LATE_MINUTES, Watch, restored
from stream_jobs.base.instants import unix_micros
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.detector import CostDetector
from stream_jobs.series.sums import Vector
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

KEPT: Final = timedelta(days=8)
"""Findings that were closed since then may still change."""
LOOK_BACK: Final = timedelta(minutes=LATE_MINUTES)
STALE: Final = timedelta(hours=24)
"""A snapshot that has so much to make up for is of no use: what was missed is learned from in hours."""
BY_MINUTE: Final = timedelta(hours=3)
"""After a warm start so much is judged minute by minute, at least ..."""
MOST_BY_MINUTE: Final = timedelta(hours=12)
"""... and at most, where findings that are open or have just ended began before that."""
HOUR: Final = timedelta(hours=1)
MOST_AGAIN: Final = 10_000_000
"""Entries that are read to judge minutes again."""


class Start:
    """Raises StoreUnavailableError."""

    def __init__(
        self,
        store: StoreClient,
        settings: AnomaliesSettings,
        states: States,
        ledger: LedgerMinutes,
    ) -> None:
        self._store = store
        self._settings = settings
        self._states = states
        self._ledger = ledger
        self.from_snapshot = False
        self.said: Mapping[int, Sequence[Steer]] = {}
        """After a warm start: what people had said, by the minute before which it was known."""

    def begin(self, vector: Vector, recorded: Sequence[FindingRow], now: datetime) -> Watch:
        """What goes on with the blocks of `vector` counted. It is quiet: `rows.settle` says what is different from what
        is recorded; without a snapshot that is known once the last hours are judged."""
        snapshot, judged = self._states.latest(now - STALE)
        watch = None
        if snapshot is not None and now - start_of(snapshot.minute) < STALE:
            watch = self._restored(snapshot, recorded)
        if watch is not None and snapshot is not None:
            self.from_snapshot = True
            self._replay(watch, snapshot, judged, vector, now)
        else:
            watch = self.warm(vector, recorded, now)
        return watch

    def _restored(self, snapshot: Snapshot, recorded: Sequence[FindingRow]) -> Watch | None:
        try:
            detector = CostDetector.load(snapshot.state["detector"])
            known = self._settings
            return restored(
                snapshot.state, known.levels, known.max_series, detector, recorded, known.false_alerts_per_week
            )
        except (ValueError, KeyError, TypeError) as error:
            log.warning("what was learned cannot be used, so the ledger is learned from: %s", error)
            return None

    def _replay(
        self, watch: Watch, snapshot: Snapshot, judged: Sequence[JudgedRow], vector: Vector, now: datetime
    ) -> None:
        _add(watch, self._ledger.booked_by(snapshot.vector, start_of(snapshot.minute)))
        vectors = [snapshot.vector, *(row.vector for row in judged), vector]
        parts = self._ledger.between(vectors, start_of(snapshot.minute) - LOOK_BACK)
        for part, row in zip_longest(parts, judged):
            _add(watch, part)
            watch.amend(now)
            if row is not None:
                watch.judge(now, known=row.known, steers=row.steers)
        log.info("going on at %s, %d minutes after the last snapshot", start_of(watch.next), len(judged))

    def again(
        self, before: Watch, first: int, whole: Callable[[int], bool], vector: Vector, now: datetime
    ) -> Watch | None:
        """Judge the minutes from `first` on again, of all that `vector` counts by now. `whole`: whether a minute is
        known by now. None: nothing to begin with is written down, or it would be too much to read."""
        snapshot, judged = self._states.latest(
            start_of(first) - STALE, lambda minute, at: minute <= first and before.fresh.usable(minute, at)
        )
        if snapshot is None or first - snapshot.minute > BACK_MINUTES or self._too_much(start_of(snapshot.minute)):
            return None
        watch = self._restored(snapshot, ())
        if watch is None:
            return None
        _add(watch, self._ledger.booked_by(vector, start_of(snapshot.minute)))
        by_minute = {row.minute: row for row in judged}
        while watch.next < before.next:
            row = by_minute.get(watch.next, JudgedRow(watch.next, vector))
            watch.judge(now, known=row.known or whole(row.minute), steers=row.steers)
        watch.follows(before, snapshot.minute, now)
        log.info("judged %d minutes again: of some of it came late", watch.next - snapshot.minute)
        return watch

    def _too_much(self, since: datetime) -> bool:
        rows = self._store.rows(
            "SELECT sum(entries) FROM cost_1m WHERE minute >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
            {"since": unix_micros(since)},
        )
        return int(str(rows[0][0])) > MOST_AGAIN

    def warm(self, vector: Vector, recorded: Sequence[FindingRow], now: datetime) -> Watch:
        """Learn from the ledger; quiet until the last hours are judged, too: with what people said of them, in `said`,
        else what they marked as expected would be found once more."""
        until = self._until(recorded, now)
        self.said = self._states.said(minute_of(until))
        registry = Registry(self._settings.levels, self._settings.max_series)
        detector = CostDetector()
        total = np.array([registry.names.number(Series())], np.int64)
        hours = warm.learn(self._store, registry, self._settings.history_days, until)
        registry.admit(total, set)  # it is watched from the first minute on, also where nothing has happened yet
        names = [series.name for series in registry.places]
        if hours is not None:
            hours.teach(detector, names)
        else:
            detector.add(names)
        watch = Watch(detector, registry, Rows(), minute_of(until), self._settings.false_alerts_per_week)
        watch.weigh()
        watch.follow()
        if hours is not None:
            warm.learn_drivers(self._store, watch.drivers, self._settings.history_days, until)
        watch.rows.recorded(recorded, adopt=True)
        watch.rows.quiet = True
        if hours is not None:
            watch.learned = float(hours.events[registry.find(Series())].sum())
        _add(watch, self._ledger.booked_by(vector, until))
        return watch

    def _until(self, recorded: Sequence[FindingRow], now: datetime) -> datetime:
        """Up to where hours are learned from, a whole hour: what is found again is to be found as it was."""
        latest = now - BY_MINUTE
        begun = [row.starts_at - HOUR for row in recorded if row.ends_at is None or row.ends_at > latest]
        until = min((at for at in begun if at > now - MOST_BY_MINUTE), default=latest)
        if until < latest and self._too_much(until):
            until = latest
        return min(until, latest).replace(minute=0, second=0, microsecond=0)


def _add(watch: Watch, part: Part) -> None:
    for level, facts in part:
        watch.add(facts, [level])

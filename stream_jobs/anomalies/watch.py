"""Watches: what deltas hold goes into minutes, minutes go through the detector one by one, findings come out as rows.

Knows neither Kafka nor ClickHouse. What comes out follows from the entries of each minute by the time it was judged,
and not from how they were grouped, or in which order they came before that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from statistics import median
from typing import Any, Final, Protocol

import numpy as np

from stream_jobs.anomalies.drivers import Drivers, Told
from stream_jobs.anomalies.exact import floats, whole
from stream_jobs.anomalies.minutes import Held, Minutes
from stream_jobs.anomalies.model import Change, FindingRow, Series, Steer
from stream_jobs.anomalies.names import Level
from stream_jobs.anomalies.portfolio import more_nats
from stream_jobs.anomalies.registry import Registry
from stream_jobs.anomalies.rejudging import BACK_MINUTES, Fresh, inherit
from stream_jobs.anomalies.rows import AGAIN_MINUTES, Late, Rows
from stream_jobs.detection.model import Finding, Floats, Minute
from stream_jobs.series.facts import Facts

HOUR: Final = 60
FALSE_ALERTS_PER_WEEK: Final = 2.0
MOST: Final = 1e28
"""Of a figure: more than a detector takes is nothing that anybody spends, and must not stop the job."""
PEERS: Final = 5
"""So many make what is usual among them."""
LATE_MINUTES: Final = 8 * 24 * 60
"""Entries for minutes that were judged longer ago than this change nothing."""


class CostDetector(Protocol):
    """What is needed of detection.detector.CostDetector."""

    names: list[str]

    def add(self, names: Sequence[str], usual: Sequence[float] | None = None) -> None: ...

    def reuse(self, numbers: Sequence[int], names: Sequence[str], usual: Sequence[float] | None = None) -> None:
        """Other series have these numbers from now on; what was learned of those before is forgotten."""

    def usual_hours(self) -> Floats: ...

    def standing(self, number: int) -> Finding | None: ...

    def advance(self, minute: Minute) -> list[Finding]: ...

    def weigh(self, nats: Sequence[float]) -> None: ...

    def adopt(self, number: int) -> list[Finding]: ...

    def scores(self) -> Floats: ...

    def hour(self) -> tuple[Floats, Floats]: ...

    def bands(self) -> tuple[Floats, Floats, Floats]: ...

    def dump(self) -> bytes: ...


class Watch:
    """Used by one thread."""

    def __init__(
        self,
        detector: CostDetector,
        registry: Registry,
        rows: Rows,
        next_minute: int,
        false_alerts_per_week: float = FALSE_ALERTS_PER_WEEK,
        drivers: Drivers | None = None,
    ) -> None:
        self.next = next_minute  # the first that is not judged
        self.rows = rows
        self.registry = registry
        self.detector = detector
        self.drivers = drivers or Drivers()
        self._per_week = false_alerts_per_week
        self.late_events = 0  # so many have come late since somebody set this to 0
        self.too_late_pico = 0  # of cost, came too late to be judged since somebody set this to 0
        self.learned = 0.0  # events that the detector has seen
        self.missed = 0.0  # events that came late, which it has not
        self.fresh = Fresh()
        self._minutes = Minutes(registry.names)
        self._touched: set[tuple[Series, int]] = set()

    @property
    def levels(self) -> tuple[Level, ...]:
        return self.registry.names.levels

    def add(self, facts: Facts, levels: Sequence[Level] | None = None) -> None:
        """What blocks have added: see Minutes.add. Of minutes that were judged: see `amend`."""
        for minute, held in self._minutes.add(facts, self.next, levels).items():
            self._late(minute, held)

    def _late(self, minute: int, held: Held) -> None:
        series = self.registry.names.series
        for row in np.flatnonzero(held.ids == self.registry.names.find(Series())).tolist():
            late_events = abs(whole(held.sums[row], "events"))
            self.late_events += late_events
            self.missed += late_events
            if minute < self.next - BACK_MINUTES:
                self.too_late_pico += abs(whole(held.sums[row], "effective_cost"))
        if minute < self.next - LATE_MINUTES:
            return
        places = self.registry.place_of(held.ids)
        for row in np.flatnonzero(places >= 0).tolist():
            one = series[held.ids[row]]
            sums = held.sums[row]
            late = Late(whole(sums, "effective_cost"), whole(sums, "events"))
            self.rows.late(one, minute, late)
            self._touched.add((one, minute))
            self.fresh.add(one, minute, late)

    def amend(self, now: datetime) -> list[Change]:
        """What has come late since the last call, and changed findings."""
        touched, self._touched = self._touched, set()
        return self.rows.amended(touched, self.next - 1, now) if touched else []

    def worth_again(self, least_usd: float) -> int | None:
        """The minute from which on everything is to be judged again, if that may conclude otherwise: see Fresh."""
        self.fresh.forget(self.next - BACK_MINUTES)
        first = self.fresh.first
        if first is None:
            return None
        usual = dict(zip(self.registry.places, self.detector.bands()[0].tolist(), strict=True))
        return first if self.fresh.matters(self.rows, least_usd, usual) else None

    def follows(self, before: "Watch", since: int, now: datetime) -> None:
        """It has judged the minutes from `since` on again that `before` judged first: it is in its place from now on.
        Quiet until `rows.settle`."""
        inherit(self.rows, before.rows, since, self.next)
        self.rows.only_now = True
        self.fresh = before.fresh
        self.fresh.judged_again(since, now)
        self.missed = max(0.0, before.missed - before.rows.late_events(since))
        self.late_events, self.too_late_pico = before.late_events, before.too_late_pico

    def judge(self, now: datetime, *, known: bool = True, steers: Iterable[Steer] = ()) -> list[Change]:
        """The next minute is over: nothing of it will come any more but what is late."""
        at = self.next
        changes = self._steer(steers, now)
        held = self._minutes.take(at)
        registry = self.registry
        if known:
            self.drivers.add(registry.names, held)
        cost, events = floats(held.sums, "effective_cost"), floats(held.sums, "events")
        self._place(registry.admit(held.ids, self._kept))
        registry.spent(held.ids, cost, events)
        places = registry.place_of(held.ids)
        mine = places >= 0
        places = places[mine]
        count = len(registry.places)
        sums: dict[str, Floats] = {}
        for measure in ("events", "effective_cost", "cost_squares"):
            values = np.zeros(count)
            values[places] = np.clip(floats(held.sums[mine], measure), -MOST, MOST)
            sums[measure] = values
        minute = Minute(
            at,
            sums["events"],
            sums["effective_cost"],
            sums["cost_squares"],
            known=None if known else np.zeros(count, np.bool_),
        )
        if count:
            self.learned += float(sums["events"][0]) if not registry.places[0].dims else 0.0
            for found in [*self.detector.advance(minute), *self._standing(at)]:
                change = self.rows.taken(registry.places[found.number], found, at, now)
                if change is not None:
                    changes.append(change)
        self.next = at + 1
        if self.next % HOUR == 0:
            changes += self._taken(self.drivers.hour(self.next), now)
            self._hour()
        return changes

    def _taken(self, told: Iterable[Told], now: datetime) -> list[Change]:
        """What was found of drivers."""
        changes = [self.rows.taken(series, found, self.next - 1, now) for series, found in told]
        return [change for change in changes if change is not None]

    def _standing(self, at: int) -> list[Finding]:
        """What is open, every quarter of an hour, when its excess has doubled, and when it becomes calm or goes on: the
        detector says only what has changed, and what is planned, or was marked, may be exceeded by now."""
        places = sorted(self.registry.find(series) for series in self.rows.open_series())
        found = [one for place in places if place >= 0 and (one := self.detector.standing(place)) is not None]
        turned = [self.rows.goes_on(self.registry.places[one.number], one, at) for one in found]
        if (at + 1) % AGAIN_MINUTES == 0:
            return found
        return [
            one
            for one, has_turned in zip(found, turned, strict=True)
            if has_turned or self.rows.has_doubled(self.registry.places[one.number], one)
        ]

    def _steer(self, steers: Iterable[Steer], now: datetime) -> list[Change]:
        changes = []
        for steer in steers:
            place = self.registry.find(steer.series)
            for found in self.detector.adopt(place) if place >= 0 else ():
                said = replace(found, closing="expected")
                change = self.rows.taken(steer.series, said, self.next - 1, now)
                if change is not None:
                    changes.append(change)
        return changes

    def _hour(self) -> None:
        self.rows.forget(self.next)
        self._place(self.registry.hour(self._kept()))
        self.weigh()
        self.follow()
        if self.registry.crowded():
            self._minutes.renumber(self.registry.forget(self._minutes.used()))

    def follow(self) -> None:
        """The drivers of the most important series are followed."""
        importance = self.registry.importance_of_places().tolist()
        self.drivers.follow(dict(zip(self.registry.places, importance, strict=True)))

    def weigh(self) -> None:
        """All series together have one budget of false alerts, by what each has spent up to the hour."""
        if len(self.detector.names):
            nats = more_nats(self.registry.importance_of_places(), self._per_week)
            self.detector.weigh(nats.tolist())

    def _kept(self) -> set[int]:
        """Places whose series have an open finding."""
        return {self.registry.find(series) for series in self.rows.open_series()}

    def _place(self, taken: Sequence[tuple[int, Series]]) -> None:
        count = len(self.detector.names)
        new = [series for place, series in taken if place >= count]
        again = [(place, series) for place, series in taken if place < count]
        peers = self._peers() if taken and count else {}
        usual = {series: peers.get(series.dims, 0.0) for _, series in taken}
        if new:
            self.detector.add([series.name for series in new], [usual[series] for series in new])
        if again:
            names, known = [series.name for _, series in again], [usual[series] for _, series in again]
            self.detector.reuse([place for place, _ in again], names, known)

    def _peers(self) -> dict[tuple[str, ...], float]:
        """What a series of these dimensions spends in a usual hour, by the median of those that are known for a day or
        longer; nothing of dimensions with fewer than PEERS of these."""
        by_dims: dict[tuple[str, ...], list[float]] = {}
        for series, usual in zip(self.registry.places, self.detector.usual_hours().tolist(), strict=False):
            if usual > 0:
                by_dims.setdefault(series.dims, []).append(usual)
        return {dims: median(some) for dims, some in by_dims.items() if len(some) >= PEERS}

    # -- state

    def dump(self) -> dict[str, Any]:
        """All but the minutes that are not judged, which the ledger has."""
        return {
            "next": self.next,
            "learned": self.learned,
            "missed": self.missed,
            "fresh": self.fresh.dump(),
            "registry": self.registry.dump(),
            "rows": self.rows.dump(),
            "detector": self.detector.dump(),
            "drivers": self.drivers.dump(),
        }


def restored(
    state: Mapping[str, Any],
    levels: Sequence[Level],
    most: int,
    detector: CostDetector,
    recorded: Iterable[FindingRow],
    false_alerts_per_week: float = FALSE_ALERTS_PER_WEEK,
) -> Watch:
    """Quiet until `rows.settle`. Raises ValueError for a state of other levels or of more series."""
    registry = Registry.restore(levels, most, state["registry"])
    rows, drivers = Rows.restore(state["rows"], recorded), Drivers.restore(state["drivers"])
    watch = Watch(detector, registry, rows, int(state["next"]), false_alerts_per_week, drivers)
    watch.learned, watch.missed = float(state["learned"]), float(state["missed"])
    watch.fresh = Fresh.restore(state["fresh"])
    return watch

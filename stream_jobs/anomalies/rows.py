"""What the detector found, as rows of findings: their ids, what late entries change of them, when a new row is due.

A late entry for a minute that was judged changes the findings whose stretch it lies in at once: what was actual is what
it would have been, and one that has nothing unusual left in it is closed as corrected. So do corrections that were
posted to the ledger. A row says what follows from what the detector said last and from all that came late by now, in
whatever order that came: so one that was corrected may open again. Where enough came late the minutes are judged again:
see rejudged.py.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isfinite
from typing import Any, Final

from stream_jobs.anomalies.model import (
    COST,
    EVENTS,
    KNOWN_UNTIL,
    WENT_ON_UNTIL,
    ZERO,
    Change,
    FindingRow,
    Series,
    finding_id,
)
from stream_jobs.base.money import usd_from_pico
from stream_jobs.completeness.watermark import minute_of, start_of
from stream_jobs.detection.model import Finding

KEPT_MINUTES: Final = 8 * 24 * 60
"""After its end a finding is still amended for so long; entries that come later than that change nothing."""
MOVED: Final = Decimal("0.05")
"""An open finding has a new row when its excess moved by this part ..."""
AGAIN_MINUTES: Final = 15
"""... or so many minutes after its last one, if it moved at all."""
STILL: Final = 0.1
"""A rise goes on when each minute since it last did added this part of what a minute of it had added up to then, on
average: what busy minutes of ordinary traffic add in an hour is not that ..."""
CALM_MINUTES: Final = 5
"""... and is calm when it has not for so long."""
_FIGURES: Final = ("expected", "actual", "low", "high", "per_day")
"""Of a finding, those that are of a stretch."""
_MOST: Final = Decimal(10) ** 25
_PLACES: Final = Decimal(1).scaleb(-12)
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


Key = tuple[Series, int, str]
"""Of a finding: the series, the minute in which it was detected, and which of those that may be found in one minute."""


@dataclass(frozen=True, slots=True)
class Late:
    """What came late of a series in a minute, exact."""

    pico_usd: int = 0
    events: int = 0

    def plus(self, other: "Late") -> "Late":
        return Late(self.pico_usd + other.pico_usd, self.events + other.events)


@dataclass(slots=True)
class Tracked:
    """A finding that is open, or was not long ago."""

    series: Series
    found: Finding
    finding_id: str
    row: FindingRow | None  # the last that was given out, or is recorded
    row_minute: int  # when that was
    until: int  # the minute that its figures go up to
    went_on: int  # the minute that its excess went on up to ...
    then: Finding  # ... and what it was by then
    late: Late = Late()
    corrections: Late = Late()

    def is_calm(self, until: int) -> bool:
        """Whether its excess has not gone on for CALM_MINUTES before `until`."""
        can_tell = self.found.end is None and self.found.kind != "driver"
        return can_tell and until - self.went_on >= CALM_MINUTES

    @property
    def figured(self) -> int:
        """The minute that its figures go up to: what came since it is calm is as usual, and none of it."""
        return self.went_on if self.is_calm(self.until) else self.until

    def holds(self, minute: int) -> bool:
        return self.found.start <= minute and (self.found.end is None or minute < self.found.end)

    def counts(self, minute: int) -> bool:
        """Whether its figures are of this minute, too."""
        return self.holds(minute) and (self.found.end is not None or minute < self.figured)


class Rows:
    """Used by one thread."""

    def __init__(self) -> None:
        self.quiet = False
        """While what was judged before is judged again: `settle` gives out what is different by then."""
        self.only_now = False
        """With `settle`: what nobody has recorded could not be known before."""
        self._tracked: dict[Key, Tracked] = {}
        self._late: dict[Series, dict[int, Late]] = {}
        self._recorded: dict[str, FindingRow] = {}
        self._adopts = False

    # -- after a start

    def recorded(self, rows: Iterable[FindingRow], *, adopt: bool) -> None:
        """The last rows of findings as they are recorded: who is found again goes on from there. `adopt`: by less than
        what was known the first time, so with `settle` what is found is the finding that is recorded of its time."""
        self._recorded |= {row.finding_id: row for row in rows}
        self._adopts = adopt

    def settle(self, minute: int, now: datetime) -> list[Change]:
        """What is different from what is recorded; what is recorded as open and is not found any more is over."""
        if self._adopts:
            self._recognize()
        self.quiet, self._adopts = False, False
        changes = []
        for tracked in self._tracked.values():
            change = self._amended(tracked, minute, now, always=False)
            if change is not None and change.opened and self.only_now:
                noticed = max(change.after.detected_at, start_of(minute + 1))
                tracked.row = replace(change.after, detected_at=noticed)
                change = Change(None, tracked.row)
            if change is not None:
                changes.append(change)
        self.only_now = False
        known = {one.finding_id for one in self._tracked.values()}
        for row in self._recorded.values():
            if row.state == "open" and row.finding_id not in known:
                ends_at = max(row.known_until, row.starts_at)  # no later: its figures are not of that
                gone = replace(row, version=row.version + 1, at=now, state="closed", ends_at=ends_at, closing="over")
                changes.append(Change(row, gone))
        self._recorded = {}
        return changes

    def _recognize(self) -> None:
        """Of what was found each is the recorded finding that it is likeliest to be. One that was marked as expected
        stays closed, though nobody finds any more what was marked."""
        mine = sorted(self._tracked.items(), key=lambda item: (item[1].found.start, item[0]))
        left = dict(self._recorded)
        known: set[Key] = set()
        for likely in _LIKELY:
            for key, tracked in mine:
                rows = (row for row in left.values() if _are_alike(key, row) and likely(tracked, row))
                row = next(rows, None) if key not in known else None
                if row is not None:
                    known.add(key)
                    del left[row.finding_id]
                    tracked.finding_id, tracked.row = row.finding_id, row
                    if row.closing == "expected" != tracked.found.closing:
                        end = tracked.found.end or max(minute_of(row.ends_at or row.at), tracked.found.start + 1)
                        tracked.found = replace(tracked.found, end=end, closing="expected")

    # -- what comes in

    def taken(self, series: Series, found: Finding, minute: int, now: datetime) -> Change | None:
        """The detector says this of a finding, after `minute`. None: nothing that is worth a row."""
        key = key_of(series, found)
        tracked = self._tracked.get(key)
        if tracked is None:
            identity = finding_id(series, key[2], found.detected_at)
            recorded = self._recorded.get(identity)
            tracked = Tracked(series, found, identity, recorded, minute, minute + 1, minute + 1, found)
            self._tracked[key] = tracked
        elif tracked.found.end is not None:
            return None  # it is over: the detector has nothing more to say of it
        tracked.found, tracked.until = found, minute + 1
        tracked.late = self._late_within(tracked)
        return self._amended(tracked, minute, now, always=False)

    def goes_on(self, series: Series, found: Finding, minute: int) -> bool:
        """An open finding as it stands after `minute`. Whether it has become calm, or is so no more."""
        tracked = self._tracked.get(key_of(series, found))
        if tracked is None:
            return False
        was_calm = tracked.is_calm(minute)
        sign, lasted = (1 if found.direction == "up" else -1), max(tracked.went_on - found.start, 1)
        added, by_then = sign * (found.excess - tracked.then.excess), sign * tracked.then.excess
        since = minute + 1 - tracked.went_on
        if sign < 0 or found.start != tracked.found.start or added >= STILL * since * by_then / lasted:
            tracked.went_on, tracked.then = minute + 1, found
        return tracked.is_calm(minute + 1) != was_calm

    def late(self, series: Series, minute: int, late: Late) -> None:
        """Entries for a minute that was judged."""
        by_minute = self._late.setdefault(series, {})
        by_minute[minute] = by_minute.get(minute, Late()).plus(late)

    def amended(self, touched: Iterable[tuple[Series, int]], minute: int, now: datetime) -> list[Change]:
        """What `late` has changed of findings, for these series and minutes."""
        by_series: dict[Series, list[int]] = {}
        for series, at in touched:
            by_series.setdefault(series, []).append(at)
        found = []
        for tracked in list(self._tracked.values()):
            minutes = by_series.get(tracked.series)
            if minutes and any(map(tracked.counts, minutes)):
                tracked.late = self._late_within(tracked)
                change = self._amended(tracked, minute, now, always=True)
                if change is not None:
                    found.append(change)
        return found

    def corrected(self, key: Key, corrections: Late, minute: int, now: datetime) -> Change | None:
        """What corrections have added to a finding's stretch in all, by now."""
        tracked = self._tracked[key]
        if corrections == tracked.corrections:
            return None
        tracked.corrections = corrections
        return self._amended(tracked, minute, now, always=True)

    def _amended(self, tracked: Tracked, minute: int, now: datetime, *, always: bool) -> Change | None:
        if self.quiet:
            return None
        before = tracked.row
        added = tracked.late.plus(tracked.corrections)
        after = _row(tracked, before, added, now)
        if before is not None and not _differs(
            before, after, 0 if always else AGAIN_MINUTES - (minute - tracked.row_minute)
        ):
            return None
        tracked.row, tracked.row_minute = after, minute
        return Change(before, after)

    def _late_within(self, tracked: Tracked) -> Late:
        total = Late()
        for minute, late in self._late.get(tracked.series, {}).items():
            if tracked.counts(minute):
                total = total.plus(late)
        return total

    def told(self, row: FindingRow) -> None:
        """Somebody else has recorded a further row of a finding."""
        for tracked in self._tracked.values():
            if tracked.finding_id == row.finding_id:
                tracked.row = row

    def keep(self, key: Key, tracked: Tracked) -> None:
        """One of another's, as it is there."""
        self._tracked[key] = tracked

    def keep_late(self, other: "Rows", until: int) -> None:
        """What came late is what another knows of it, for minutes before `until`."""
        self._late = {
            series: {at: late for at, late in some.items() if at < until} for series, some in other._late.items()
        }
        for tracked in self._tracked.values():
            tracked.late = self._late_within(tracked)

    # -- who there is

    def of(self, series: Series) -> list[Tracked]:
        return [tracked for tracked in self._tracked.values() if tracked.series == series]

    def late_events(self, since: int) -> int:
        """That came late for minutes from then on, of all series."""
        return sum(abs(late.events) for at, late in self._late.get(Series(), {}).items() if at >= since)

    def has_doubled(self, series: Series, found: Finding) -> bool:
        """Whether its excess is twice what it was when the detector last said something of it."""
        tracked = self._tracked.get(key_of(series, found))
        return tracked is not None and abs(found.excess) >= 2 * abs(tracked.found.excess)

    def open_series(self) -> set[Series]:
        """That have an open finding, as the detector sees it."""
        return {tracked.series for tracked in self._tracked.values() if tracked.found.end is None}

    @property
    def all(self) -> Mapping[Key, Tracked]:
        """Those that are open, and those that are still amended."""
        return self._tracked

    def forget(self, minute: int) -> None:
        """What was over long before this minute."""
        bound = minute - KEPT_MINUTES
        for key in [key for key, one in self._tracked.items() if one.found.end is not None and one.found.end < bound]:
            del self._tracked[key]
        oldest = min((one.found.start for one in self._tracked.values()), default=minute)
        for series, by_minute in list(self._late.items()):
            kept = {at: late for at, late in by_minute.items() if at >= min(oldest, bound)}
            if kept:
                self._late[series] = kept
            else:
                del self._late[series]

    # -- state

    def dump(self) -> dict[str, Any]:
        """For `restore`; rows are recorded elsewhere."""
        return {
            "adopts": self._adopts,
            "late": [
                [list(series.dims), list(series.vals), at, str(one.pico_usd), str(one.events)]
                for series, by_minute in self._late.items()
                for at, one in by_minute.items()
            ],
            "tracked": [
                {
                    "dims": list(one.series.dims),
                    "vals": list(one.series.vals),
                    "found": {name: getattr(one.found, name) for name in Finding.__slots__},
                    "id": one.finding_id,
                    "minute": one.row_minute,
                    "until": one.until,
                    "went_on": one.went_on,
                    "then": [getattr(one.then, name) for name in _FIGURES],
                    "corrections": [str(one.corrections.pico_usd), str(one.corrections.events)],
                }
                for one in self._tracked.values()
            ],
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], recorded: Iterable[FindingRow]) -> "Rows":
        """`recorded`: the last rows of the findings of the last days. It is quiet until `settle`."""
        rows = cls()
        rows.quiet = True
        rows.recorded(recorded, adopt=bool(state.get("adopts")))
        for dims, vals, at, pico, events in state["late"]:
            rows.late(Series(tuple(dims), tuple(vals)), int(at), Late(int(pico), int(events)))
        for one in state["tracked"]:
            series = Series(tuple(one["dims"]), tuple(one["vals"]))
            found = Finding(**one["found"])
            row = rows._recorded.get(one["id"])
            until = one.get("until", one["minute"] + 1)
            figures = dict(zip(_FIGURES, one.get("then", ()), strict=False))
            went_on = one["went_on"] if figures else until  # what was written before there were any is not calm
            then = replace(found, **figures)
            tracked = Tracked(series, found, one["id"], row, one["minute"], until, went_on, then)
            tracked.corrections = Late(*map(int, one["corrections"]))
            tracked.late = rows._late_within(tracked)
            rows._tracked[key_of(series, found)] = tracked
        return rows


def key_of(series: Series, found: Finding) -> Key:
    return series, found.detected_at, _which(found.direction, found.kind, measure_of(found))


def _which(direction: str, kind: str, measure: str) -> str:
    # A dear request is over at once, and may come with a rise; what begins as a spike may go on as a shift.
    return f"{direction} {kind if kind in ('dear_request', 'driver') else ''} {measure}"


def _are_alike(key: Key, row: FindingRow) -> bool:
    return (key[0], key[2]) == (row.series, _which(row.direction, row.kind, row.measure))


def _is_exact(tracked: Tracked, row: FindingRow) -> bool:
    return tracked.finding_id == row.finding_id


def _overlap(tracked: Tracked, row: FindingRow) -> bool:
    """Of a row that is open: with what is known of it."""
    begin = max(start_of(tracked.found.start), row.starts_at)
    return begin < (row.ends_at or row.at) and (tracked.found.end is None or begin < start_of(tracked.found.end))


def _is_open(_: Tracked, row: FindingRow) -> bool:
    return row.state == "open"


_LIKELY: Final[tuple[Callable[[Tracked, FindingRow], bool], ...]] = (
    lambda tracked, row: _is_exact(tracked, row) and (tracked.found.end is not None or row.state == "open"),
    lambda tracked, row: _overlap(tracked, row) and tracked.found.end is None and row.state == "open",
    _is_exact,
    _overlap,
    _is_open,
)
"""Which recorded finding one is that was found again by less knowledge: the likeliest first."""


def measure_of(found: Finding) -> str:
    """What its figures count."""
    return found.measure or COST


def _row(tracked: Tracked, before: FindingRow | None, added: Late, now: datetime) -> FindingRow:
    found, is_calm = tracked.found, tracked.is_calm(tracked.until)
    if is_calm:
        found = replace(found, **{name: getattr(tracked.then, name) for name in _FIGURES})
    measure = measure_of(found)
    added = added if measure in (COST, EVENTS) else Late()  # a driver stays what it was concluded to be
    more = usd_from_pico(added.pico_usd) if measure == COST else Decimal(added.events)
    actual, expected = _decimal(found.actual) + more, _decimal(found.expected)
    low, high = _decimal(found.low), _decimal(found.high)
    corrected = _is_taken_back(_decimal(found.actual), more, expected, high if found.direction == "up" else low)
    end = found.end if found.end is not None or not corrected else found.detected_at
    return FindingRow(
        finding_id=tracked.finding_id,
        version=1 if before is None else before.version + 1,
        at=now,
        state="open" if end is None else "closed",
        kind=found.kind,
        direction=found.direction,
        scale=found.scale,
        measure=measure,
        series=tracked.series,
        starts_at=start_of(found.start),
        detected_at=start_of(found.detected_at) if before is None else before.detected_at,
        ends_at=None if end is None else start_of(end),
        expected=expected,
        actual=actual,
        low=low,
        high=high,
        per_day=_decimal(found.per_day),
        score=round(found.score, 3),
        severity=found.severity,
        closing="corrected" if corrected else found.closing or "",
        group_id="" if before is None else before.group_id,
        silenced_by="" if before is None else before.silenced_by,
        cause="" if before is None else before.cause,
        document=({KNOWN_UNTIL: start_of(tracked.figured).isoformat()} if end is None else {})
        | ({WENT_ON_UNTIL: start_of(tracked.went_on).isoformat()} if end is None and is_calm else {})
        | ({"late_usd": str(usd_from_pico(added.pico_usd)), "late_events": added.events} if added != Late() else {}),
    )


def _is_taken_back(found: Decimal, more: Decimal, expected: Decimal, band: Decimal) -> bool:
    """Whether with so much more nothing unusual is left: it is within the band that it was beyond. What was unusual
    within the band, by a narrower window, is as expected only where all of its excess is gone."""
    up = found >= expected
    bound = band if (found > band if up else found < band) else expected
    return more < 0 and found + more <= bound if up else more > 0 and found + more >= bound


def _differs(before: FindingRow, after: FindingRow, wait_minutes: int) -> bool:
    """Whether the new row says something that is worth one. `wait_minutes`: until any move is."""
    if (before.state, before.closing, before.severity, before.kind, before.is_calm) != (
        *(after.state, after.closing, after.severity, after.kind, after.is_calm),
    ):
        return True
    moved = abs(after.excess - before.excess)
    if wait_minutes <= 0 or after.state == "closed":
        return moved > 0 or after.ends_at != before.ends_at
    return moved > abs(before.excess) * MOVED


def _decimal(value: float) -> Decimal:
    """A statistic, as its column holds it."""
    if not isfinite(value):
        return _MOST if value > 0 else -_MOST if value < 0 else ZERO
    return max(-_MOST, min(_MOST, Decimal(value))).quantize(_PLACES, context=_EXACT)

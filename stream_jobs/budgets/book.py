"""All budgets that are watched: what the deltas of blocks add to them, and what that changes.

The sums follow the ledger exactly: the follower says which deltas are new, and whatever is not in memory is read from
the ledger, in sums of just the blocks that are counted here. Knows neither Kafka nor Faust nor the store's client. Used
by one thread.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from stream_jobs.base.instants import from_unix_micros, unix_micros
from stream_jobs.budget_terms.credits import CreditKey
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.outlook import Outlook
from stream_jobs.budgets.standing import WINDOW_KEY, Standing, ThresholdKey, crossed_now
from stream_jobs.budgets.tracked import KEEP_PERIODS, Tracked
from stream_jobs.series.calendar import Period
from stream_jobs.series.delta import Delta
from stream_jobs.series.facts import Sums, Values
from stream_jobs.series.follower import Follower
from stream_jobs.series.sums import LedgerSums, Vector
from stream_jobs.store.retention import whole_since

KEEP_NOTIFIED: Final = timedelta(days=35)
"""How long after its end it is known what a period has crossed. Later than that it crosses nothing any more."""
_NOTHING: Final[Mapping[ThresholdKey, datetime]] = {}


class Place(NamedTuple):
    """What thresholds are crossed of, and alerts are about."""

    budget_id: str
    period_key: str  # of a rolling window always WINDOW_KEY: it has no periods, and crosses again after it fell
    values: Values


@dataclass(slots=True)
class Notified:
    """What is known to have been crossed of a place."""

    period: Period
    crossed: dict[ThresholdKey, datetime] = field(default_factory=dict)  # since when
    forecast_notified: dict[ThresholdKey, Decimal] = field(default_factory=dict)
    """Forecasts are told once per period, and once more of an amount that was raised since. Of which, as kept."""
    taken_back: set[ThresholdKey] = field(default_factory=set)  # just before a crash: who knows whether that was told
    told_at: dict[ThresholdKey, datetime] = field(default_factory=dict)
    """When a forecast was told last: what the rate of lately told does not keep back what a forecast finds later."""


@dataclass(frozen=True, slots=True)
class StandingUpdate:
    """A place that stands differently than before."""

    budget: Budget
    place: Place
    standing: Standing
    up: tuple[ThresholdKey, ...]  # crossed now, and were not before
    down: tuple[ThresholdKey, ...]  # were crossed, and are no longer
    crossed: Mapping[ThresholdKey, datetime]
    at: datetime  # when it was evaluated
    late: bool  # by entries for a period that was over, or by corrections
    again: tuple[ThresholdKey, ...] = ()  # taken back before a crash, and perhaps nobody was told

    @property
    def before(self) -> set[ThresholdKey]:
        """What was crossed until now, as far as people know."""
        return {*(self.crossed.keys() - self.up), *self.down, *self.again}


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all values of a budget have in common in a period."""

    tracked: Tracked
    period: Period
    place_key: str
    counts: bool  # the budget is in force now, or was when the period ended
    held: bool  # all of the period is in memory


class BudgetBook:
    """See the module."""

    def __init__(
        self,
        budgets: Budgets,
        sums: LedgerSums,
        notified: Mapping[Place, Notified],
        vector: Vector,
        now: datetime,
        *,
        kept: timedelta | None = None,
    ) -> None:
        """Loads what is needed from the ledger. `notified` is what the store knows to have been crossed; `vector` the
        blocks to begin with; `kept` how long the ledger keeps entries: a period that began before that stays as it was
        said last, whatever comes late. Raises StoreUnavailableError."""
        self.follower = Follower(sums, vector, now)
        self.notified: dict[Place, Notified] = dict(notified)
        self.budgets = budgets
        self._sums = sums
        self._kept = kept
        self._seen_corrections = sums.corrections()
        self._missing: dict[str, set[int]] = {}  # cells to load, by budget
        self._dirty: dict[tuple[str, Period, Values], bool] = {}  # and whether it came late
        self._latest: deque[tuple[tuple[str, Period, Values], bool]] = deque()  # of these what is left to `evaluate`
        self._is_latest = True
        self._found: dict[tuple[str, Period, Values], Sums] = {}  # what the ledger holds of periods not in memory
        self.began: set[str] = set()  # that `use` has read anew; whoever takes up what that means clears it
        self._untold: set[str] = set()  # budgets that deltas did not tell enough for
        self.untold_since: dict[str, datetime] = {}
        """Of these budgets, blocks booked since then are counted in the periods that are in memory, from the ledger,
        and maybe not in earlier ones. Whoever takes that up clears it."""
        self._to_forget: set[str] = set()  # budgets with periods that may be over for long
        self._outlooks: Mapping[Place, Outlook] = {}
        self._tracked: dict[str, Tracked] = {}
        for budget in budgets:
            self._begin(budget, now, late=True)

    def _begin(self, budget: Budget, now: datetime, *, late: bool) -> None:
        """`late`: it is the budget that it was, so what is different of periods that are over was booked meanwhile."""
        tracked = Tracked(budget, self.budgets)
        tracked.load(self._sums, self.follower.vector, now)
        self._tracked[budget.id] = tracked
        self.follower.reads |= tracked.counters.spec.reads
        self._all_dirty(tracked, now, late=late)

    def _all_dirty(self, tracked: Tracked, now: datetime, *, late: bool) -> None:
        late = late and not tracked.counters.rolling
        periods = {tracked.period_of(cell) for cell in tracked.counters.cells}
        for period in periods:
            if period is not None and period.end > now - KEEP_PERIODS:
                for values in tracked.counters.values_in(period):
                    self._mark_dirty(tracked, period, values, late=late and period.end <= now)
        for values in tracked.told_anyway():
            assert tracked.current is not None
            self._mark_dirty(tracked, tracked.current, values, late=False)
        # What was crossed may hold nothing any more: left out by a scope that changed, gone from a window.
        for place, notified in self.notified.items():
            if place.budget_id == tracked.budget.id and self.is_watched(place, now):
                period = tracked.current if tracked.counters.rolling else notified.period
                if period is not None and period in periods:
                    self._mark_dirty(tracked, period, place.values, late=late and period.end <= now)

    @property
    def tracked(self) -> Iterable[Tracked]:
        return self._tracked.values()

    def tracked_by(self, budget_id: str) -> Tracked | None:
        return self._tracked.get(budget_id)

    # -- what comes in

    def use(self, budgets: Budgets, now: datetime) -> None:
        """Watch these from now on; what has not changed goes on. Raises StoreUnavailableError, and then goes on as
        before."""
        before, before_tracked = self.budgets, self._tracked
        self._is_latest = False
        try:
            self.budgets, self._tracked = budgets, {}
            for budget in budgets:
                tracked = before_tracked.get(budget.id)
                if tracked is not None and tracked.uses(budgets):
                    tracked.use_credits(budgets)
                    self._tracked[budget.id] = tracked
                else:
                    self._begin(budget, now, late=False)
                    self.began.add(budget.id)
            self.count_credits(budgets.credits.changed(before.credits), now)
        except BaseException:
            self.budgets, self._tracked = before, before_tracked
            for tracked in before_tracked.values():
                tracked.use_credits(before)
            raise

    def is_now(self, key: CreditKey) -> bool:
        """Whether it is of a budget's present period."""
        tracked = self._tracked.get(key.budget_id)
        if tracked is None or tracked.current is None or tracked.counters.rolling:
            return False
        return key.period(tracked.counters.calendar) == tracked.current

    def count_credits(self, keys: Iterable[CreditKey], now: datetime) -> None:
        """Say anew where these stand: something was credited there, or cut. Raises StoreUnavailableError, and may then
        be repeated."""
        for key in keys:
            budget_id, values = key.budget_id, key.values
            tracked = self._tracked.get(budget_id)
            if tracked is None or tracked.counters.rolling or len(values) != len(tracked.budget.per):
                continue
            period = key.period(tracked.counters.calendar)
            if period is not None and tracked.is_next(period):
                assert tracked.current is not None
                self._mark_dirty(tracked, tracked.current, values, late=False)
            if period is None or period.start > now:
                continue  # the budget has no such period by now, or it is said when it begins
            cell = unix_micros(period.start)
            found = Sums()
            if not tracked.holds(period):
                if period.start < whole_since(self._kept, now):
                    continue
                loaded = self._sums.sums(tracked.counters.spec, [(cell, unix_micros(period.end))], self.follower.vector)
                parts = (loaded.blocks, loaded.corrections)
                for part in parts:
                    found = found.plus(part.get(cell, {}).get(values, Sums()))
            self.count_again(budget_id, cell, {values: found}, now)

    def apply(self, deltas: Sequence[Delta], now: datetime) -> int:
        """Count what is new of these. Returns how many blocks that were. Raises StoreUnavailableError; what was asked
        for is then asked for again, for the deltas are counted already."""
        blocks, facts = self.follower.take(deltas)
        if facts is not None:
            whole = unix_micros(whole_since(self._kept, now))
            for tracked in self._tracked.values():
                touched = tracked.add(facts)
                for cell, values in touched.changed:
                    self._touch(tracked, cell, values, now, late=False)
                if missing := {cell for cell in touched.missing if cell >= whole}:
                    self._missing.setdefault(tracked.budget.id, set()).update(missing)
            self._note_untold()
        self._load_missing(now)
        self._read_untold(now)
        if self.follower.gap:
            self.resync(now)
        return blocks

    def resync(self, now: datetime) -> None:
        """Read everything anew from the ledger. Raises StoreUnavailableError, and then may be repeated."""
        with self.follower.resync(now):
            for budget in self.budgets:
                self._begin(budget, now, late=True)

    def _note_untold(self) -> None:
        """A label that its writer was not told of, or with too many values in a block: only who looks at it reads the
        ledger."""
        untold, self.follower.untold = self.follower.untold, {}
        for tracked in self._tracked.values() if untold else ():
            for name in tracked.counters.spec.reads & untold.keys():
                budget_id = tracked.budget.id
                self._untold.add(budget_id)
                self.untold_since[budget_id] = min(untold[name], self.untold_since.get(budget_id, untold[name]))

    def _read_untold(self, now: datetime) -> None:
        for budget_id in sorted(self._untold):
            tracked = self._tracked.get(budget_id)
            if tracked is not None:
                for cell, values in tracked.read_anew(self._sums, self.follower.vector):
                    self._touch(tracked, cell, values, now, late=False)
            self._untold.discard(budget_id)

    def _load_missing(self, now: datetime) -> None:
        for budget_id in list(self._missing):
            tracked = self._tracked.get(budget_id)
            if tracked is not None:
                for cell in tracked.load_missing(self._missing[budget_id], self._sums, self.follower.vector, now):
                    period = tracked.period_of(cell)
                    for values in tracked.counters.values_in(period) if period is not None else ():
                        self._touch(tracked, cell, values, now, late=False)
            del self._missing[budget_id]

    def correct(self, now: datetime) -> bool:
        """Take up what corrections have posted. Returns whether there was anything. Raises StoreUnavailableError."""
        seen = self._sums.corrections()
        if seen == self._seen_corrections:
            return False
        for tracked in self._tracked.values():
            for cell, values in tracked.correct(self._sums, self.follower.vector):
                self._touch(tracked, cell, values, now, late=True)
        self._seen_corrections = seen
        return True

    def advance(self, now: datetime) -> None:
        """Move on to `now`: periods begin and end. Raises StoreUnavailableError; may be repeated."""
        self._is_latest = False
        for tracked in self._tracked.values():
            began, changed = tracked.advance(self._sums, self.follower.vector, now, self.follower.horizon)
            if tracked.comes_into_force(now):
                self._all_dirty(tracked, now, late=False)
            if not began or tracked.current is None:
                continue
            for values in changed:
                self._mark_dirty(tracked, tracked.current, values, late=False)
            self._to_forget.add(tracked.budget.id)
        for place in [place for place, notified in self.notified.items() if notified.period.end < now - KEEP_NOTIFIED]:
            if place.period_key != WINDOW_KEY:
                del self.notified[place]

    def look_ahead(self) -> None:
        """Evaluate anew what moves with time alone: the forecasts."""
        for tracked in self._tracked.values():
            if tracked.current is not None and not tracked.budget.per:
                self._mark_dirty(tracked, tracked.current, (), late=False)

    def use_outlooks(self, outlooks: Mapping[Place, Outlook]) -> None:
        """What is forecast by now, and nothing else: places that stand differently by that are evaluated anew."""
        before, self._outlooks = self._outlooks, outlooks
        changed = {place for place in before.keys() | outlooks.keys() if before.get(place) != outlooks.get(place)}
        for tracked in self._tracked.values() if changed else ():
            if (period := tracked.current) is None or tracked.counters.rolling:
                continue
            for values in tracked.counters.values_in(period) | tracked.told_anyway():
                if self.place(tracked, period, values) in changed:
                    self._mark_dirty(tracked, period, values, late=False)

    def reload(self, budget_id: str, now: datetime) -> None:
        """Read a budget anew from the ledger. Raises StoreUnavailableError, and then goes on as before."""
        if (budget := self.budgets.get(budget_id)) is not None:
            self._begin(budget, now, late=True)

    def count_again(self, budget_id: str, cell: int, found: Mapping[Values, Sums], now: datetime) -> None:
        """Say anew where a period stands, for these values: what was said of it is not what the ledger holds (`found`,
        for a period that is not in memory)."""
        tracked = self._tracked.get(budget_id)
        period = tracked.counters.cell_of(from_unix_micros(cell)) if tracked is not None else None
        if tracked is None or period is None or tracked.counters.rolling:
            return
        for values, sums in found.items():
            if not tracked.holds(period):
                self._found[budget_id, period, values] = sums
            self._touch(tracked, cell, values, now, late=False)  # it is, if the period is over

    def _touch(self, tracked: Tracked, cell: int, values: Values, now: datetime, *, late: bool) -> None:
        period = tracked.period_of(cell)
        if period is None:
            return
        self._mark_dirty(tracked, period, values, late=late or period.end <= now)
        for later in tracked.carries_into(cell):  # what is carried into them has changed
            self._mark_dirty(tracked, later, values, late=True)

    def _mark_dirty(self, tracked: Tracked, period: Period, values: Values, *, late: bool) -> None:
        key = (tracked.budget.id, period, values)
        self._dirty[key] = late or self._dirty.get(key, False)

    # -- what comes out

    def evaluate(self, now: datetime, at_most: int | None = None) -> list[StandingUpdate]:
        """What stands differently since the last call; of more than so many the rest with the next calls, as long as
        any `waits`. What is returned is not said again."""
        if self._dirty or not self._is_latest:
            self._look_at_latest()
        common: _Shared | None = None
        found: list[StandingUpdate] = []
        for _ in range(len(self._latest) if at_most is None else min(at_most, len(self._latest))):
            key, late = self._latest.popleft()
            budget_id, period, values = key
            if common is None or period != common.period or budget_id != common.tracked.budget.id:
                common = self._shared(budget_id, period, now)
            asked = self._found.get(key) if self._found else None
            if common.counts and (common.held or asked is not None):
                if common.held or asked is None:
                    standing = common.tracked.standing(period, values, now)
                else:
                    standing = common.tracked.standing_of(period, values, asked, now)
                found.append(self._update(common, values, standing, now, late=late))
        if not self._latest:
            self._found.clear()
            for budget_id in self._to_forget & self._tracked.keys():
                self._tracked[budget_id].forget_old(now)
            self._to_forget.clear()
        return found

    @property
    def waits(self) -> bool:
        """Whether there is anything that `evaluate` has not looked at."""
        return bool(self._latest or self._dirty)

    def _look_at_latest(self) -> None:
        """All that changed, of the periods of now."""
        dirty, latest = {**dict(self._latest), **self._dirty}, dict[tuple[str, Period, Values], bool]()
        for (budget_id, period, values), late in dirty.items():
            tracked = self._tracked.get(budget_id)
            if tracked is None:
                continue
            if tracked.counters.rolling and tracked.current is not None:
                period = tracked.current  # noqa: PLW2901 - the window has moved on since
            key = (budget_id, period, values)
            latest[key] = late or latest.get(key, False)
        self._latest = deque(latest.items())
        self._dirty, self._is_latest = {}, True

    def _shared(self, budget_id: str, period: Period, now: datetime) -> _Shared:
        tracked = self._tracked[budget_id]
        key = self._place_key(tracked, period)
        return _Shared(tracked, period, key, tracked.counts_in(period, now), tracked.holds(period))

    def _update(
        self, common: _Shared, values: Values, standing: Standing, now: datetime, *, late: bool
    ) -> StandingUpdate:
        tracked, period = common.tracked, common.period
        budget = tracked.budget
        place = Place(budget.id, common.place_key, values)
        standing = self._with_outlook(place, standing, now)
        keys = tracked.keys
        if period.end < now - KEEP_NOTIFIED:
            crossed = crossed_now(standing, keys, {})
            return StandingUpdate(budget, place, standing, (), (), dict.fromkeys(crossed, now), now, late)
        known = self.notified.get(place)
        if known is None and tracked.lowest.is_above(standing):
            return StandingUpdate(budget, place, standing, (), (), _NOTHING, now, late)
        notified = known or Notified(period)
        notified.period = period
        crossed = crossed_now(standing, keys, notified.crossed)
        amount, told = standing.unit.kept(standing.amount), notified.forecast_notified
        if not tracked.counters.rolling:
            crossed -= {
                key
                for key in told.keys() - notified.crossed.keys()
                if (key.amount or amount <= told[key]) and not _raised_since(standing, key, notified.told_at.get(key))
            }
            if now >= period.end:  # nothing is foretold any more: what was ends with the period
                crossed |= {key for key in notified.crossed if key.kind == "forecast"}
        up = tuple(sorted(crossed - notified.crossed.keys()))
        down = tuple(sorted(notified.crossed.keys() - crossed))
        again = tuple(sorted(notified.taken_back - crossed))
        notified.taken_back.clear()
        for key in down:
            del notified.crossed[key]
            if late:
                told.pop(key, None)  # a correction brought it below: it may be told again
                notified.told_at.pop(key, None)
        for key in up:
            notified.crossed[key] = now
            if key.kind == "forecast":
                told[key], notified.told_at[key] = amount, now
        if notified.crossed or told:
            self.notified[place] = notified
        else:
            self.notified.pop(place, None)
        return StandingUpdate(budget, place, standing, up, down, dict(notified.crossed), now, late, again)

    def _with_outlook(self, place: Place, standing: Standing, now: datetime) -> Standing:
        """With what is forecast of the present period, if that is about the amount of now: another one has another
        chance, which the next run says."""
        outlook = self._outlooks.get(place) if self._outlooks else None
        if outlook is None or standing.endless or not standing.period.start <= now < standing.period.end:
            return standing
        return replace(standing, outlook=outlook) if outlook.amount == standing.unit.kept(standing.amount) else standing

    def place(self, tracked: Tracked, period: Period, values: Values) -> Place:
        return Place(tracked.budget.id, self._place_key(tracked, period), values)

    @staticmethod
    def _place_key(tracked: Tracked, period: Period) -> str:
        return WINDOW_KEY if tracked.counters.rolling else tracked.counters.calendar.period_key(period)

    def is_watched(self, place: Place, now: datetime) -> bool:
        """Whether there is a budget that looks at this place: one of these periods and with these fields in `per`,
        which is in force now, or was when the period ended."""
        tracked, notified = self._tracked.get(place.budget_id), self.notified.get(place)
        if tracked is None or notified is None or len(place.values) != len(tracked.budget.per):
            return False
        if tracked.counters.rolling:
            return place.period_key == WINDOW_KEY and tracked.counts_in(tracked.current or notified.period, now)
        period = tracked.counters.calendar.period_at(notified.period.start)
        if period != notified.period or self.place(tracked, period, place.values) != place:
            return False
        return tracked.counts_in(period, now)

    def now_standing(self, place: Place, now: datetime) -> Standing | None:
        """Of a place that is watched, if its period is in memory."""
        tracked, notified = self._tracked.get(place.budget_id), self.notified.get(place)
        if tracked is None or notified is None or not self.is_watched(place, now):
            return None
        period = tracked.current if tracked.counters.rolling else notified.period
        if period is None or not tracked.holds(period):
            return None
        return self._with_outlook(place, tracked.standing(period, place.values, now), now)


def _raised_since(standing: Standing, key: ThresholdKey, told_at: datetime | None) -> bool:
    """Whether a forecast has raised it after it was told: which it does once per period, by the protocol."""
    if standing.outlook is None or standing.outlook.is_stale or told_at is None:
        return False
    chance = standing.outlook.chances.get(standing.percent_of(key))
    return chance is not None and chance.raised_since is not None and chance.raised_since > told_at

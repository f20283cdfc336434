"""All budgets together: whatever comes in whatever order, they hold what the ledger holds, and each crossing is told
once."""

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.budget_terms.credits import CreditRow, Credits
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.book import KEEP_NOTIFIED, BudgetBook, Notified, Place, StandingUpdate
from stream_jobs.budgets.outlook import Chance, Outlook
from stream_jobs.budgets.standing import WINDOW_KEY, ThresholdKey
from stream_jobs.series.check import differences, snapshot
from stream_jobs.series.delta import Delta, split
from stream_jobs.series.facts import Sums
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.series.memory_ledger import ORIGINS, Entry, MemoryLedger, usd

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EIGHTY, HUNDRED = ThresholdKey("actual", Decimal(80)), ThresholdKey("actual", Decimal(100))
FORECAST = ThresholdKey("forecast", Decimal(100))


def book(
    ledger: MemoryLedger, which: Budgets, now: datetime = NOON, notified: dict[Place, Notified] | None = None
) -> BudgetBook:
    return BudgetBook(which, ledger, notified or {}, ledger.vector(), now)


def handle(one: BudgetBook, now: datetime, *deltas: Delta) -> list[StandingUpdate]:
    """What the job does with a cycle."""
    one.apply(deltas, now)
    one.correct(now)
    one.advance(now)
    return one.evaluate(now)


def crossings(changes: list[StandingUpdate]) -> list[tuple[str, str]]:
    """Percents that were crossed, and those that no longer are, in words."""
    return [
        (change.place.budget_id, f"{direction} {key.kind} {key.percent:f}")
        for change in changes
        for direction, keys in (("up", change.up), ("down", change.down))
        for key in keys
    ]


def actual(*percents: int) -> dict[str, Any]:
    """These thresholds and no forecast."""
    return {"actual": percents, "forecast": []}


class Recorded:
    """What history would have of crossings, and what it would say after a restart."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Place, ThresholdKey], list[tuple[str, datetime, bool]]] = {}
        self.amounts: dict[tuple[Place, ThresholdKey], Decimal] = {}
        self.periods: dict[Place, Any] = {}

    def record(self, changes: list[StandingUpdate]) -> None:
        for change in changes:
            for direction, keys in (("up", change.up), ("down", change.down)):
                for key in keys:
                    self.rows.setdefault((change.place, key), []).append((direction, change.at, change.late))
                    self.periods[change.place] = change.standing.period
                    if direction == "up":
                        self.amounts[change.place, key] = change.standing.unit.kept(change.standing.amount)

    def notified(self) -> dict[Place, Notified]:
        found: dict[Place, Notified] = {}
        for (place, key), rows in self.rows.items():
            notified = found.setdefault(place, Notified(self.periods[place]))
            direction, at, late = rows[-1]
            if direction == "up":
                notified.crossed[key] = at
            if key.kind == "forecast" and (direction == "up" or not late):
                notified.forecast_notified[key] = self.amounts[place, key]
        return {place: notified for place, notified in found.items() if notified.crossed or notified.forecast_notified}


WATCHED = budgets(
    budget("all", period="month", amount=300, thresholds={"actual": ["33.333", 80, 100], "forecast": [100]}),
    budget("teams", period="hour", amount=20, per=["team"], thresholds=[50, 100]),
    budget("window", period={"rolling": "1h"}, amount=25, scope={"team": {"missing": False}}),
    budget("carry", period="day", amount=40, carry_over={"unused": True, "overspend": True, "since": "2026-11-25"}),
)
WITHOUT_CARRY = budgets(*[one for one in WATCHED if one.id != "carry"])
TEAMS = st.sampled_from(["a", "b", ""])


class Everything(RuleBasedStateMachine):
    """Charges, late ones and retractions come as deltas: in order within a partition, whole or in parts, once, again,
    or never because the job begins anew; corrections are posted beside them; time goes on; the job restarts; budgets
    are removed and set again; the store does not answer."""

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.ledger = MemoryLedger(NOON)
        self.recorded = Recorded()
        self.book = book(self.ledger, WATCHED)
        self.waiting: list[list[Delta]] = [[], []]
        self.seen: list[Delta] = []
        self.taken_back: set[datetime] = set()
        self._handle()

    def _handle(self, *deltas: Delta) -> None:
        self.seen += deltas
        changes = handle(self.book, self.now, *deltas)
        self.recorded.record(changes)
        self._each_is_told_once()

    @rule(
        partition=st.integers(0, 1),
        charges=st.lists(
            st.tuples(TEAMS, st.integers(0, 30), st.booleans(), st.sampled_from([0, 1, 59, 61, 130, 1500, 3000])),
            min_size=1,
            max_size=4,
        ),
        parts=st.integers(1, 3),
    )
    def book_block(self, partition: int, charges: list[tuple[str, int, bool, int]], parts: int) -> None:
        entries = [
            Entry(self.now - minutes * MINUTE, 0 if unpriced else usd(amount), int(unpriced), {"team": team})
            for team, amount, unpriced, minutes in charges
        ]
        delta = self.ledger.book(self.now, *entries, partition=partition)
        self.waiting[partition] += split(delta, -(-len(entries) // parts))

    @precondition(lambda self: self.ledger.entries)
    @rule(data=st.data(), partition=st.integers(0, 1))
    def retract(self, data: st.DataObject, partition: int) -> None:
        """A later revision takes an entry back; or time and again, which makes no difference here."""
        entry = data.draw(st.sampled_from(self.ledger.entries))
        self.taken_back.add(self.now)
        back = Entry(entry.at, -entry.pico, -entry.unpriced, entry.facts)
        self.waiting[partition].append(self.ledger.book(self.now, back, partition=partition))

    @rule(team=TEAMS, amount=st.integers(-30, 30), minutes=st.sampled_from([0, 61, 1500]))
    def correct(self, team: str, amount: int, minutes: int) -> None:
        self.taken_back.add(self.now)
        self.ledger.correct(self.now, Entry(self.now - minutes * MINUTE, usd(amount), 0, {"team": team}))

    @rule(first=st.integers(0, 9), second=st.integers(0, 9), again=st.integers(0, 2))
    def read(self, first: int, second: int, again: int) -> None:
        """Some of what waits, and some once more."""
        taken = [*self.waiting[0][:first], *self.waiting[1][:second]]
        del self.waiting[0][:first], self.waiting[1][:second]
        self._handle(*taken, *self.seen[-again:] if again else ())

    @rule(partition=st.integers(0, 1))
    def lose(self, partition: int) -> None:
        """A delta, or a part of one, never arrives. If it is the first after a start, only the check tells."""
        if self.waiting[partition] and ORIGINS[partition] in self.book.follower.next_offset:
            del self.waiting[partition][0]

    @rule(minutes=st.sampled_from([1, 1, 7, 60, 60 * 24]))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self._handle()

    @rule()
    def look_ahead(self) -> None:
        self.book.look_ahead()
        self._handle()

    @rule(minutes=st.sampled_from([0, 1, 90, 2000]))
    def restart(self, minutes: int) -> None:
        """Nobody reads for a while; what waits is still read afterwards, and what was told is known from the store."""
        self.now += minutes * MINUTE
        self.book = book(self.ledger, self.book.budgets, self.now, self.recorded.notified())
        self._handle()

    @rule(which=st.sampled_from([WATCHED, WITHOUT_CARRY]))
    def use(self, which: Budgets) -> None:
        """A budget is removed or set again. Its alerts ended with it, so it may cross anew: not looked at here."""
        if which is WITHOUT_CARRY:
            for place in [place for place in self.book.notified if place.budget_id == "carry"]:
                del self.book.notified[place]
            for key in [key for key in self.recorded.rows if key[0].budget_id == "carry"]:
                del self.recorded.rows[key]
        self.book.use(which, self.now)
        self._handle()

    @rule(number=st.integers(1, 6))
    def lose_the_store(self, number: int) -> None:
        """A cycle fails somewhere; the next one goes on."""
        self.ledger.down = number
        waiting = [*self.waiting[0], *self.waiting[1]]
        self.waiting = [[], []]
        self.seen += waiting
        self.now += MINUTE
        with contextlib.suppress(StoreUnavailableError):
            self.recorded.record(handle(self.book, self.now, *waiting))
        self.ledger.down = 0
        self._handle(*waiting)

    @invariant()
    def equal_to_the_ledger(self) -> None:
        """What it has read, to the last digit, of every cell in memory."""
        for tracked in self.book.tracked:
            assert differences(snapshot(tracked.counters, self.book.follower.vector), self.ledger) == []

    def _each_is_told_once(self) -> None:
        """Per period, unless something was taken back in between; in a window, unless it left the window."""
        for (place, key), rows in self.recorded.rows.items():
            directions = [direction for direction, *_ in rows]
            assert directions == [("up", "down")[n % 2] for n in range(len(rows))], (place, key, rows)
            if key.kind == "forecast" and not self.taken_back and place.budget_id != "carry":
                assert directions.count("up") <= 1, (place, key, rows)
            if key.kind == "actual" and not self.taken_back and place.budget_id in ("all", "teams"):
                assert directions == ["up"], (place, key, rows)

    def teardown(self) -> None:
        """Once all is read, the totals are those of plain addition, and nothing is told twice after a restart."""
        if not hasattr(self, "book"):
            return
        self.book.look_ahead()
        self._handle(*self.waiting[0], *self.waiting[1])
        if self.book.follower.is_behind(self.ledger.vector()):
            self.book.resync(self.now)
            self._handle()
        for tracked in self.book.tracked:
            period = tracked.current
            assert period is not None
            for values in tracked.counters.values_in(period):
                wanted = self.ledger.total(tracked.counters.spec, period.start, period.end, values)
                assert tracked.counters.total(period, values) == wanted, (tracked.budget.id, values)
        self.book = book(self.ledger, self.book.budgets, self.now, self.recorded.notified())
        changes = handle(self.book, self.now)
        # Of budgets per value, time alone may have moved a forecast since they were looked at last.
        assert [crossing for crossing in crossings(changes) if "actual" in crossing[1]] == []
        self.recorded.record(changes)
        self._each_is_told_once()
        assert {place: notified.crossed for place, notified in self.book.notified.items() if notified.crossed} == {
            place: notified.crossed for place, notified in self.recorded.notified().items() if notified.crossed
        }


TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=100, stateful_step_count=20)


# -- what the machine would hardly find


def test_a_crossing_in_the_turn_in_which_the_window_moves_is_told() -> None:
    """The delta is counted in one window and evaluated in the next: it is one change, not two of which the second hides
    the first."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(period={"rolling": "1h"}, amount=10)))
    handle(one, NOON)
    delta = ledger.book(NOON, Entry(NOON, usd(9)))
    (change,) = handle(one, NOON + MINUTE, delta)
    assert change.up == (EIGHTY,)


def test_the_last_minute_of_a_long_period_is_evaluated_when_the_next_has_begun() -> None:
    """What it held is still in memory: nothing is taken back, and its last figures are not zero."""
    end = datetime(2026, 12, 1, tzinfo=UTC)
    ledger = MemoryLedger(end - DAY)
    one = book(ledger, budgets(budget(period="month", amount=10, thresholds=actual(80, 100))), end - DAY)
    handle(one, end - HOUR, ledger.book(end - HOUR, Entry(end - HOUR, usd(9))))
    changes = handle(one, end + MINUTE, ledger.book(end, Entry(end - MINUTE, usd(2))))
    assert crossings(changes) == [("one", "up actual 100")]
    assert {change.place.period_key: change.standing.spent for change in changes} == {"2026-11": usd(11), "2026-12": 0}
    (late,) = [change for change in changes if change.place.period_key == "2026-11"]
    assert late.late


def test_last_month_is_not_told_again_by_every_restart() -> None:
    """It was over by the middle of the month, whatever the store still knows of it."""
    ledger = MemoryLedger(NOON)
    ledger.book(NOON, Entry(datetime(2026, 10, 5, tzinfo=UTC), usd(100)), Entry(NOON - 20 * DAY, usd(9)))
    one = book(ledger, budgets(budget(period="month", amount=10, thresholds=actual(80))))
    assert crossings(handle(one, NOON)) == [("one", "up actual 80")]


def test_what_comes_weeks_late_crosses_only_what_was_not_crossed_then() -> None:
    """What is known to have been crossed is kept longer than the figures; later than that nothing is told, but the
    figures are right."""
    ledger = MemoryLedger(NOON)
    which = budgets(budget(period="day", amount=10, thresholds=actual(80, 100)))
    one = book(ledger, which)
    handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(9))))
    for days in range(1, 5):
        handle(one, NOON + days * DAY)
    late = NOON + 4 * DAY
    changes = handle(one, late, ledger.book(late, Entry(NOON, usd(2))))
    assert crossings(changes) == [("one", "up actual 100")]
    assert changes[0].standing.spent == usd(11)
    assert changes[0].late
    much_later = NOON + KEEP_NOTIFIED + 2 * DAY
    handle(one, much_later)
    (change,) = [
        change
        for change in handle(one, much_later, ledger.book(much_later, Entry(NOON, usd(5))))
        if change.place.period_key == "2026-11-26"
    ]
    assert (change.up, change.down, change.standing.spent) == ((), (), usd(16))
    assert change.crossed.keys() == {EIGHTY, HUNDRED}, "what history shows of it"


def test_a_window_that_emptied_while_nobody_looked_is_taken_back() -> None:
    """After a restart nothing is left of what had crossed; without this the alert would stay for ever."""
    place = Place("one", WINDOW_KEY, ("a",))
    notified = {place: Notified(book(MemoryLedger(NOON), WATCHED).tracked_by("window").current, {EIGHTY: NOON})}  # type: ignore[union-attr,arg-type]
    one = book(MemoryLedger(NOON), budgets(budget(period={"rolling": "1h"}, per=["team"])), NOON + 3 * DAY, notified)
    assert crossings(handle(one, NOON + 3 * DAY)) == [("one", "down actual 80")]
    assert one.notified == {}


def test_a_change_that_leaves_a_budget_alone_leaves_its_counters_alone() -> None:
    """Others are read anew from the ledger; when that fails, everything stays as it was."""
    ledger = MemoryLedger(NOON)
    ledger.book(NOON, Entry(NOON, usd(5), facts={"team": "a"}))
    before = budgets(budget("kept"), budget("changed"), budget("removed"))
    after = budgets(budget("kept"), budget("changed", amount=6), budget("new", scope={"team": "a"}))
    one = book(ledger, before)
    kept = one.tracked_by("kept")
    ledger.down = 2
    with pytest.raises(StoreUnavailableError):
        one.use(after, NOON)
    assert one.budgets is before
    assert [tracked.budget.id for tracked in one.tracked] == ["kept", "changed", "removed"]
    ledger.down = 0
    one.use(after, NOON)
    assert one.tracked_by("kept") is kept
    assert one.tracked_by("removed") is None
    assert {change.budget.id: change.standing.spent for change in one.evaluate(NOON)} == {
        name: usd(5) for name in ("kept", "changed", "new")
    }


def test_thresholds_that_are_taken_away_or_raised_out_of_reach_are_taken_back() -> None:
    """The period goes on; what is new is told, what stands is not told again."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(thresholds=actual(50, 80))))
    handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(9))))
    one.use(budgets(budget(thresholds=actual(80, 90))), NOON)
    assert crossings(handle(one, NOON)) == [("one", "up actual 90"), ("one", "down actual 50")]
    one.use(budgets(budget(thresholds=actual(80, 90), amount=100)), NOON)
    assert crossings(handle(one, NOON)) == [("one", "down actual 80"), ("one", "down actual 90")]


def test_values_that_a_changed_scope_leaves_out_are_taken_back() -> None:
    """They have no entry any more, and are looked at all the same."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(per=["team"], thresholds=actual(80))))
    handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(9), facts={"team": "a", "model": "m"})))
    one.use(budgets(budget(per=["team"], thresholds=actual(80), scope={"model": "other"})), NOON)
    assert crossings(handle(one, NOON)) == [("one", "down actual 80")]


@pytest.mark.parametrize(
    "change",
    [
        {"per": []},
        {"per": ["team", "model"]},
        {"period": "day"},
        {"period": {"rolling": "7d"}},
        {"valid_to": "2026-11-26"},
        None,
    ],
)
def test_places_that_no_budget_looks_at_any_more_are_known(change: dict[str, Any] | None) -> None:
    """Other fields in `per`, other periods, no longer in force, removed: what was crossed there ends."""
    ledger = MemoryLedger(NOON)
    given: dict[str, Any] = {"per": ["team"], "period": "month"}
    one = book(ledger, budgets(budget(**given)))
    handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(9), facts={"team": "a", "model": "m"})))
    (place,) = one.notified
    assert one.is_watched(place, NOON)
    assert one.now_standing(place, NOON) is not None
    one.use(budgets() if change is None else budgets(budget(**given | change)), NOON)
    handle(one, NOON)
    assert not one.is_watched(place, NOON)
    assert one.now_standing(place, NOON) is None


def test_before_its_first_date_a_budget_says_nothing_and_then_everything() -> None:
    """Also of values that spend nothing on that day."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(per=["team"], valid_from="2026-11-27", thresholds=actual(80))))
    assert handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(9), facts={"team": "a"}))) == []
    assert crossings(handle(one, NOON + 12 * HOUR)) == [("one", "up actual 80")]
    assert handle(one, NOON + 13 * HOUR) == []


def test_a_forecast_is_told_once_and_again_after_a_correction() -> None:
    """It goes up and down by itself; only what is taken back afterwards lets it be told again."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(period="day", amount=100, thresholds={"actual": [], "forecast": [100]})))
    found = crossings(handle(one, NOON, ledger.book(NOON, Entry(NOON - MINUTE, usd(20)))))
    for hours in (3, 4):
        now = NOON + hours * HOUR
        one.look_ahead()
        found += crossings(handle(one, now))
        now += MINUTE
        found += crossings(handle(one, now, ledger.book(now, Entry(now - MINUTE, usd(20)))))
    assert found == [("one", "up forecast 100"), ("one", "down forecast 100")]
    ledger.correct(NOON, Entry(NOON, usd(-1)))
    one.notified[next(iter(one.notified))].forecast_notified.clear()
    one.look_ahead()
    assert crossings(handle(one, NOON + 4 * HOUR + 2 * MINUTE)) == [("one", "up forecast 100")]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_forecast_is_told_once_more_of_an_amount_that_was_raised(restarted: bool) -> None:
    """Whoever did as the first one suggested wants to know that it is too little again; after a restart, too."""
    ledger, recorded = MemoryLedger(NOON), Recorded()

    def which(amount: int) -> Budgets:
        return budgets(budget(period="day", amount=amount, thresholds={"actual": [], "forecast": [100]}))

    def go_on(now: datetime, spent: int) -> list[tuple[str, str]]:
        one.look_ahead()
        delta = ledger.book(now, Entry(now - MINUTE, usd(spent)))
        one.apply([delta], now)
        one.advance(now)
        changes = one.evaluate(now)
        recorded.record(changes)
        return crossings(changes)

    one = book(ledger, which(100))
    assert go_on(NOON, 20) == [("one", "up forecast 100")]
    one.use(which(1_000), NOON + MINUTE)
    assert go_on(NOON + MINUTE, 0) == [("one", "down forecast 100")]
    if restarted:
        one = book(ledger, which(1_000), NOON + 2 * MINUTE, recorded.notified())
    assert go_on(NOON + 2 * MINUTE, 100) == [("one", "up forecast 100")]
    assert go_on(NOON + 2 * HOUR, 0) == [("one", "down forecast 100")]
    assert go_on(NOON + 3 * HOUR, 200) == [], "of this amount it was told"


def test_what_was_foretold_ends_with_the_period_and_not_by_a_late_event() -> None:
    """Nothing is foretold of a period that is over, which is no reason to say that it kept to its budget."""
    ledger = MemoryLedger(NOON)
    which = budgets(budget(period="day", amount=100, thresholds={"actual": [100], "forecast": [100]}))
    one = book(ledger, which)
    assert crossings(handle(one, NOON, ledger.book(NOON, Entry(NOON - MINUTE, usd(50))))) == [
        ("one", "up forecast 100")
    ]
    late = NOON + 13 * HOUR
    assert crossings(handle(one, late, ledger.book(late, Entry(NOON, usd(1))))) == []
    again = book(ledger, which, late, one.notified)
    assert crossings(handle(again, late)) == []
    assert [key for notified in again.notified.values() for key in notified.crossed] == [FORECAST]


def test_a_delta_that_is_lost_on_the_way_is_read_from_the_ledger() -> None:
    """The gap before the next one of its partition tells; when the ledger does not answer then, it is asked again."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget("a"), budget("b", period="day")))
    handle(one, NOON, ledger.book(NOON, Entry(NOON, usd(1))))
    ledger.book(NOON, Entry(NOON, usd(2)))
    third = ledger.book(NOON, Entry(NOON, usd(4)))
    ledger.down_after = 4  # in the middle of reading all budgets anew
    with pytest.raises(StoreUnavailableError):
        handle(one, NOON, third)
    found = handle(one, NOON, third)
    assert {change.budget.id: change.standing.spent for change in found} == {"a": usd(7), "b": usd(7)}


def test_the_last_delta_of_all_leaves_no_gap_and_is_missed_all_the_same() -> None:
    """What the ledger had seconds ago and nobody has heard of since; half read, it is read again by the next cycle."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget("a"), budget("b", period="day")))
    ledger.book(NOON, Entry(NOON, usd(2)))
    assert one.follower.is_behind(ledger.vector(NOON - HOUR))
    ledger.down_after = 3
    with pytest.raises(StoreUnavailableError):
        one.resync(NOON)
    found = handle(one, NOON)
    assert not one.follower.is_behind(ledger.vector(NOON - HOUR))
    assert {change.budget.id: change.standing.spent for change in found} == {"a": usd(2), "b": usd(2)}


def test_a_reload_reads_what_the_ledger_has() -> None:
    """What the check does with a difference."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget()))
    lost, found = ledger.book(NOON, Entry(NOON, usd(1))), ledger.book(NOON, Entry(NOON, usd(2)))
    one.apply([found], NOON)
    assert one.apply([lost], NOON) == 0, "it looks as if it was counted"
    tracked = one.tracked_by("one")
    assert tracked is not None
    (difference,) = differences(snapshot(tracked.counters, one.follower.vector), ledger)
    assert (difference.amount, difference.unpriced) == (-usd(1), 0)
    one.reload("one", NOON)
    one.reload("unknown", NOON)
    (change,) = one.evaluate(NOON)
    assert Sums(change.standing.spent, change.standing.unpriced) == Sums(usd(3))


TENANT = "labels.tenant"


def test_a_label_that_a_delta_does_not_tell_is_read_from_the_ledger() -> None:
    """By the budgets that look at it, and by no other; what was wrong of it is right before anything is said."""
    ledger = MemoryLedger(NOON)
    per = budget("tenants", per=[TENANT], thresholds=actual(100))
    none = budget("none", scope={TENANT: {"missing": True}}, thresholds=actual(100))
    one = book(ledger, budgets(per, none, budget("all", thresholds=actual(100))))
    ledger.asked = 0
    entries = [Entry(NOON, usd(9), facts={TENANT: "a"}), Entry(NOON, usd(7), facts={TENANT: "b"}), Entry(NOON, usd(1))]
    delta = ledger.book(NOON, *entries)
    one.apply([delta], NOON)
    assert ledger.asked == 3  # each of the two, and what "none" has spent lately
    assert {(item.budget.id, item.place.values): item.standing.spent for item in one.evaluate(NOON)} == {
        ("tenants", ("a",)): usd(9),
        ("tenants", ("b",)): usd(7),
        ("none", ()): usd(1),
        ("all", ()): usd(17),
    }
    assert set(one.untold_since) == {"tenants", "none"}
    assert not one.follower.gap


def test_a_label_that_the_ledger_does_not_answer_for_is_asked_for_again() -> None:
    """The delta is counted already: nobody sends it again."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget("tenants", per=[TENANT])))
    delta = ledger.book(NOON, Entry(NOON, usd(9), facts={TENANT: "a"}))
    ledger.down = 1
    with pytest.raises(StoreUnavailableError):
        one.apply([delta], NOON)
    one.apply([], NOON)
    assert [item.standing.spent for item in one.evaluate(NOON)] == [usd(9)]


@pytest.mark.parametrize(("period", "later"), [("day", DAY), ("month", 30 * DAY), ({"rolling": "24h"}, HOUR)])
def test_values_with_an_amount_of_their_own_stand_before_they_spend(period: Any, later: timedelta) -> None:
    """From the start on, and again when a period begins: whoever asks for them would take the amount of all others for
    theirs. One that is credited only where it is credited, and before; what was credited when `per` was another is
    nobody's."""
    one = budget(per=["team"], period=period, amount=0, amounts={"a": 7, "b": 0}, thresholds=actual(100))
    which = budgets(one)
    calendar = which.calendar_of(one)
    if not isinstance(period, dict):
        rows = []
        for at, team in ((NOON, "c"), (NOON + later, "d")):
            credited = calendar.period_at(at)
            assert credited is not None
            key = calendar.period_key(credited)
            rows += [
                CreditRow("one", NOON, f"{key}{values}", key, credited.start, values, Decimal(3), "x", "")
                for values in ((team,), (team, "user"))
            ]
        which = which.with_credits(Credits(rows))
    ledger = MemoryLedger(NOON)
    watched = book(ledger, which)
    for now, whose in ((NOON, "c"), (NOON + later, "d")):
        found = {change.place.values: change.standing for change in handle(watched, now)}
        amounts = {values: standing.amount for values, standing in found.items()}
        extra = {} if isinstance(period, dict) else {(whose,): usd(3)}
        if extra and whose == "c":
            extra["d",] = 0  # what it has then is said before
        assert amounts == {("a",): usd(7), ("b",): 0, **extra}
        assert all(not standing.used and standing.period.start <= now for standing in found.values())


def raised(run: datetime, chance: float, since: datetime | None, *, amount: int = 100) -> dict[Place, Outlook]:
    """What is forecast of the day."""
    chances = {Decimal("100.000"): Chance(chance, since)}
    figures = (Decimal(amount), Decimal(80), Decimal(140), Decimal(160))
    place = Place("one", "2026-11-26", ())
    return {place: Outlook(run, *figures, chances, (None, None, None), "steady", "", is_stale=False)}


def test_a_forecast_opens_and_closes_its_threshold_once_per_period() -> None:
    """Also over a restart; of another amount than that of now it says nothing."""
    ledger = MemoryLedger(NOON)
    which = budgets(budget(period="day", amount=100, thresholds={"actual": [], "forecast": [100]}))
    one = book(ledger, which)
    assert crossings(handle(one, NOON, ledger.book(NOON, Entry(NOON - 11 * HOUR, usd(20))))) == []
    one.use_outlooks(raised(NOON, 0.9, NOON, amount=99))
    assert crossings(handle(one, NOON + MINUTE)) == []
    one.use_outlooks(raised(NOON, 0.9, NOON))
    (up,) = handle(one, NOON + 2 * MINUTE)
    assert crossings([up]) == [("one", "up forecast 100")]
    assert up.standing.expected == usd(140)
    again = book(ledger, which, NOON + 3 * MINUTE, one.notified)
    again.use_outlooks(raised(NOON, 0.9, NOON))
    assert crossings(handle(again, NOON + 3 * MINUTE)) == []
    again.use_outlooks(raised(NOON + HOUR, 0.3, None))
    assert crossings(handle(again, NOON + HOUR)) == [("one", "down forecast 100")]
    again.use_outlooks(raised(NOON + 2 * HOUR, 0.9, NOON))
    assert crossings(handle(again, NOON + 2 * HOUR)) == []


def test_what_the_rate_of_lately_told_does_not_keep_back_what_a_forecast_finds_later() -> None:
    """It may have been a false alarm of a busy hour."""
    ledger = MemoryLedger(NOON)
    one = book(ledger, budgets(budget(period="day", amount=100, thresholds={"actual": [], "forecast": [100]})))
    found = crossings(handle(one, NOON, ledger.book(NOON, Entry(NOON - MINUTE, usd(20)))))
    one.use_outlooks(raised(NOON + MINUTE, 0.2, None))
    found += crossings(handle(one, NOON + MINUTE))
    one.use_outlooks(raised(NOON + HOUR, 0.9, NOON + HOUR))
    found += crossings(handle(one, NOON + HOUR))
    assert [what for _, what in found] == ["up forecast 100", "down forecast 100", "up forecast 100"]

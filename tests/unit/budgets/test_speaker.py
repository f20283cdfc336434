"""What people are told, once; what has changed since; and how it ends."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.base.instants import unix_micros
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets import speaker as speaker_module
from stream_jobs.budgets.book import BudgetBook, Notified, Place, StandingUpdate
from stream_jobs.budgets.signals import LATE_ALERT_LASTS
from stream_jobs.budgets.speaker import DRIFT_S, Speaker
from stream_jobs.budgets.standing import ThresholdKey
from stream_jobs.series.calendar import Period
from stream_jobs.series.facts import Sums
from tests.unit.budget_terms.build import budget, budgets
from tests.unit.budgets.memory_producer import Causes, MemoryProducer
from tests.unit.series.memory_ledger import Entry, MemoryLedger, usd

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAY_OF_NOON = Period(NOON - 12 * HOUR, NOON + 12 * HOUR)


class Clock:
    """Stands for `time.monotonic` of the speaker."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(speaker_module, "time", clock)
    return clock


@dataclass
class Office:
    """A book, its speaker and what it sends."""

    clock: Clock
    which: Budgets
    now: datetime = NOON
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(NOON))
    producer: MemoryProducer = field(default_factory=MemoryProducer)
    causes: Causes = field(default_factory=Causes)
    waiting: list[StandingUpdate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin({})

    def begin(self, notified: dict[Any, Notified]) -> None:
        self.book = BudgetBook(self.which, self.ledger, notified, self.ledger.vector(), self.now)
        self.speaker = Speaker(self.causes, self.producer, self.book)
        self.waiting = []

    def restart(self) -> list[AlertSignal]:
        self.begin(self.book.notified)
        return self.handle()

    def spend(self, *amounts: int | str, at: datetime | None = None, **facts: str) -> list[AlertSignal]:
        entries = [Entry(at or self.now, usd(amount), facts=facts) for amount in amounts]
        self.book.apply([self.ledger.book(self.now, *entries)], self.now)
        return self.handle()

    def correct(self, amount: int, at: datetime | None = None, **facts: str) -> list[AlertSignal]:
        self.ledger.correct(self.now, Entry(at or self.now, usd(amount), facts=facts))
        return self.handle()

    def use(self, *which: Any) -> list[AlertSignal]:
        self.which = budgets(*which)
        self.book.use(self.which, self.now)
        return self.handle()

    def handle(self, passed: timedelta = timedelta(0)) -> list[AlertSignal]:
        self.now += passed
        self.clock.now += passed.total_seconds()
        self.book.correct(self.now)
        self.book.advance(self.now)
        self.waiting += self.book.evaluate(self.now)
        self.speaker.say(self.waiting, self.now)
        self.waiting = []
        return self.producer.signals()


def actual(*percents: int) -> dict[str, Any]:
    return {"actual": percents, "forecast": []}


@pytest.fixture
def office(clock: Clock) -> Office:
    """USD 100 a day, told at 50 and at 100 percent."""
    return Office(clock, budgets(budget(period="day", amount=100, thresholds=actual(50, 100))))


def brief(signals: list[AlertSignal]) -> list[tuple[str, int, int]]:
    return [(signal.status, signal.level // 1000, int(signal.value or 0)) for signal in signals]


def test_each_threshold_is_said_when_it_is_crossed_and_nothing_in_between(office: Office) -> None:
    """The same alert, graver."""
    assert brief(office.spend(40)) == []
    assert brief(office.spend(20)) == [("firing", 50, 60)]
    assert brief(office.spend(10)) == []
    assert brief(office.spend(50)) == [("firing", 100, 120)]
    assert office.handle() == []


def test_several_changes_of_one_turn_are_one_signal_with_its_causes(office: Office) -> None:
    """What was crossed first found the cause; what came after it must not hide it."""
    office.causes.answer = [("user_id", "bob", Decimal(9), Decimal(1), Decimal(10), Decimal(2), 2)]
    office.producer.down = True
    with pytest.raises(BrokerUnavailableError):
        office.spend(60)
    with pytest.raises(BrokerUnavailableError):
        office.spend(5)
    office.producer.down = False
    (signal,) = office.handle()
    assert brief([signal]) == [("firing", 50, 65)]
    assert signal.causes == (
        "user_id bob: $9.00 in the 15 minutes before 2026-11-26 12:00 (UTC), 90.0 % of all; $1.00 in as much time "
        "before",
    )


def test_a_failed_send_loses_nothing(office: Office) -> None:
    """What could not be said is said by the next cycle: crossings, reminders and endings alike."""
    office.spend(60)
    for passed, wanted in ((MINUTE, [("firing", 50, 70)]), (12 * HOUR, [("resolved", 50, 70)])):
        if passed == MINUTE:
            office.spend(10)
        office.producer.down = True
        for _ in range(2):
            with pytest.raises(BrokerUnavailableError):
                office.handle(passed)
            passed = timedelta(0)  # noqa: PLW2901
        office.producer.down = False
        assert brief(office.handle()) == wanted
        assert office.handle() == []


def test_facts_that_go_on_growing_are_sent_now_and_then(office: Office) -> None:
    """Not with every block."""
    office.spend(60)
    assert office.spend(5) == office.spend(6) == []
    assert brief(office.handle(timedelta(seconds=31))) == [("firing", 50, 71)]
    assert office.handle(timedelta(seconds=31)) == []


def test_what_says_nothing_new_is_not_sent_again(office: Office) -> None:
    """However often it is worked out: an alert's history has what happened. Rates and forecasts move all the time, and
    are sent now and then, as what was spent by less than a hundredth."""
    office.spend(60)
    office.spend(5)
    sent = []
    for _ in range(400):  # over three hours; until then the burn rate falls
        office.spend(0)
        sent.append(len(office.handle(timedelta(seconds=31))))
    assert sent[0] == 1
    assert 2 <= sum(sent[1:]) <= 400 * 31 / DRIFT_S
    assert sum(sent[-100:]) == 0
    office.spend(1)
    assert brief(office.handle(timedelta(seconds=31))) == [("firing", 50, 66)]
    assert office.spend("0.5") == office.handle(timedelta(seconds=31)) == []
    assert brief(office.handle(timedelta(seconds=DRIFT_S))) == [("firing", 50, 66)]
    assert office.handle(timedelta(seconds=DRIFT_S)) == []


def test_a_correction_is_told_when_it_matters(office: Office) -> None:
    """A hundredth of the amount or more, and as a correction; less is part of the next reminder."""
    office.spend(70)
    assert office.correct(0) == []
    (signal,) = office.correct(5)
    assert signal.correction
    assert brief([signal]) == [("firing", 50, 75)]
    (signal,) = office.correct(-30)
    assert signal.correction
    assert brief([signal]) == [("resolved", 0, 45)]
    assert brief(office.correct(10)) == [("firing", 50, 55)]


def test_after_a_restart_what_holds_is_sent_again(office: Office) -> None:
    """The same alert with the same facts, which changes nothing for those who have it; nothing else is."""
    first = office.spend(60)
    again = office.restart()
    assert brief(again) == brief(first)
    assert [signal.alert_id for signal in again] == [signal.alert_id for signal in first]
    assert again[0].starts_at == first[0].starts_at
    assert office.handle() == []


def test_what_grew_by_itself_is_no_correction(office: Office) -> None:
    """A price that moves by next to nothing after much was spent: what people hear of is not called corrected."""
    office.spend(60)
    office.spend(25)
    assert office.correct(0, at=office.now) == []
    office.ledger.correct(office.now, Entry(office.now, 1_000))
    assert office.handle() == []
    (signal,) = office.correct(-5)
    assert signal.correction


@pytest.mark.parametrize("restarted", ["before", "after", "never"])
@pytest.mark.parametrize("back", [-100, -10], ids=["below", "still above"])
def test_what_is_over_and_was_not_so_is_corrected_whenever_the_job_began(
    office: Office, restarted: str, back: int
) -> None:
    """Yesterday's alert is over and told. A price falls, the job begins anew before or after that: people hear of it
    as a correction. Of a job that is not stopped they do, too."""
    office.spend(120)
    office.handle(12 * HOUR)
    office.now += MINUTE
    if restarted == "before":
        office.restart()
        office.now += MINUTE
    office.ledger.correct(office.now, Entry(NOON, usd(back)))
    (signal,) = office.restart() if restarted == "after" else office.handle()
    assert brief([signal]) == [("resolved", 100 if back == -10 else 0, 120 + back)]
    assert signal.correction


def test_a_correction_of_a_period_that_is_not_in_memory_is_one_after_a_restart_too(office: Office) -> None:
    """Of days ago: whoever compares it with the ledger finds that it is another."""
    office.spend(120)
    office.handle(12 * HOUR)
    office.handle(5 * DAY)
    (place,) = office.book.notified
    office.restart()
    start = unix_micros(office.book.notified[place].period.start)
    office.book.count_again("one", start, {(): Sums(usd(20))}, office.now)
    (signal,) = office.handle(MINUTE)
    assert brief([signal]) == [("resolved", 0, 20)]
    assert signal.correction


@pytest.mark.parametrize("gone", [False, True])
def test_what_was_taken_back_just_before_a_crash_is_said_by_the_next(office: Office, gone: bool) -> None:
    """It is recorded that the threshold is crossed no longer, and nobody was told: the alert would be open for ever.
    Also when the budget is gone by then, or its period over."""
    (signal,) = office.spend(60)
    office.ledger.correct(office.now, Entry(office.now, usd(-30)))
    office.producer.down = True
    with pytest.raises(BrokerUnavailableError):
        office.handle()
    office.producer.down = False
    assert office.book.notified == {}
    place = Place("one", "2026-11-26", ())
    taken_back = Notified(DAY_OF_NOON, taken_back={ThresholdKey("actual", Decimal(50))})
    if gone:
        office.which = budgets(budget("other", scope={"team": "other"}))
    office.begin({place: taken_back})
    (again,) = office.handle(MINUTE)
    assert (again.alert_id, again.status) == (signal.alert_id, "resolved")
    assert office.handle(MINUTE) == []
    assert office.book.notified == {}


def test_what_was_taken_back_before_its_period_ended_ends_without_figures(office: Office) -> None:
    """The job was stopped for days."""
    office.now += 5 * DAY
    notified = Notified(DAY_OF_NOON, taken_back={ThresholdKey("actual", Decimal(50))})
    office.begin({Place("one", "2026-11-26", ()): notified})
    (signal,) = office.handle()
    assert (signal.status, signal.resolution) == ("resolved", "the period is over")
    assert office.handle(MINUTE) == []


def test_it_ends_with_its_period_and_only_once(office: Office) -> None:
    """Without anything being spent in the next one."""
    office.spend(60)
    (signal,) = office.handle(12 * HOUR)
    assert (signal.status, signal.resolution) == ("resolved", "the period is over: $60.00 of $100.00 were used")
    assert office.handle(MINUTE) == office.handle(DAY) == []


def test_what_crosses_late_is_open_for_an_hour(office: Office) -> None:
    """Yesterday's events came today."""
    office.handle(DAY)
    assert brief(office.spend(60, at=NOON)) == [("firing", 50, 60)]
    assert office.handle(LATE_ALERT_LASTS - MINUTE) == []
    assert brief(office.handle(MINUTE)) == [("resolved", 50, 60)]


def test_a_period_that_ended_while_nobody_looked_ends_its_alerts(clock: Clock) -> None:
    """Its figures are no longer in memory; the alert would stay open for ever."""
    office = Office(clock, budgets(budget(period="hour", amount=100, thresholds=actual(50))))
    office.spend(60)
    office.now += 5 * HOUR
    (signal,) = office.restart()
    assert (signal.status, signal.resolution) == ("resolved", "the period is over")
    assert office.handle(MINUTE) == []


@pytest.mark.parametrize(
    "changed",
    [
        None,
        {"period": "month", "amount": 1000},
        {"period": {"rolling": "24h"}, "amount": 1000},
        {"per": ["team"], "amount": 1000},
        {"valid_to": "2026-11-26"},
    ],
)
def test_an_alert_of_a_budget_that_is_gone_or_is_another_ends(office: Office, changed: dict[str, Any] | None) -> None:
    """Removed, other periods, other fields in `per`, no longer in force: even right after a reminder was due."""
    office.spend(60, team="a")
    office.spend(5, team="a")
    given: dict[str, Any] = {"period": "day", "amount": 100, "thresholds": actual(50, 100)}
    office.clock.now += 60
    signals = office.use(*([] if changed is None else [budget(**given | changed)]))
    assert [(signal.status, signal.resolution) for signal in signals] == [
        ("resolved", "the budget was removed, is no longer in force, or watches something else now")
    ]
    assert office.handle(MINUTE) == []
    assert office.book.notified == {}
    assert office.use(budget(**given)) != [], "it is set again: another alert"


def test_nothing_is_kept_of_what_is_over(office: Office) -> None:
    """After weeks of daily alerts as little is remembered as after one."""
    for _ in range(60):
        office.spend(60)
        office.handle(DAY)
    assert len(office.book.notified) < 40
    assert len(office.speaker._said) < 40
    assert len(office.speaker._over) < 40


def test_causes_are_looked_for_where_it_hurts_most(clock: Clock) -> None:
    """A storm has one cause: of each budget the dearest first, and no more than a few questions."""
    which = budgets(
        budget("users", per=["user_id"], period="day", amount=10, thresholds=actual(100)),
        budget("all", period="day", amount=50, thresholds=actual(100)),
    )
    office = Office(clock, which)
    office.causes.answer = [("model", "m", Decimal(9), Decimal(1), Decimal(10), Decimal(2), 2)]
    entries = [Entry(NOON, usd(10 + n), facts={"user_id": f"u{n}"}) for n in range(9)]
    office.book.apply([office.ledger.book(NOON, *entries)], NOON)
    signals = office.handle()
    assert len(signals) == 10
    notified = [signal.labels.get("user_id", "all") for signal in signals if signal.causes]
    assert sorted(notified) == ["all", "u7", "u8"]
    assert office.causes.questions == 3


def test_an_alert_without_its_cause_is_better_than_none(office: Office) -> None:
    """ClickHouse is away just then."""
    office.causes.answer = None
    (signal,) = office.spend(60)
    assert signal.causes == ()


def test_the_budgets_above_it_are_named(clock: Clock) -> None:
    """Up to the topmost; those per value have no figure of their own."""
    which = budgets(
        budget("top", amount=1000, period="month", thresholds=actual()),
        budget("each", amount=500, period="month", per=["team"], thresholds=actual(), parent="top"),
        budget("low", amount=100, period="day", thresholds=actual(50), parent="each"),
    )
    (signal,) = Office(clock, which).spend(60, team="a")
    assert [(fact.name, fact.text) for fact in signal.facts if fact.name.startswith("Part of")] == [
        ("Part of top", "$60.00 of $1,000.00")
    ]


def test_an_amount_in_another_currency_is_said_as_it_was_given(clock: Clock) -> None:
    """Beside what it is in USD."""
    one = budget(period="day", amount="50.5", currency="EUR", thresholds=actual(50))
    office = Office(clock, budgets(one, currencies={"EUR": [{"usd": "1.1", "valid_from": "2026-01-01"}]}))
    (signal,) = office.spend(40)
    assert [fact.text for fact in signal.facts if fact.name == "Amount"] == ["50.50 EUR ($55.55)"]
    assert signal.summary == "Budget one has used 36.36 EUR of 50.50 EUR (72.0 %)"

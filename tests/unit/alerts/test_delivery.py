"""One task per receiver: it records before and after, keeps its limit, and leaves a failing receiver alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from stream_jobs.alerts.book import AlertBook
from stream_jobs.alerts.delivery import Delivery
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.health import FAILING_AFTER, Trouble
from stream_jobs.alerts.journal import Journal
from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.outbox import Outbox
from stream_jobs.alerts.receivers import Receiver
from stream_jobs.alerts.routing import Routing
from stream_jobs.base.errors import ConfigError, StoreUnavailableError
from stream_jobs.base.instants import utc_now
from stream_jobs.runtime.retry import Backoff
from tests.unit.alerts.build import document, over, parsed, signal


class FakeStore:
    """Keeps the rows; fails so many times first."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.failures = 0

    def insert(self, table: str, rows: Any, token: str) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("away")
        self.rows += rows.to_pylist()

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in self.rows]


class FakeNotifier:
    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.errors: list[Exception] = []
        self.waits: asyncio.Event | None = None
        self.closed = 0

    async def send(self, notification: Notification) -> str:
        if self.waits is not None:
            await self.waits.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(notification)
        return "200 fine"

    async def close(self) -> None:
        self.closed += 1


class Desk:
    """Book, outbox and receivers with a fake notifier each."""

    def __init__(self, rules: AlertsDocument) -> None:
        self.rules = rules
        self.book = AlertBook(Routing(rules))
        self.outbox = Outbox(rules)
        self.store = FakeStore()
        self.journal = Journal(cast(Any, self.store))
        self.notifiers: dict[str, FakeNotifier] = {receiver.name: FakeNotifier() for receiver in rules.receivers}
        self.unusable: set[str] = set()
        self.crashes: list[BaseException] = []
        self.delivery = Delivery(self.outbox, self.journal, self._make, self.crashes.append)

    def _make(self, receiver: Receiver) -> FakeNotifier:
        if receiver.name in self.unusable:
            raise ConfigError("no key")
        return self.notifiers[receiver.name]

    def feed(self, *records: Any) -> None:
        self.outbox.apply(self.book.fold([parsed(record) for record in records], utc_now()).transitions)
        self.delivery.wake()


@contextlib.asynccontextmanager
async def desk(*names: str, **changes: Any) -> AsyncIterator[Desk]:
    made = Desk(
        document(*(names or ("slack",)), **({"grouping": {"group_wait_s": 0, "group_interval_s": 0}} | changes))
    )
    await made.delivery.use(made.rules.receivers)
    try:
        yield made
    finally:
        await made.delivery.stop()
        made.journal.close()
        assert made.crashes == []


async def reach(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_jobs.alerts.bucket.FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("stream_jobs.alerts.journal.OUTAGE", Backoff(0.01, 0.02))
    monkeypatch.setattr("stream_jobs.alerts.delivery.UNUSABLE_AGAIN_S", 0.02)


def test_it_is_on_record_before_and_after_it_is_sent() -> None:
    """With key, answer, and what was told for the first time; the notifier is closed at the end."""

    async def test() -> None:
        async with desk() as d:
            d.feed(signal("a"), signal("b"))
            await reach(lambda: d.store.states == ["sending", "sent"])
            sending, sent = d.store.rows
            assert sending["key"] == sent["key"] == d.notifiers["slack"].sent[0].key
            assert (sent["answer"], sent["first_told"], sent["told"], sent["attempt"]) == ("200 fine", 2, ["a", "b"], 1)
            assert "BudgetThreshold" in sending["notification"]
        assert d.notifiers["slack"].closed == 1

    asyncio.run(test())


def test_a_failure_is_tried_again_under_the_same_key() -> None:
    """On record with its reason, counted, and told once it works; the state is recorded as being sent once."""

    async def test() -> None:
        async with desk() as d:
            d.notifiers["slack"].errors = [DeliveryError("503 busy"), RuntimeError("a bug")]
            d.feed(signal())
            await reach(lambda: len(d.notifiers["slack"].sent) == 1)
            await reach(lambda: d.store.states == ["sending", "failed", "failed", "sent"])
            assert len({row["key"] for row in d.store.rows}) == 1
            assert [row["attempt"] for row in d.store.rows] == [0, 1, 2, 3]
            assert d.store.rows[1]["answer"] == "503 busy"
            assert "RuntimeError" in d.store.rows[2]["answer"]

    asyncio.run(test())


def test_what_is_refused_for_good_does_not_stop_the_others_and_is_tried_under_other_rules() -> None:
    """Another group goes on; a change of the configuration tries it again."""

    async def test() -> None:
        async with desk() as d:
            d.notifiers["slack"].errors = [DeliveryError("400 bad", retry=False)]
            d.feed(signal("a", group="a"))
            await reach(lambda: d.store.states == ["sending", "failed"])
            d.feed(signal("b", group="b"))
            await reach(lambda: d.store.states == ["sending", "failed", "sending", "sent"])
            await reach(lambda: d.outbox.pending("slack") == 1)
            d.outbox.use(d.rules)
            await d.delivery.use(d.rules.receivers)
            await reach(lambda: len(d.notifiers["slack"].sent) == 2)

    asyncio.run(test())


def test_what_is_given_up_is_said_so_on_record() -> None:
    """And in how the receiver stands, though the next notification is taken."""

    async def test() -> None:
        async with desk() as d:
            d.notifiers["slack"].errors = [DeliveryError("400 bad", retry=False)]
            d.feed(signal("a", group="a"))
            await reach(lambda: d.store.states == ["sending", "failed"])
            assert d.store.rows[1]["answer"] == "given up: 400 bad"
            d.feed(signal("b", group="b"))
            await reach(lambda: len(d.notifiers["slack"].sent) == 1)
            found = d.delivery.conditions(utc_now())["slack"]
            assert isinstance(found, Trouble)
            assert (found.kind, found.problem, found.group_id) == ("given_up", "400 bad", d.store.rows[1]["group_id"])
            assert d.delivery.conditions(utc_now() + FAILING_AFTER) == {"slack": "works"}

    asyncio.run(test())


def test_something_grave_that_is_new_is_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that is left alone for minutes is tried with it, once for each; with what is mild it is not."""
    monkeypatch.setattr("stream_jobs.alerts.bucket.FIRST_BACKOFF_S", 1000.0)
    monkeypatch.setattr("stream_jobs.alerts.bucket.LONGEST_GRAVE_S", 1000.0)

    async def test() -> None:
        async with desk() as d:
            failed = [DeliveryError("503")] * 3
            d.notifiers["slack"].errors = list(failed)
            d.feed(signal("mild", group="mild"))
            await reach(lambda: d.store.states == ["sending", "failed"])
            d.feed(signal("other", group="other"), signal("low", 1, group="low", severity="info"))
            await asyncio.sleep(0.05)
            assert len(d.notifiers["slack"].errors) == 2
            d.feed(signal("grave", group="grave", severity="error"))
            await reach(lambda: len(d.notifiers["slack"].errors) == 1)
            await asyncio.sleep(0.05)
            assert len(d.notifiers["slack"].errors) == 1, "once"
            d.feed(signal("other", 2, group="other", severity="critical", level=9))
            await reach(lambda: len(d.notifiers["slack"].errors) == 0)
            d.feed(signal("last", group="last", severity="critical"))
            await reach(lambda: len(d.notifiers["slack"].sent) == 5)
            assert [note.severity for note in d.notifiers["slack"].sent[:2]] == ["critical", "critical"]

    asyncio.run(test())


def test_what_is_tried_no_more_does_not_fail() -> None:
    """What it was to hear of was silenced meanwhile: who knows whether it would take it."""

    async def test() -> None:
        async with desk() as d:
            d.notifiers["slack"].errors = [DeliveryError("503")] * 1000
            d.feed(signal())
            await reach(lambda: "failed" in d.store.states)
            assert isinstance(d.delivery.conditions(utc_now() + FAILING_AFTER)["slack"], Trouble)
            d.feed(over("a", 1))
            d.outbox._states["slack"].clear()
            assert d.delivery.conditions(utc_now() + FAILING_AFTER)["slack"] == "unknown"
            d.notifiers["slack"].errors = []

    asyncio.run(test())


def test_the_end_is_not_told_to_who_does_not_want_it() -> None:
    """It is recorded as skipped, so that the group is over for this receiver too."""

    async def test() -> None:
        receiver = {"name": "slack", "type": "webhook", "url": "http://127.0.0.1:9/", "send_resolved": False}
        async with desk(receivers=[receiver], default=["slack"]) as d:
            d.feed(signal())
            await reach(lambda: d.store.states == ["sending", "sent"])
            d.feed(over(seconds=1))
            await reach(lambda: d.store.states == ["sending", "sent", "skipped"])
            assert [note.action for note in d.notifiers["slack"].sent] == ["trigger"]
            await reach(lambda: d.outbox.pending("slack") == 0)

    asyncio.run(test())


def test_a_slow_or_unusable_receiver_does_not_hold_up_the_others() -> None:
    """What it is to hear of waits, merged; it is tried again by itself."""

    async def test() -> None:
        async with desk("slow", "quick", "keyless") as d:
            d.notifiers["slow"].waits = asyncio.Event()
            d.unusable.add("keyless")
            await d.delivery.use([])
            await d.delivery.use(d.rules.receivers)
            for number in range(3):
                d.feed(signal(f"a{number}"))
                await reach(lambda: len(d.notifiers["quick"].sent) == number + 1)  # noqa: B023 - awaited here
            assert d.outbox.pending("keyless") == 1
            d.notifiers["slow"].waits.set()
            d.unusable.clear()
            await reach(lambda: d.notifiers["slow"].sent and d.notifiers["slow"].sent[-1].open_alerts == 3)
            await reach(lambda: len(d.notifiers["keyless"].sent) == 1)
            assert d.notifiers["keyless"].sent[0].open_alerts == 3

    asyncio.run(test())


def test_while_the_store_is_away_nothing_is_told_and_then_all() -> None:
    """What is not on record could be told twice."""

    async def test() -> None:
        async with desk() as d:
            d.store.failures = 5
            d.feed(signal())
            await reach(lambda: d.store.failures < 3)
            assert d.notifiers["slack"].sent == []
            await reach(lambda: d.store.states == ["sending", "sent"])

    asyncio.run(test())


def test_a_receivers_limit_merges() -> None:
    """Two a minute: the second of 50 updates that come in time tells all of them."""

    async def test() -> None:
        receiver = {"name": "slack", "type": "webhook", "url": "http://127.0.0.1:9/", "max_per_minute": 2}
        async with desk(receivers=[receiver], default=["slack"]) as d:
            d.feed(signal("first"))
            await reach(lambda: len(d.notifiers["slack"].sent) == 1)
            for number in range(50):
                d.feed(signal(f"a{number}"))
                await asyncio.sleep(0)
            assert len(d.notifiers["slack"].sent) == 1
            await d.delivery.use([])  # a new task has a new budget
            await d.delivery.use(d.rules.receivers)
            await reach(lambda: len(d.notifiers["slack"].sent) == 2)
            assert d.notifiers["slack"].sent[1].open_alerts == 51

    asyncio.run(test())

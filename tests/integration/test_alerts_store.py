"""What the alerts job takes up from ClickHouse: everything that was recorded, and nothing twice."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.alerts.handler import AlertsHandler
from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.store import AlertStore
from stream_jobs.base.errors import StoreUnavailableError
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import SourceRecord
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.alerts import build

TABLES = ("alert_events", "alert_deliveries", "alert_silences")


@pytest.fixture
def client(process: StoreProcess) -> Iterator[StoreClient]:
    with StoreClient(process.settings) as client:
        for table in TABLES:
            client.command(f"TRUNCATE TABLE {table}")
        yield client


class Notifier:
    """What one receiver hears; it hangs, or fails, when it is told to."""

    def __init__(self) -> None:
        self.heard: list[Notification] = []
        self.hangs = False
        self.fails = False

    async def send(self, notification: Notification) -> str:
        if self.fails:
            raise DeliveryError("away")
        self.heard.append(notification)
        if self.hangs:
            await asyncio.sleep(3600)
        return "ok"

    async def close(self) -> None:
        pass


class Job:
    """The handler with a loop of its own, fed by hand."""

    def __init__(self, process: StoreProcess, rules: AlertsDocument, notifier: Notifier) -> None:
        self.handler = AlertsHandler(partial(StoreClient, process.settings), rules, lambda _: notifier)
        self.crashes: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.handler.bind(self._loop, self.crashes.append)
        self._offset = 0

    def feed(self, *records: AlertSignal | AlertAck | Silence | bytes | None) -> list[SourceRecord]:
        made = []
        for record in records:
            value = record if isinstance(record, bytes) or record is None else record.model_dump_json().encode()
            made.append(SourceRecord(self._offset, 0, b"k", value))
            self._offset += 1
        self.handler.handle(made)
        return made

    def close(self) -> None:
        self.handler.end()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert self.crashes == []


@contextmanager
def job(process: StoreProcess, notifier: Notifier, **changes: Any) -> Iterator[Job]:
    rules = build.document("hook", **({"grouping": {"group_wait_s": 0, "group_interval_s": 0}} | changes))
    running = Job(process, rules, notifier)
    try:
        running.handler.begin()
        yield running
    finally:
        running.close()


def test_everything_is_taken_up_as_it_was(process: StoreProcess, client: StoreClient) -> None:
    """Open alerts with exact money, silences that hold, refusals; and the numbers go on above all that were."""
    notifier = Notifier()
    money = Decimal("98765432109876543210.000000000001")
    now = datetime.now(UTC)
    quiet = build.silence("quiet", scope={"team": "ü"}).model_copy(update={"ends_at": now + timedelta(hours=1)})
    lifted = quiet.model_copy(update={"ends_at": now - timedelta(hours=1)})
    with job(process, notifier) as running:
        running.feed(
            *(build.signal("a", money_usd=money, labels={"team": "x"}), build.signal("gone"), build.over("gone", 1)),
            *(build.ack("a"), build.ack("nothing", "r9"), quiet, lifted, quiet),
            *(b"nonsense", None, b"\xff", b'{"type": "signal", "later_field": 1}'),
        )
        book = running.handler._book
        before, position = dict(book.alerts), book.position
    store = AlertStore(StoreClient(process.settings))
    try:
        loaded = store.load(datetime.now(UTC))
    finally:
        store.close()
    assert loaded.alerts == [before["a"]]
    assert loaded.alerts[0].money_usd == money
    assert loaded.silences == [lifted], "remembered: the record that made it may come again"
    assert loaded.refused == ["r9"]
    assert loaded.position > position
    assert client.rows("SELECT alert_id, state, money_usd FROM alerts_open") == [("a", "acknowledged", money)]


def test_unknown_fields_of_a_later_version_are_ignored(process: StoreProcess, client: StoreClient) -> None:
    """A notifier may be newer than the job."""
    with job(process, Notifier()) as running:
        text = build.signal("a").model_dump_json().encode()
        running.feed(text[:-1] + b', "shade": "blue"}')
    assert client.rows("SELECT alert_id FROM alerts_open") == [("a",)]


def test_a_turn_that_the_store_cut_is_repeated_without_a_trace(
    process: StoreProcess, client: StoreClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The insert fails after it arrived, and again before; the same cycle is then given once more."""
    insert = AlertStore.insert
    fates = ["arrives", "lost"]

    def flaky(self: AlertStore, table: str, rows: Any, token: str) -> None:
        fate = fates.pop(0) if fates and table == "alert_events" else "fine"
        if fate != "lost":
            insert(self, table, rows, token)
        if fate != "fine":
            raise StoreUnavailableError("away")

    monkeypatch.setattr(AlertStore, "insert", flaky)
    notifier = Notifier()
    with job(process, notifier) as running:
        records = [SourceRecord(n, 0, b"k", build.signal(f"a{n}").model_dump_json().encode()) for n in range(3)]
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                running.handler.handle(records)
        running.handler.handle(records)
        until(lambda: notifier.heard, 10, "told")
        assert notifier.heard[0].open_alerts == 3
    assert client.rows("SELECT alert_id, change FROM alert_events ORDER BY alert_id") == [
        ("a0", "opened"), ("a1", "opened"), ("a2", "opened"),
    ]  # fmt: skip


def test_what_was_on_its_way_at_a_crash_is_sent_again_as_it_was(process: StoreProcess, client: StoreClient) -> None:
    """Same key and content, though more has come since; then what came."""
    hanging, notifier = Notifier(), Notifier()
    hanging.hangs = True
    with job(process, hanging) as running:
        running.feed(build.signal("a"))
        until(lambda: hanging.heard, 10, "under way")
        running.feed(build.signal("b"))
    with job(process, notifier):
        until(lambda: len(notifier.heard) == 2, 10, "told")
    assert notifier.heard[0] == hanging.heard[0]
    assert [alert.alert_id for alert in notifier.heard[1].alerts] == ["b", "a"]
    assert notifier.heard[1].revision == 2
    assert client.rows("SELECT sum(alerts_told), sum(notifications) FROM alert_delivery_status") == [(2, 2)]


def test_what_was_over_before_it_was_told_is_told_after_a_restart(process: StoreProcess, client: StoreClient) -> None:
    """To the receivers that were to know then, once, and not to one that is new."""
    away, notifier = Notifier(), Notifier()
    away.fails = True
    with job(process, away) as running:
        running.feed(build.signal("a", group="a"), build.signal("b", group="b"))
        until(lambda: client.rows("SELECT count() FROM alert_deliveries WHERE state = 'failed'") > [(0,)], 10, "tried")
        running.feed(build.over("a", 1, group="a"))
    for _ in range(2):
        with job(process, notifier):
            until(lambda: len(notifier.heard) == 3, 10, "told")
    assert sorted((note.action, note.open_alerts) for note in notifier.heard) == [
        ("resolve", 0), ("trigger", 0), ("trigger", 1),
    ]  # fmt: skip
    new = Notifier()
    with job(
        process, new, receivers=[{"name": "new", "type": "webhook", "url": "http://127.0.0.1:9/"}], default=["new"]
    ):
        until(lambda: new.heard, 10, "told")
    assert [alert.alert_id for alert in new.heard[0].alerts] == ["b"]
    assert len(new.heard) == 1


def test_an_alert_that_was_forgotten_goes_on_with_its_next_episode(process: StoreProcess, client: StoreClient) -> None:
    """What is over is not loaded; the store is asked when it fires again. An old signal still changes nothing."""
    notifier = Notifier()
    with job(process, notifier) as running:
        running.feed(build.signal("a"), build.over("a", 5))
        until(lambda: len(notifier.heard) == 2, 10, "told")
    with job(process, notifier) as running:
        running.feed(build.signal("a", 4))
        assert client.rows("SELECT count() FROM alerts_open") == [(0,)]
        running.feed(build.signal("a", 6))
    assert client.rows("SELECT change, episode FROM alert_history ORDER BY position DESC LIMIT 1") == [("reopened", 2)]

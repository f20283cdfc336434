"""From a signal in Kafka to a webhook and to the history, on a real broker and store."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream.cli import main
from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.topics import ALERTS
from tests.integration.alerting import AlertsJob, Webhook, rows_of, send
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.alerts import build


@pytest.fixture
def address(broker: TansuBroker) -> str:
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(ALERTS, 1, 1, {})])
    return broker.address


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path / "store")
    yield store
    store.kill()


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with Webhook() as hook:
        yield hook


def rules(hook: Webhook, **changes: Any) -> AlertsDocument:
    receiver = {"name": "hook", "type": "webhook", "url": hook.url, "max_per_minute": 600}
    values: dict[str, Any] = {"receivers": [receiver], "default": ["hook"], "grouping": {"group_interval_s": 0}}
    return AlertsDocument.model_validate(values | changes)


def signal(alert_id: str = "a", **changes: Any) -> AlertSignal:
    return build.signal(alert_id, **({"observed_at": datetime.now(UTC)} | changes))


def test_a_signal_is_told_within_seconds_and_survives_a_restart(
    address: str, store: StoreProcess, hook: Webhook
) -> None:
    """Opened, told, acknowledged by a record, and over after a restart that lost no state and told nothing twice."""
    with rows_of(store) as rows:
        with AlertsJob(address, store, rules(hook)):
            began = time.monotonic()
            send(address, signal(money_usd=Decimal("12.345678901234"), labels={"team": "search"}), b"{nonsense")
            until(lambda: hook.actions == ["trigger"], 20, "told")
            assert time.monotonic() - began < 3
            assert hook.data[0]["alerts"][0]["alert_id"] == "a"
            send(address, build.ack())
            until(lambda: hook.actions == ["trigger", "acknowledge"], 20, "acknowledged")
        assert rows("SELECT state, money_usd, acknowledged_by FROM alerts_open") == [
            ("acknowledged", Decimal("12.345678901234"), "ann")
        ]
        with AlertsJob(address, store, rules(hook)):
            send(address, signal(status="resolved", resolution="within budget again"))
            until(lambda: hook.actions == ["trigger", "acknowledge", "resolve"], 20, "over")
        changes = rows("SELECT change FROM alert_history WHERE alert_id = 'a' ORDER BY position")
        assert [change for (change,) in changes] == ["opened", "acknowledged", "resolved"]
        assert rows("SELECT state, action, alerts_told, notifications, failed_attempts FROM alert_delivery_status") == [
            ("sent", "resolve", 1, 3, 0)
        ]
        assert rows("SELECT count() FROM alerts_open") == [(0,)]


@pytest.mark.slow
def test_an_outage_of_the_receiver_and_restarts_lose_nothing(address: str, store: StoreProcess, hook: Webhook) -> None:
    """What opened and was over while it was away is told when it is back, once, also by another process."""
    hook.status = 503
    with rows_of(store) as rows:
        with AlertsJob(address, store, rules(hook)):
            send(address, signal("a", group="a"), signal("b", group="b"), signal("b", group="b", status="resolved"))
            until(lambda: rows("SELECT count() FROM alert_deliveries WHERE state = 'failed'") > [(0,)], 20, "tried")
        hook.status = 204
        with AlertsJob(address, store, rules(hook)):
            until(lambda: len(hook.bodies) >= 3, 30, "told")
        assert sorted(hook.actions) == ["resolve", "trigger", "trigger"]
        told = rows("SELECT sum(alerts_told), uniqExact(group_id) FROM alert_delivery_status")
        assert told == [(2, 2)]


@pytest.mark.slow
def test_a_receiver_that_fails_is_an_alert_to_another(
    address: str,
    store: StoreProcess,
    hook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its address is gone: the other receiver hears of that, once, also through a restart, and that it is over; then it
    refuses what it is sent: that is given up, which the other hears and `alerts show` says."""
    monkeypatch.setattr("stream_jobs.alerts.health.FAILING_AFTER", timedelta(seconds=1))
    hook.status = 404
    with Webhook() as other:
        receivers = [
            {"name": name, "type": "webhook", "url": one.url} for name, one in (("hook", hook), ("other", other))
        ]
        document = build.document(
            "hook",
            "other",
            receivers=receivers,
            routes=[{"kinds": ["budget"], "to": ["hook"]}],
            default=["hook", "other"],
        )
        with AlertsJob(address, store, document):
            send(address, signal("a", group="a", severity="critical"))
            until(lambda: len(other.bodies) == 1, 30, "the other is told")
            assert other.data[0]["headline"].startswith("ERROR: receiver hook takes no notifications: ")
            assert "answered 404" in other.data[0]["text"]
        with AlertsJob(address, store, document):
            time.sleep(3)
            hook.status = 204
            until(lambda: hook.actions == ["trigger"], 40, "it is back and hears of what there was")
            until(lambda: other.actions == ["trigger", "resolve"], 30, "the other hears that it is back")
            assert "it took the next notification" in other.data[1]["text"]
            hook.status = 400
            send(address, signal("b", group="b", severity="critical"))
            until(lambda: len(other.bodies) == 3, 30, "the other hears of what is given up")
            assert "refused a notification, which is given up" in other.data[2]["headline"]
        assert main(["alerts", "show", "b", "--url", store.url]) == 0
        shown = capfd.readouterr().out
        assert "trigger (given up)" in shown
        assert "given up: receiver 'hook' (127.0.0.1) answered 400" in shown
        assert [data["alerts"][0]["alert_id"] for data in hook.data] == ["a"], "it is not told of itself"


@pytest.mark.slow
def test_a_store_that_is_away_delays_and_harms_nothing(address: str, store: StoreProcess, hook: Webhook) -> None:
    """Killed with -9 while signals come; what was sent meanwhile is recorded and told once it is back."""
    with AlertsJob(address, store, rules(hook)):
        send(address, signal("a", group="a"))
        until(lambda: len(hook.bodies) == 1, 20, "told")
        store.kill()
        send(address, signal("b", group="b"))
        again = StoreProcess(store.folder, port=store.port).wait_ready()
        try:
            until(lambda: len(hook.bodies) == 2, 30, "told after the outage")
            with rows_of(again) as rows:
                until(lambda: rows("SELECT sum(alerts_told) FROM alert_delivery_status") == [(2,)], 10, "recorded")
                assert rows("SELECT count() FROM alert_events") == [(2,)]
        finally:
            again.kill()


def test_changed_rules_are_taken_up_while_it_runs(address: str, store: StoreProcess, hook: Webhook) -> None:
    """Another receiver hears of what is open; a silence hides what opens in it."""
    with Webhook() as other, AlertsJob(address, store, rules(hook)) as job:
        send(address, signal("a"))
        until(lambda: len(hook.bodies) == 1, 20, "told")
        receiver = {"name": "other", "type": "webhook", "url": other.url}
        job.handler.use(rules(other, receivers=[receiver], default=["other"]))
        until(lambda: other.actions == ["trigger"], 20, "the other is told")
        quiet = build.silence(scope={"team": "x"}).model_copy(
            update={"starts_at": datetime.now(UTC), "ends_at": datetime.now(UTC) + timedelta(hours=1)}
        )
        send(address, quiet, signal("quiet", group="q", labels={"team": "x"}), signal("loud", group="l"))
        until(lambda: len(other.bodies) == 2, 20, "told of the loud one")
        assert other.data[1]["alerts"][0]["alert_id"] == "loud"
        with rows_of(store) as rows:
            states = rows("SELECT alert_id, state FROM alerts_open ORDER BY alert_id")
        assert states == [("a", "open"), ("loud", "open"), ("quiet", "silenced")]
        assert len(hook.bodies) == 1


STORM = 20_000


def test_a_storm_is_told_in_few_notifications_and_none_is_lost(
    address: str, store: StoreProcess, hook: Webhook
) -> None:
    """Each alert of its own group: the first groups by themselves, the others as one, within the receiver's limit."""
    document = rules(hook, grouping={"group_interval_s": 1, "max_new_groups_per_minute": 5})
    send(address, *(signal(f"a{n}", group=f"g{n}", labels={"team": f"t{n % 7}"}) for n in range(STORM)))
    with rows_of(store) as rows, AlertsJob(address, store, document):
        sql = "SELECT sum(alerts_told) FROM alert_delivery_status"
        until(lambda: rows(sql) == [(STORM,)], 60, "all told")
        assert rows("SELECT uniqExact(alert_id) FROM alerts_open") == [(STORM,)]
        assert rows("SELECT uniqExact(receiver, id) FROM alert_deliveries ARRAY JOIN told AS id") == [(STORM,)]
        assert len(hook.bodies) < 40
        assert sum(data["open_alerts"] for data in hook.data if data["action"] == "trigger") >= 5

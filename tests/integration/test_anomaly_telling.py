"""What people are told of findings: one alert for one cause, with the cause from the ledger, on the real store and
broker; planned events and marks silence it, restarts change nothing, and every word of it reaches a receiver."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream.cli import main
from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.alerts.document import AlertsDocument
from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.marks import write_mark
from stream_jobs.anomalies.model import Change, FindingRow, Steer
from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.signals import alert_id
from stream_jobs.anomalies.telling import EventsFile, Teller
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.integration.alerting import AlertsJob, Webhook
from tests.integration.pipeline import until
from tests.store_server import StoreProcess, ledger_rows
from tests.unit.anomalies.telling_world import HOUR, NOON, finding
from tests.unit.producers.support import read_topic

pytestmark = pytest.mark.slow

TABLES = ("ledger", "anomaly_findings", "anomaly_marks", "alert_events", "cost_1m", "cost_1h", "cost_1d")
UNTIL = NOON + HOUR
MINUTE = timedelta(minutes=1)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Desk:
    """The telling side, and what it is given and says."""

    store: StoreClient
    broker: str
    folder: Path
    clock: Clock = field(default_factory=Clock)
    now: datetime = UNTIL
    teller: Teller | None = None
    read: int = 0

    def restart(self) -> None:
        """As after a crash: it begins with what was recorded."""
        self.close()
        publisher = SignalPublisher(embedded_kafka(self.broker))
        self.teller = Teller(self.store, publisher, AnomaliesSettings(), EventsFile(self.folder), self.clock)
        self.teller.begin(Findings(self.store).last(NOON - 24 * HOUR), self.now)

    def close(self) -> None:
        if self.teller is not None:
            self.teller.close()

    def cycle(self, *changes: Change) -> list[FindingRow]:
        """One of the job's, half a minute after the one before."""
        assert self.teller is not None
        self.clock.now_s += 30
        self.now += timedelta(seconds=30)
        rows = self.teller.prepare(changes, self.now)
        Findings(self.store).record(rows)
        self.teller.tell(rows, self.now)
        self.teller.wait_for_causes(60)
        return rows

    def find(self, *rows: FindingRow) -> list[AlertSignal]:
        """Findings that are new, until nothing more is to be said of them."""
        self.cycle(*(Change(None, row) for row in rows))
        return self.settle()

    def settle(self, cycles: int = 4) -> list[AlertSignal]:
        for _ in range(cycles):
            self.cycle()
        return self.signals()

    def signals(self) -> list[AlertSignal]:
        """Since the last call."""
        found = read_topic(self.broker, ALERTS)[self.read :]
        self.read += len(found)
        return [AlertSignal.model_validate_json(message.value() or b"") for message in found]

    def change(self, finding_id: str, **given: Any) -> list[AlertSignal]:
        """What became of one."""
        before = next(row for row in Findings(self.store).last(NOON - 24 * HOUR) if row.finding_id == finding_id)
        self.cycle(Change(before, replace(before, version=before.version + 1, at=self.now, **given)))
        return self.settle()

    def rows(self) -> dict[str, FindingRow]:
        return {row.finding_id: row for row in Findings(self.store).last(NOON - 24 * HOUR)}

    def plan(self, **event: Any) -> None:
        known = {"id": "launch", "name": "Launch of search", "from": "2026-11-24", "to": "2026-11-25", "factor": 500}
        (self.folder / "events.yaml").write_text(json.dumps({"events": [known | event]}))


def usual(at: datetime, factor: int = 1) -> list[dict[str, Any]]:
    """A quarter of an hour: three users of two teams; alice spends `factor` times as much."""
    people = (
        ("alice", "search", "chat", "gpt-4o", "0.10"),
        ("bob", "search", "chat", "gpt-4o", "1.00"),
        ("carol", "ads", "copy", "gpt-4o-mini", "1.40"),
    )
    rows = []
    for user, team, feature, model, cost in people:
        count = factor if user == "alice" else 1
        rows += [
            {
                "occurred_at": at + timedelta(seconds=number % 800),
                "user_id": user,
                "team": team,
                "owner": "mara" if team == "search" else "ben",
                "feature": feature,
                "model": model,
                "provider": "openai",
                "effective_cost": Decimal(cost),
            }
            for number in range(count)
        ]
    return rows


@pytest.fixture
def desk(process: StoreProcess, broker: TansuBroker, tmp_path: Path) -> Iterator[Desk]:
    """Three weeks of usage at noon, and then alice spends $100 instead of $0.40."""
    store = StoreClient(process.settings)
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    rows = [
        row
        for day in range(22)
        for quarter in range(4)
        for row in usual(NOON - timedelta(days=day) + quarter * 15 * MINUTE, 250 if day == 0 else 1)
    ]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    table = ledger_rows(len(rows), **columns, list_cost=columns["effective_cost"], booked_at=NOON)
    insert(store.client, "ledger", table, f"{tmp_path}")
    address = broker.address
    ensure_topics(embedded_kafka(address), [TopicSpec(ALERTS, 1, 1, {})])
    found = Desk(store, address, tmp_path)
    found.restart()
    yield found
    found.close()
    store.close()


def incident() -> list[FindingRow]:
    """As the detector finds it on every level, in one cycle."""
    more = Decimal("99.6")
    levels: list[tuple[str, dict[str, str], str]] = [
        ("total", {}, "10"),
        ("search", {"team": "search"}, "4.4"),
        ("alice", {"user_id": "alice"}, "0.4"),
        ("chat", {"feature": "chat"}, "4.4"),
        ("gpt", {"model": "gpt-4o"}, "4.4"),
        ("openai", {"provider": "openai"}, "10"),
    ]
    rows = [
        finding(
            *(name, series),
            expected=Decimal(expected),
            actual=Decimal(expected) + more,
            low=Decimal(expected) / 2,
            high=Decimal(expected) * 2,
        )
        for name, series, expected in levels
    ]
    events = finding("requests", {"user_id": "alice"}, measure="events", expected=Decimal(4), actual=Decimal(1000))
    return [*rows, events]


def test_findings_of_all_levels_are_one_alert_with_its_cause(desk: Desk) -> None:
    """Who, how much instead of how much, since when, why, whose it is and what to do; and no second message."""
    (signal,) = desk.find(*incident())
    assert signal.status == "firing"
    assert signal.summary.startswith("user alice: $100.00 in the 1 hour")
    assert "$0.400 expected (250 times)" in signal.summary
    assert signal.labels | {"user_id": "alice", "team": "search", "model": "gpt-4o", "feature": "chat"} == signal.labels
    assert signal.owner == "mara"
    assert signal.money_usd == Decimal("99.6")
    assert "alice" in signal.causes[0]
    assert "the number of requests" in signal.causes[0]
    facts = {fact.name: fact.text for fact in signal.facts}
    assert facts["Compared with"] == "the same hours of earlier weeks"
    assert facts["If it goes on"] == "$2,400.00 more per day"
    assert "all usage" in facts["Moved as well"]
    groups = {row.group_id for row in desk.rows().values()}
    assert len(groups) == 1
    assert signal.alert_id == alert_id(groups.pop())
    cause = json.loads(desk.rows()["alice"].cause)
    assert cause["conditions"]["user_id"] == "alice"
    assert Decimal(cause["explanation"]["after"]) > 99
    assert desk.settle() == []


def test_what_goes_the_other_way_is_another_alert(desk: Desk) -> None:
    """carol stops while alice runs away: the total hides one of them."""
    fall = finding(
        *("carol", {"user_id": "carol"}),
        direction="down",
        expected=Decimal("5.6"),
        actual=Decimal(0),
        low=Decimal(2),
        high=Decimal(9),
        per_day=Decimal(-134),
    )
    signals = desk.find(*incident(), fall)
    assert len({signal.alert_id for signal in signals}) == 2
    assert {signal.labels["anomaly"] for signal in signals} == {"spike", "drop"}


def test_it_is_resolved_with_what_it_cost_and_corrected_by_late_entries(desk: Desk) -> None:
    """By itself, when all of its findings are over; late entries are told as a correction."""
    desk.find(*incident())
    ended = UNTIL + 30 * MINUTE
    for row in incident():
        signals = desk.change(row.finding_id, state="closed", ends_at=ended, closing="over")
    (signal,) = signals
    assert signal.status == "resolved"
    assert "from 2026-11-24 12:00 to 2026-11-24 13:30 UTC $100.00, $0.400 expected: $99.60 more in all" in str(
        signal.resolution
    )
    (signal,) = desk.change("alice", actual=Decimal(150))
    assert (signal.status, signal.correction) == ("resolved", True)
    assert "$150.00" in signal.summary


def test_it_gets_graver_and_follows_its_figures(desk: Desk) -> None:
    """A tenfold of the money is another level; a little more is the same one."""
    (first,) = desk.find(*incident())
    (more,) = desk.change("alice", actual=Decimal(98))
    assert more.level == first.level
    assert more.money_usd == Decimal("97.6")
    (worse,) = desk.change("alice", actual=Decimal(2000), severity="critical")
    assert worse.level > more.level
    assert worse.severity == "critical"
    assert desk.change("alice", actual=Decimal("2000.01")) == []


def test_a_restart_tells_nothing_twice_and_loses_nothing(desk: Desk) -> None:
    """Groups, causes and ids are those that were recorded; the same signal may come again."""
    (before,) = desk.find(*incident())
    desk.restart()
    (again,) = desk.settle()
    assert again.alert_id == before.alert_id
    assert again.causes == before.causes
    assert again.level == before.level
    assert {row.group_id for row in desk.rows().values()} == {before.alert_id.removeprefix("anomaly/")}
    for row in incident():
        signals = desk.change(row.finding_id, state="closed", ends_at=desk.now, closing="over")
    assert [signal.status for signal in signals] == ["resolved"]


def test_a_crash_before_anything_was_told_is_made_good(desk: Desk) -> None:
    """Findings are recorded, and nobody was told; one of them is over by then."""
    rows = incident()
    Findings(desk.store).record([replace(row, state="closed", ends_at=UNTIL, closing="over") for row in rows])
    desk.restart()
    signals = desk.settle(8)
    assert [signal.status for signal in signals] == ["firing", "resolved"]


def test_a_planned_event_silences_what_it_explains_and_no_more(desk: Desk) -> None:
    """On all levels, with its id as the reason; the file is taken up while the job runs, and taken away again."""
    desk.plan(scope={"team": "search"})
    desk.restart()
    assert desk.find(*incident()) == []
    assert {row.silenced_by for row in desk.rows().values()} == {"event:launch"}
    desk.plan(scope={"team": "search"}, factor=3)
    (signal,) = desk.settle()
    assert {fact.name: fact.text for fact in signal.facts}["Planned"].startswith("Launch of search (launch)")
    assert {row.silenced_by for row in desk.rows().values()} == {""}
    (desk.folder / "events.yaml").unlink()
    assert all(one.status == "firing" for one in desk.settle())


def test_expected_takes_the_alert_back_and_adopts_the_level(desk: Desk) -> None:
    """For all findings of the cause, said once; the next like it is silenced, and real takes that back."""
    (before,) = desk.find(*incident())
    assert desk.teller is not None
    assert desk.teller.steer(UNTIL) == []
    write_mark(desk.store, "chat", "expected", "a load test", "mara")
    (signal,) = desk.settle()
    assert (signal.alert_id, signal.status) == (before.alert_id, "resolved")
    assert signal.resolution == "mara marked it as expected: a load test"
    assert {row.silenced_by for row in desk.rows().values()} == {"mark:chat"}
    steers = desk.teller.steer(UNTIL + MINUTE)
    assert Steer(desk.rows()["alice"].series) in steers
    assert desk.teller.steer(UNTIL + MINUTE) == steers
    assert desk.teller.steer(UNTIL + 2 * MINUTE) == []
    for row in incident():
        assert desk.change(row.finding_id, state="closed", ends_at=desk.now, closing="new_normal") == []
    desk.now += 24 * HOUR
    later = {"starts_at": desk.now - HOUR, "detected_at": desk.now}
    assert desk.find(finding("again", {"user_id": "alice"}, score=20.0, **later)) == []
    assert desk.rows()["again"].silenced_by == "mark:chat"
    write_mark(desk.store, "again", "real", "", "mara")
    (signal,) = desk.settle()
    assert signal.status == "firing"


def test_much_more_than_what_was_marked_is_told_an_hour_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much is not: ten times as much is, whatever group it is of."""
    monkeypatch.setattr(StoreClient, "now", lambda _: desk.now)
    desk.find(*incident())
    write_mark(desk.store, "alice", "expected", "a load test", "mara")
    (resolved,) = desk.settle()
    assert resolved.status == "resolved"
    for row in incident():
        desk.change(row.finding_id, state="closed", ends_at=desk.now, closing="expected")
    desk.now += HOUR
    times = {"starts_at": desk.now - 5 * MINUTE, "detected_at": desk.now}
    assert desk.find(finding("alike", {"user_id": "alice"}, score=20.0, **times)) == []
    more = {"actual": Decimal(1000), "per_day": Decimal(24_000), "score": 60.0}
    (signal,) = desk.find(finding("more", {"user_id": "alice"}, **(times | more)))
    assert signal.status == "firing"
    assert signal.summary.startswith("user alice: $1,000.00 in the ")


def test_a_runaway_user_beside_what_has_been_going_on_for_days_has_a_message_of_his_own(desk: Desk) -> None:
    """He is named in it, and the figures are his."""
    long = {"starts_at": NOON - 96 * HOUR, "detected_at": NOON - 24 * HOUR, "kind": "shift", "scale": "4d"}
    (old,) = desk.find(finding("old", {"team": "search"}, **long))
    (new,) = desk.find(finding("new", {"user_id": "alice"}, starts_at=NOON + 50 * MINUTE))
    assert new.alert_id != old.alert_id
    assert new.summary.startswith("user alice: $110.00 in the ")
    assert new.causes[0].startswith(("user alice", "user_id alice"))


def test_what_costs_less_than_the_floor_is_kept_and_told_to_nobody(desk: Desk) -> None:
    """Nothing about $0.00007, whatever the surprise."""
    little = {"expected": Decimal("0.00001"), "actual": Decimal("0.00008"), "per_day": Decimal("0.0017")}
    assert desk.find(finding("little", {"user_id": "alice"}, score=99.0, **little)) == []
    assert desk.rows()["little"].group_id == "little"
    (signal,) = desk.change("little", actual=Decimal("2.5"))
    assert signal.status == "firing"


def test_without_the_ledger_it_is_told_all_the_same(desk: Desk) -> None:
    """An alert without its cause is better than none: here nothing is there that could explain it."""
    for table in ("ledger", "cost_1m", "cost_1h"):
        desk.store.command(f"TRUNCATE TABLE {table}")
    signals = desk.find(finding("alone", {"user_id": "zoe"}))
    assert [signal.alert_id for signal in signals][:1] == [alert_id("alone")]


def test_people_mark_findings_by_any_of_their_names(
    desk: Desk, process: StoreProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding's id, a beginning of it, or the alert's; what is none is an error that says where to look."""
    (signal,) = desk.find(*incident())
    where = ["--url", process.url]
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_USER", "spendstream")
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_PASSWORD_FILE", str(process.folder / "credentials"))
    for given in ("alice", "ali", signal.alert_id):
        assert main(["anomalies", "mark", given, "real", "--note", "we looked", "--by", "mara", "--json", *where]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["mark"], said["note"], said["by"]) == ("real", "we looked", "mara")
    assert main(["anomalies", "mark", "nobody", "real", *where]) == 2
    assert "no finding 'nobody'" in capsys.readouterr().err
    rows = desk.store.rows("SELECT finding_id, mark, note, by FROM anomaly_marks ORDER BY at")
    assert rows[0] == ("alice", "real", "we looked", "mara")
    (signal,) = desk.settle()
    assert {fact.name: fact.text for fact in signal.facts}["Marked"] == "real, by mara: we looked"


def test_a_receiver_gets_one_message_that_says_it_all(desk: Desk, process: StoreProcess) -> None:
    """By the alerts job, on the real topic."""
    with Webhook() as hook:
        document = AlertsDocument.model_validate(
            {"receivers": [{"name": "hook", "type": "webhook", "url": hook.url}], "default": ["hook"]}
        )
        with AlertsJob(desk.broker, process, document):
            desk.find(*incident())
            until(lambda: hook.data, 30, "a message")
        (message,) = hook.data
    text = message["text"]
    assert text.startswith("ERROR: user alice: $100.00 in the 1 hour")
    for part in ("Owner: mara", "Expected: $0.400", "Usual range:", "Probably because:", "spendstream anomalies show"):
        assert part in text

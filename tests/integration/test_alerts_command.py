"""`spendstream alerts` against a running job: what people do is in the history when the command returns."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream.cli import main
from spendstream_schemas.alert_feed import Fact, Silence
from stream_jobs.alerts.notification import Notification
from stream_jobs.alerts.requests import NoAnswerError, ask
from stream_jobs.alerts.rows import NOTIFICATION
from stream_jobs.alerts.text import compose, plain
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import ALERTS
from stream_jobs.store.client import StoreClient
from tests.integration.alerting import AlertsJob, Webhook, send
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.alerts import build

pytestmark = pytest.mark.slow


@pytest.fixture
def run(
    broker: TansuBroker, process: StoreProcess, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Any]:
    """`run("list", ...)` gives exit code, stdout and stderr; a job runs beside it."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(ALERTS, 1, 1, {})])
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_PORT", str(process.port))
    monkeypatch.setenv("SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS", broker.address)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["alerts", *arguments])
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    with Webhook() as hook:
        receivers = [{"name": "hook", "type": "webhook", "url": hook.url, "max_per_minute": 600}]
        document = build.document("hook", receivers=receivers, grouping={"group_interval_s": 0.5})
        with AlertsJob(broker.address, process, document):
            yield command


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_person_looks_acknowledges_and_silences(run: Any, broker: TansuBroker) -> None:
    """List, show, ack, silence, silences, lift; and errors that say what to do."""
    now = datetime.now(UTC)
    facts = (Fact(name="Spent", text="$80 of $100"),)
    first = build.signal("budget/search/2026-11", labels={"team": "search"}, observed_at=now, facts=facts)
    first = first.model_copy(update={"money_usd": Decimal(80), "causes": ("feature chat",), "action": "Ask Ann"})
    second = build.signal("dq/unpriced", kind="data_quality", severity="critical", group="dq", observed_at=now)
    send(broker.address, first, second)
    until(lambda: len(objects(run("list", "--json")[1])) == 2, 30, "both listed")

    rows = objects(run("list", "--json")[1])
    assert [row["alert_id"] for row in rows] == ["dq/unpriced", "budget/search/2026-11"]
    assert [row["alert_id"] for row in objects(run("list", "--kind", "budget", "--json")[1])] == [rows[1]["alert_id"]]
    assert objects(run("list", "--severity", "info", "--json")[1]) == []
    assert objects(run("list", "--group", "dq", "--json")[1]) == rows[:1]
    assert "$80.00" in run("list")[1]

    assert run("ack", "search", "--note", "on it", "--by", "ann")[:2] == (
        0,
        "budget/search/2026-11 is looked after by ann\n",
    )
    shown = run("show", "search")[1]
    for text in ("has used 80 %", "Spent", "$80 of $100", "feature chat", "Ask Ann", "acknowledged by ann", "on it"):
        assert text in shown
    (document,) = objects(run("show", "search", "--json")[1])
    assert [event["change"] for event in document["history"]] == ["opened", "acknowledged"]

    code, text, _ = run("silence", "--kind", "data_quality", "--for", "2h", "--note", "known", "--json")
    assert code == 0
    (silence,) = objects(text)
    until(lambda: "silenced" in run("list")[1], 10, "silenced")
    assert [row["silence_id"] for row in objects(run("silences", "--json")[1])] == [silence["silence_id"]]
    assert run("silence", "--lift", silence["silence_id"])[0] == 0
    assert objects(run("silences", "--json")[1]) == []
    assert len(objects(run("silences", "--all", "--json")[1])) == 1

    send(broker.address, second.model_copy(update={"status": "resolved", "observed_at": datetime.now(UTC)}))
    until(lambda: len(objects(run("list", "--json")[1])) == 1, 30, "one is over")
    code, _, error = run("ack", "dq/unpriced")
    assert (code, "cannot be acknowledged: it is over since" in error) == (1, True)
    assert len(objects(run("list", "--all", "--json")[1])) == 2


def test_the_command_in_a_message_shows_what_the_message_says(
    broker: TansuBroker, process: StoreProcess, run: Any
) -> None:
    """A message lists ten of a group and the command for the others: as printed it shows all of them, open and
    resolved, whatever characters the group's name has; and of another run of the group none."""
    now = datetime.now(UTC)
    for index, group in enumerate(("budget/plain/2026-11", "budget/ann@example/2026-11", "x\u202ey 'z\n")):
        old = [build.signal(f"{index}/old{n}", observed_at=now, group=group) for n in range(3)]
        send(broker.address, *old)
        until(lambda group=group: len(messages(process, group)) >= 1, 30, "the first run is told")
        send(broker.address, *(one.model_copy(update={"status": "resolved", "observed_at": later(1)}) for one in old))
        until(lambda group=group: messages(process, group)[-1].action == "resolve", 30, "and over")
        new = [build.signal(f"{index}/new{n}", observed_at=later(2), group=group) for n in range(60)]
        send(broker.address, *new)
        until(lambda group=group: messages(process, group)[-1].open_alerts == 60, 30, "the second is told")
        over = [one.model_copy(update={"status": "resolved", "observed_at": later(3)}) for one in new[:50]]
        send(broker.address, *over)
        send(broker.address, new[59].model_copy(update={"severity": "critical", "observed_at": later(3)}))
        until(lambda group=group: messages(process, group)[-1].open_alerts == 10, 30, "some are over")
        for note, number in ((messages(process, group)[-2], 60), (messages(process, group)[-1], 60)):
            (command,) = re.findall(r"more: `spendstream alerts (.*)`", plain(compose(note)))
            rows = objects(run(*shlex.split(command), "--json")[1])
            wanted = {one.alert_id for one in (new if "--all" in command else new[50:])}
            assert {row["alert_id"] for row in rows} == wanted, (command, number)


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def messages(process: StoreProcess, group: str) -> list[Notification]:
    """What the receiver was told of a group, the last one last."""
    with StoreClient(process.settings) as client:
        rows = client.rows(
            "SELECT notification FROM alert_deliveries WHERE alert_group = {group:String} AND state = 'sending' "
            "ORDER BY at",
            {"group": group},
        )
    return [NOTIFICATION.validate_json(str(text)) for (text,) in rows]


def test_what_a_table_shows_can_be_given_to_a_command(run: Any, broker: TansuBroker, process: StoreProcess) -> None:
    """Ids come from whoever sends: as they are shown, or a part of them, they are found; also with the mark that a
    medium puts behind an @, and one that begins with a dash."""
    now = datetime.now(UTC)
    ids = ("vendor\u200b/\x1b[31m1", "a b'c", "ann@example.com", "0" * 12, "-dashed")
    for name in ids:
        send(broker.address, build.signal(f"alert {name}", kind="anomaly", observed_at=now, group=name))
        held: dict[str, Any] = {"scope": {"team": "nobody"}, "by": "me", "starts_at": now, "ends_at": later(3600)}
        send(broker.address, Silence(silence_id=name if name.isprintable() else "é", **held))
    until(lambda: len(objects(run("silences", "--json")[1])) == len(ids), 30, "all are there")
    listed = ("list", "--kind", "anomaly")
    until(lambda: len(objects(run(*listed, "--json")[1])) == len(ids), 30, "all are open")
    shown = [line.split("\t")[-1] for line in run(*listed)[1].splitlines()[1:]]
    assert len(shown) == len(ids)
    for name in shown:
        assert run("show", name)[0] == 0, name
        assert run("ack", name.replace("@", "@\u2060"))[0] == 0, name
    silences = [line.split("\t")[0] for line in run("silences")[1].splitlines()[1:]]
    for name in silences:
        assert run("silence", "--lift", name.lstrip("-"))[0] == 0, name
    assert objects(run("silences", "--json")[1]) == []


MISTAKES = [
    (["show", "nothing"], "see 'spendstream alerts list --all'"),
    (["ack", "nothing"], "no alert 'nothing'"),
    (["silence", "--for", "2h"], "say of what: --scope NAME=VALUE"),
    (["silence", "--kind", "budget"], "say how long: --for 2h"),
    (["silence", "--kind", "budget", "--for", "soon"], "--for: 'soon' is not a duration"),
    (["silence", "--kind", "budget", "--until", "2020-01-01"], "is over"),
    (["silence", "--scope", "squad=x", "--for", "1h"], "scope.squad"),
    (["silence", "--scope", "team", "--for", "1h"], "write NAME=VALUE, such as team=search"),
    (["silence", "--scope", "team=a", "--scope", "team=", "--for", "1h"], "--scope team: is given several times"),
    (["silence", "--lift", "nothing"], "see 'spendstream alerts silences'"),
]


def test_a_mistake_is_said_in_a_sentence(process: StoreProcess, capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing is sent: there is no broker."""
    for arguments, message in MISTAKES:
        assert main(["alerts", *arguments, "--url", process.url]) == 2, arguments
        assert message in capfd.readouterr().err


def test_without_a_job_the_command_says_so(broker: TansuBroker) -> None:
    """It sends the same request several times, and then says what became of it."""
    ensure_topics(embedded_kafka(broker.address), [TopicSpec(ALERTS, 1, 1, {})])
    notifier = RecordProducer(embedded_kafka(broker.address))
    try:
        with pytest.raises(NoAnswerError, match="is it running"):
            ask(notifier, build.ack(), lambda: None, send_every_s=0.2, give_up_s=0.5)
        answers = iter([None, "done"])
        assert ask(notifier, build.ack(), lambda: next(answers)) == "done"
    finally:
        notifier.close()


def test_check_and_test_need_no_broker(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is judged; a test notification goes straight to the receiver, and its answer is printed."""
    with Webhook() as hook:
        (tmp_path / "alerts.yaml").write_text(
            f"receivers:\n  - {{name: hook, type: webhook, url: '{hook.url}'}}\n"
            "  - {name: dead, type: webhook, url: 'http://127.0.0.1:9/', timeout_s: 1}\ndefault: [hook, dead]\n"
        )
        folder = ["--config-dir", str(tmp_path)]
        assert main(["alerts", "check", *folder]) == 0
        assert "2 receivers and 0 routes are valid" in capfd.readouterr().out
        assert main(["alerts", "test", "hook", *folder]) == 0
        assert hook.data[0]["test"] is True
        assert capfd.readouterr().out.startswith("hook: took it: ")
        assert main(["alerts", "test", "--all", "--json", *folder]) == 1
        assert [row["ok"] for row in objects(capfd.readouterr().out)] == [True, False]
        assert main(["alerts", "test", "nobody", *folder]) == 2
        assert "there are hook, dead" in capfd.readouterr().err
        (tmp_path / "alerts.yaml").write_text("default: [x]\n")
        assert main(["alerts", "check", "--json", *folder]) == 1
        assert json.loads(capfd.readouterr().out)["ok"] is False

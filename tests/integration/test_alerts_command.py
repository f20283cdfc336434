"""`spendstream alerts` against a running job: what people do is in the history when the command returns."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream.cli import main
from spendstream_schemas.alert_feed import Fact
from stream_jobs.alerts.requests import NoAnswerError, ask
from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.instance import embedded_kafka
from stream_jobs.runtime.kafka import TopicSpec, ensure_topics
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import ALERTS
from tests.integration.alerting import AlertsJob, Webhook, send
from tests.integration.pipeline import until
from tests.store_server import StoreProcess
from tests.unit.alerts import build


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

    with AlertsJob(broker.address, process, build.document()):
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


MISTAKES = [
    (["show", "nothing"], "see 'spendstream alerts list --all'"),
    (["ack", "nothing"], "no alert 'nothing'"),
    (["silence", "--for", "2h"], "say of what: --scope NAME=VALUE"),
    (["silence", "--kind", "budget"], "say how long: --for 2h"),
    (["silence", "--kind", "budget", "--for", "soon"], "--for: 'soon' is not a duration"),
    (["silence", "--kind", "budget", "--until", "2020-01-01"], "is over"),
    (["silence", "--scope", "squad=x", "--for", "1h"], "scope.squad"),
    (["silence", "--scope", "team", "--for", "1h"], "must look like team=search"),
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

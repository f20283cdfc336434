"""Every command that a message prints works as printed: copied out of the messages that a receiver got, run in a shell
beside the instance that sent them, and it does what the message says.

What one machine cannot be brought to say within a test (a lost record, workers that are behind, prices that disagree)
is said by the checks' own functions, and goes the same way from the topic on.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.anomalies import causes
from stream_jobs.anomalies.findings import Findings
from stream_jobs.anomalies.grouping import Group
from stream_jobs.anomalies.reading import Reader
from stream_jobs.anomalies.signals import Told, firing
from stream_jobs.data_quality import conservation, finding, lag, price_source, stated_cost
from stream_jobs.data_quality.settings import DataQualitySettings
from tests.integration.alerting import Webhook
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.unit.anomalies.telling_world import finding as anomaly

pytestmark = pytest.mark.slow

WAIT_S = 60.0
USERS = [*(f"user{n}@example.com" for n in range(12)), "o'neil `x` $(y)"]
BUDGETS = {
    "budgets": [
        {"id": "search", "name": "Team search", "scope": {"team": "search"}, "amount": 10, "period": "month"},
        {
            "id": "euros",
            "name": "Euros",
            "scope": {"team": "search"},
            "amount": 4,
            "currency": "EUR",
            "period": "month",
            "thresholds": {"actual": [100], "forecast": []},
        },
        {
            "id": "each-user",
            "name": "Each user",
            "scope": {"team": "people"},
            "per": ["user_id"],
            "amount": 2,
            "period": "day",
            "thresholds": {"actual": [100], "forecast": []},
        },
    ],
    "currencies": {"EUR": [{"valid_from": "2020-01-01", "usd": "1.1"}]},
}
COMMAND = re.compile(r"""`(spendstream (?:[^`'"]|'[^']*'|"[^"]*")*)`""")
"""Between backticks; what is quoted may hold some."""


class Desk:
    """The instance, the folder that it is called from, and what its receiver got."""

    def __init__(self, folder: Path, hook: Webhook, broken: Webhook) -> None:
        self.folder, self.hook, self.broken = folder, hook, broken
        config = folder / ".spendstream" / "config"
        config.mkdir(parents=True)
        receivers = [
            {"name": name, "type": "webhook", "url": one.url, "max_per_minute": 600}
            for name, one in (("hook", hook), ("-broken", broken))
        ]
        alerts = {"receivers": receivers, "default": ["hook"], "grouping": {"group_interval_s": 0.5}}
        alerts["routes"] = [{"scope": {"team": "broken"}, "to": ["-broken"]}]
        (config / "alerts.yaml").write_text(json.dumps(alerts))
        (config / "budgets.yaml").write_text(json.dumps(BUDGETS))
        self.pipeline = Pipeline(folder / ".spendstream")
        self.pipeline.environment = dict(self.pipeline.environment) | {
            "SPENDSTREAM_DATA_QUALITY_INTERVAL_S": "1",
            "SPENDSTREAM_DATA_QUALITY_UNPRICED_EVENTS": "1",
            "SPENDSTREAM_DATA_QUALITY_QUARANTINE_RECORDS": "1",
            "SPENDSTREAM_DATA_QUALITY_UNALLOCATED_USD": "0.01",
        }
        self.ran: set[str] = set()

    def message(self, **wanted: str) -> dict[str, Any]:
        """The last message about such an alert, once there is one."""

        def found() -> Any:
            for data in reversed(self.hook.data):
                if all(str(alert[name]) == value for alert in data["alerts"][:1] for name, value in wanted.items()):
                    return data
            return None

        return dict(until(found, WAIT_S, f"a message about {wanted}"))

    def commands(self, **wanted: str) -> list[str]:
        """As a person copies them out of its text."""
        return COMMAND.findall(self.message(**wanted)["text"])

    def shell(self, command: str, *codes: int) -> str:
        """What it prints. In bash, in the folder, with no setting of ours but the path to the command."""
        self.ran.add(" ".join(shlex.split(command)[:3]))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=environment | {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (codes or (0,)), f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Webhook() as hook, Webhook() as broken:
        desk = Desk(tmp_path_factory.mktemp("desk"), hook, broken)
        try:
            desk.pipeline.start()
            yield desk
            desk.pipeline.stop()
        finally:
            desk.pipeline.kill()


def event(team: str, millions: float, user: str = "ann", **changes: Any) -> dict[str, Any]:
    """So many million tokens of gpt-4o, at 2.50 USD each."""
    made = usage_event(
        str(uuid4()),
        occurred_at=datetime.now(UTC).isoformat(),
        usage={"kind": "tokens", "input_tokens": round(millions * 1_000_000), "output_tokens": 0},
    )
    attribution = made["attribution"] | {"team": team, "user_id": user}
    return made | {"attribution": attribution} | changes


def test_a_budget_that_is_used(desk: Desk) -> None:
    """Who spends is shown, the amount is raised so that all is well, and others hear that somebody is on it."""
    desk.pipeline.send_events(event("search", 2.6), event("search", 1, "bob"))
    show, _, ack = desk.commands(alert_id=alert_id(desk, "budget/search"))
    assert "user_id ann: $6.50" in desk.shell(show)
    desk.shell(ack)
    until(lambda: desk.message(alert_id=alert_id(desk, "budget/search"))["action"] == "acknowledge", WAIT_S, "told")
    for budget in ("search", "euros"):
        _, more, _ = desk.commands(alert_id=alert_id(desk, f"budget/{budget}"))
        desk.shell(more)
        over = until(lambda b=budget: resolved(desk, f"budget/{b}"), WAIT_S, "it is over")
        assert "it is below its thresholds again" in over["text"]


def alert_id(desk: Desk, head: str) -> str:
    def found() -> str | None:
        rows = desk.pipeline.rows(f"SELECT DISTINCT alert_id FROM alert_events WHERE startsWith(alert_id, '{head}/')")
        return str(rows[0][0]) if rows else None

    return str(until(found, WAIT_S, f"an alert of {head}"))


def resolved(desk: Desk, head: str) -> Any:
    for data in desk.hook.data:
        if data["action"] == "resolve" and data["alerts"][0]["alert_id"].startswith(head):
            return data
    return None


def test_a_budget_of_many_users(desk: Desk) -> None:
    """The command for the rest shows all of them; each user's alert can be acknowledged, whatever the user is
    called."""
    desk.pipeline.send_events(*(event("people", 1, user) for user in USERS))
    until(lambda: any(data["open_alerts"] == len(USERS) for data in desk.hook.data), WAIT_S, "all are told")
    (note,) = [data for data in desk.hook.data if data["open_alerts"] == len(USERS)][-1:]
    commands = COMMAND.findall(note["text"])
    (rest,) = [command for command in commands if " alerts list " in command]
    shown = desk.shell(rest)
    assert all(user in shown for user in USERS)
    acks = [command for command in commands if " alerts ack " in command]
    for command in acks:
        assert "is looked after by" in desk.shell(command)
    odd = f"spendstream alerts ack {shlex.quote('o' + chr(39) + 'neil `x` $(y)')}"
    assert "is looked after by" in desk.shell(odd)
    assert acks


def test_data_that_is_not_good_enough(desk: Desk) -> None:
    """Usage without a price, refused records, cost without tags: what is shown is what the message is about, and what
    was refused is sent again."""
    bare = event("x", 4, model="gpt-4o")
    bare["attribution"] = {"user_id": "ann"}
    desk.pipeline.send_events(event("x", 1, model="gpt-4o-of-tomorrow"), bare)
    desk.pipeline.send([("bad", json.dumps({"event_id": "bad", "source": "it's"}).encode())])
    known, check = desk.commands(name="UnpricedUsage")
    assert "gpt-4o" in desk.shell(known, 0, 1)
    desk.shell(check)
    listing, replay = desk.commands(name="QuarantineRate")
    assert "missing_field\tschema_version" in desk.shell(listing)
    desk.shell(replay, 0, 1)
    who, past = desk.commands(name="UnallocatedCost")
    assert "tests" in desk.shell(who)
    desk.shell(past, 0, 1)


def test_a_receiver_that_fails(desk: Desk) -> None:
    """What it was not told is listed, and a test says what it answers."""
    desk.broken.status = 400
    at = datetime.now(UTC)
    send(desk, signal("lost", at, labels={"team": "broken"}))
    group, test = desk.commands(name="ReceiverFailing")
    assert "lost" in desk.shell(group)
    assert "FAILED" in desk.shell(test, 1)


def test_an_anomaly(desk: Desk) -> None:
    """It is shown with its cause, the dearest request of that too; somebody is on it, and says that it was expected."""
    dear = event("x", 3, "runaway `user` $(y)")
    desk.pipeline.send_events(dear)
    until(lambda: desk.pipeline.rows(f"SELECT 1 FROM ledger WHERE event_id = '{dear['event_id']}'"), WAIT_S, "booked")
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    start, end = at - timedelta(minutes=10), at + timedelta(minutes=1)
    series = {"user_id": "runaway `user` $(y)"}
    figures = {"expected": Decimal("0.1"), "actual": Decimal("7.5"), "low": Decimal(0), "high": Decimal("0.3")}
    row = anomaly("aa00bb11cc22dd33ee44", series, at=at, starts_at=start, detected_at=end, **figures)
    with desk.pipeline.store(writable=True) as store:
        cause = causes.find(Reader(store), row, end)
        Findings(store).record([replace(row, group_id=row.finding_id, cause=cause.document)])
    group = Group(row.finding_id, row.direction, cause.conditions, {row.finding_id: row})
    told = Told(end, cause.sentences, cause.compared, cause.shared, cause.excess_usd)
    send(desk, firing(group, told, datetime.now(UTC)))
    of_request, show, mark, ack = desk.commands(name="CostSpike")
    assert "effective 7.5" in desk.shell(of_request)
    shown = desk.shell(show)
    assert "$7.50" in shown
    assert "runaway" in shown
    assert "is looked after by" in desk.shell(ack)
    assert "is marked as expected by" in desk.shell(mark)
    assert "expected" in desk.shell(show)


def test_what_the_checks_say_of_what_cannot_be_made_here(desk: Desk) -> None:
    """Each finding's commands run, and exit as those that have something to show."""
    now, settings = datetime.now(UTC), DataQualitySettings()
    hour = now.replace(minute=0, second=0, microsecond=0)
    gap = conservation.Gap("usage.events.v1", 0, hour, {"missing": 3})
    waiting = lag.Waiting("usage.events.v1", "id", 0, 1, 10**9, now - timedelta(days=1))
    apart = stated_cost.Compared("openai", "gpt-4o", 5, Decimal(100), Decimal(200))
    difference = price_source.Difference("input_mtok", Decimal(1), Decimal(2))
    disagrees = price_source.Disagreement("openai", "gpt-4o", (difference,), (), 5)
    found = [
        *conservation.findings([gap]),
        *lag.findings([waiting], settings, now),
        *stated_cost.findings([apart], settings, now - timedelta(hours=1)),
        *price_source.findings([disagrees], settings, now),
    ]
    assert len(found) == 4
    send(desk, *(finding.firing(one, now) for one in found))
    for one in found:
        commands = desk.commands(name=one.name)
        assert commands, one.name
        for command in commands:
            desk.shell(command, 0, 1)


def signal(alert: str, at: datetime, **changes: Any) -> AlertSignal:
    values: dict[str, Any] = {"kind": "budget", "name": "BudgetThreshold", "status": "firing", "severity": "warning"}
    return AlertSignal(
        **values | changes, alert_id=alert, observed_at=at, starts_at=at, group=alert, summary=f"{alert} is used"
    )


def send(desk: Desk, *signals: AlertSignal) -> None:
    desk.pipeline.send([(one.alert_id, one.model_dump_json().encode()) for one in signals], "alerts.v1")


def test_no_message_printed_another_command(desk: Desk) -> None:
    """All kinds of commands that any message held were run above."""
    printed = {
        " ".join(shlex.split(command)[:3]) for data in desk.hook.data for command in COMMAND.findall(data["text"])
    }
    assert printed <= desk.ran
    assert len(desk.ran) >= 12

"""From an event that crosses a budget to the person who is told and the service that is refused, through a whole
pipeline as `spendstream up` runs it."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from spendstream import Attribution, Guard, GuardConfig
from stream_jobs.embedded.instance import read_instance
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.receivers.cloudevents import SECRET, CloudEventsEndpoint

pytestmark = pytest.mark.slow

WAIT_S = 30.0
PER_MILLION = 2.5  # USD, gpt-4o input

BUDGETS = {
    "budgets": [
        {
            "id": "search",
            "name": "Team search",
            "scope": {"team": "search"},
            "amount": 10,
            "period": "month",
            "thresholds": {"actual": [80, 100], "forecast": []},
            "policy": {"steps": [{"at_percent": 100, "action": "refuse"}]},
            "link": "https://runbooks.example.com/search",
            "what_to_do": "Ask #team-search.",
        },
        {
            "id": "each-user",
            "name": "Each user",
            "scope": {"team": "people"},
            "per": ["user_id"],
            "amount": 5,
            "period": "day",
            "thresholds": {"actual": [100], "forecast": []},
            "policy": {"steps": [{"at_percent": 100, "action": "cached_only"}], "fail": "closed"},
        },
        {
            "id": "hours",
            "name": "By the hour",
            "scope": {"team": "late"},
            "amount": 1,
            "period": "hour",
            "thresholds": {"actual": [100], "forecast": []},
        },
    ]
}


@pytest.fixture(scope="module")
def webhook() -> Iterator[CloudEventsEndpoint]:
    with CloudEventsEndpoint() as endpoint:
        yield endpoint


def write_config(config: Path, webhook: CloudEventsEndpoint) -> None:
    config.mkdir(parents=True)
    (config / "budgets.yaml").write_text(json.dumps(BUDGETS))
    (config / "secret").write_text(SECRET)
    receiver = {
        "name": "hook",
        "type": "webhook",
        "url": webhook.endpoint_url,
        "secret_file": str(config / "secret"),
        "max_per_minute": 600,
    }
    alerts = {"receivers": [receiver], "default": ["hook"], "grouping": {"group_interval_s": 0}}
    (config / "alerts.yaml").write_text(json.dumps(alerts))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, webhook: CloudEventsEndpoint) -> Iterator[Pipeline]:
    data_dir = tmp_path_factory.mktemp("budgets")
    write_config(data_dir / "config", webhook)
    pipeline = Pipeline(data_dir)
    pipeline.start()
    yield pipeline
    pipeline.stop()


@pytest.fixture(scope="module")
def guard(pipeline: Pipeline) -> Iterator[Guard]:
    instance = read_instance(pipeline.data_dir)
    assert instance is not None
    with Guard(GuardConfig(bootstrap_servers=instance.kafka, source="tests")) as guard:
        assert guard.wait_ready(WAIT_S)
        yield guard


def event(team: str, millions: float, *, user: str = "", revision: int = 0, **changes: Any) -> dict[str, Any]:
    """So many million tokens of gpt-4o."""
    made = usage_event(
        str(uuid4()),
        occurred_at=datetime.now(UTC).isoformat(),
        usage={"kind": "tokens", "input_tokens": round(millions * 1_000_000), "output_tokens": 0},
    )
    made["attribution"] |= {"team": team, **({"user_id": user} if user else {})}
    return made | ({"revision": revision} if revision else {}) | changes


def told(webhook: CloudEventsEndpoint, group: str, action: str, number: int = 1) -> list[dict[str, Any]]:
    """The notifications of a group with this action, once there are so many."""

    def found() -> list[dict[str, Any]]:
        data = [item["data"] for item in list(webhook.events)]
        return [one for one in data if one["group_id"].startswith(group) and one["action"] == action]

    until(lambda: len(found()) >= number, WAIT_S, f"{number} {action} of {group}: {webhook.problems}")
    return found()


def test_a_budget_is_crossed_and_everybody_knows(
    pipeline: Pipeline, webhook: CloudEventsEndpoint, guard: Guard
) -> None:
    """80 % warns; 100 % is graver, says how much, why and what to do, and another service refuses."""
    search = Attribution(team="search", project="p")
    assert guard.decide(search, "0.01", provider="openai", model="gpt-4o").action == "full"
    pipeline.send_events(*(event("search", 0.85, user=f"u{number}") for number in range(4)))  # 8.50 USD
    first = told(webhook, "budget/search/", "trigger")[0]
    assert first["severity"] == "warning"
    assert "$8.50 of $10.00" in first["headline"]
    pipeline.send_events(event("search", 1.2, user="runaway"))  # 3 USD more
    worse = told(webhook, "budget/search/", "update")[0]
    (alert,) = worse["alerts"]
    assert (worse["severity"], alert["level"]) == ("error", 100_000)
    assert alert["summary"] == "Team search is over budget: $11.50 of $10.00 (115.0 %)"
    assert alert["money_usd"] == "1.500000000000"
    assert any("user_id runaway: $3.00" in cause for cause in alert["causes"]), alert["causes"]
    assert (alert["link"], alert["action"]) == ("https://runbooks.example.com/search", "Ask #team-search.")
    facts = {fact["name"]: fact["text"] for fact in alert["facts"]}
    assert facts["Spent"] == "$11.50"
    assert "Period" in facts
    until(lambda: not guard.decide(search).allowed, WAIT_S, "the guard refuses")
    decision = guard.decide(search)
    assert (decision.action, decision.budget_id) == ("refuse", "search")
    assert "search" in decision.reason
    assert webhook.problems == []


def test_each_user_has_a_budget_of_their_own(pipeline: Pipeline, guard: Guard) -> None:
    """One has used theirs up; the other has not."""
    pipeline.send_events(event("people", 3, user="rich"), event("people", 0.1, user="poor"))

    def action(user: str) -> str:
        return guard.decide(Attribution(team="people", user_id=user)).action

    until(lambda: action("rich") == "cached_only", WAIT_S, "the user's own budget")
    assert action("poor") == "full"


def test_a_correction_takes_the_alert_back_and_a_new_crossing_is_told_anew(
    pipeline: Pipeline, webhook: CloudEventsEndpoint
) -> None:
    """A revision of an event retracts what it had cost. The hour is the event's, though it comes later."""
    at = (datetime.now(UTC) - timedelta(hours=3)).replace(minute=30)
    wrong = event("late", 2, occurred_at=at.isoformat())  # 5 USD in an hour that is long over
    pipeline.send_events(wrong)
    group = f"budget/hours/{at:%Y-%m-%dT%H}"
    first = told(webhook, group, "trigger")[0]
    late = r"In \S+, which is over, By the hour was over budget: \$5\.00 of \$1\.00 \(500\.0 %\)"
    assert re.fullmatch(late, first["alerts"][0]["summary"])
    right = wrong | {"revision": 1, "usage": {"kind": "tokens", "input_tokens": 100_000, "output_tokens": 0}}
    pipeline.send_events(right)
    (over,) = told(webhook, group, "resolve")
    assert over["alerts"][0]["resolution"] == "it is below its thresholds again: $0.250 of $1.00"
    pipeline.send_events(event("late", 1, occurred_at=at.isoformat()))
    again = told(webhook, group, "trigger", 2)[1]
    assert "$2.75 of $1.00" in again["headline"]
    rows = pipeline.rows(
        "SELECT toString(direction), toFloat64(threshold), late FROM budget_crossings "
        "WHERE budget_id = 'hours' ORDER BY at"
    )
    assert rows == [("up", 100.0, True), ("down", 100.0, True), ("up", 100.0, True)]


def spent(pipeline: Pipeline) -> Decimal:
    rows = pipeline.rows("SELECT spent FROM budget_status WHERE budget_id = 'search'")
    return Decimal(rows[0][0]) if rows else Decimal(0)


def test_a_worker_that_was_killed_tells_nobody_twice_and_goes_on(
    pipeline: Pipeline, webhook: CloudEventsEndpoint
) -> None:
    """kill -9: the next one counts from the ledger, and every alert that holds is known to be told."""
    pipeline.send_events(event("search", 4.8))  # 12 USD, by itself more than the budget
    until(lambda: spent(pipeline) >= 12, WAIT_S, "the budget to be counted")
    told(webhook, "budget/search/", "trigger")
    before, at_first = [item["data"]["key"] for item in webhook.events], spent(pipeline)
    pid = int((pipeline.data_dir / "run" / "watcher").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not pipeline.ready(), WAIT_S, "the death to be noticed")
    until(pipeline.ready, 60, "another worker")
    pipeline.send_events(event("search", 0.4, user="runaway"))
    until(lambda: spent(pipeline) == at_first + 1, WAIT_S, "the budget to be counted on")
    time.sleep(2)  # what would be told twice would be told by now
    new = [item["data"] for item in webhook.events if item["data"]["key"] not in before]
    assert [one["action"] for one in new if one["group_id"].startswith(("budget/hours", "budget/each-user"))] == []
    assert [one["action"] for one in new if one["group_id"].startswith("budget/search")] in ([], ["update"])


def test_budgets_alerts_and_guards_go_on_through_turns_of_the_broker(
    tmp_path: Path, webhook: CloudEventsEndpoint
) -> None:
    """A full broker is replaced by an empty one that knows none of our topics' records: counting goes on from the
    ledger, the guard learns everything anew, and nobody is told twice."""
    pipeline = Pipeline(tmp_path / "data")
    write_config(pipeline.data_dir / "config", webhook)
    pipeline.environment = {**pipeline.environment, "SPENDSTREAM_EMBEDDED_BROKER_MAX_RECORDS": "1000"}
    pipeline.start()
    try:
        instance = read_instance(pipeline.data_dir)
        assert instance is not None
        known = len(webhook.events)
        with Guard(GuardConfig(bootstrap_servers=instance.kafka, source="tests")) as guard:
            assert guard.wait_ready(WAIT_S)
            search, rich = Attribution(team="search"), Attribution(team="people", user_id="rich")
            pipeline.send_events(event("people", 3, user="rich"))
            until(lambda: guard.decide(rich).action == "cached_only", WAIT_S, "the first crossing")
            sent = 1
            for turn in (1, 2):
                while turns_of(instance.http) < turn:
                    pipeline.send_events(*(event("nobody", 0.001) for _ in range(300)))
                    sent += 300
                    pipeline.wait_received(sent)
                    assert sent < 20_000, "the broker does not turn"
            assert guard.decide(search).action == "full"
            pipeline.send_events(event("search", 4.4))
            until(lambda: not guard.decide(search).allowed, WAIT_S, "the second crossing, after two turns")
            assert guard.decide(rich).action == "cached_only"
        told(webhook, "budget/search/", "trigger", 1)
        groups = [item["data"]["group_id"] for item in webhook.events[known:] if item["data"]["action"] == "trigger"]
        assert len(groups) == len(set(groups))
    finally:
        pipeline.stop()


def turns_of(http: str) -> int:
    with urlopen(f"{http}/metrics", timeout=10) as answer:
        found = re.search(r"^spendstream_embedded_broker_turns_total\S* (\S+)", answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0

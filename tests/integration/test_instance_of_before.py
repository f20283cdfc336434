"""An instance that an older version made goes on with this one: nothing is lost, doubled, forgotten or posted twice."""

import json
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from stream_jobs.base.instants import utc_now
from tests.integration.pipeline import Pipeline, until, usage_event

pytestmark = pytest.mark.slow

HERE: Final = Path(__file__).parent / "instance_of_before"
EXPECTED: Final[dict[str, Any]] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
SUMS: Final = (
    "SELECT count() AS entries, sum(events) AS events, sum(list_cost) AS list_cost, sum(contracted_cost) AS "
    "contracted_cost, sum(effective_cost) AS effective_cost, sum(unpriced) AS unpriced FROM ledger"
)
KEPT: Final = ("LEDGER", "ID", "ROLLUP", "QUARANTINE", "ALERT")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("before") / "data"
    with tarfile.open(HERE / "data.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    folder.chmod(0o700)
    pipeline = Pipeline(folder)
    pipeline.environment = {
        **pipeline.environment,
        "SPENDSTREAM_RECONCILIATION_INTERVAL_S": "0",  # what was left behind is finished by the command
        **{f"SPENDSTREAM_RETENTION_{name}_DAYS": "20000" for name in KEPT},
    }
    pipeline.start()
    yield pipeline
    pipeline.stop()


def asked(pipeline: Pipeline, *arguments: str) -> list[dict[str, Any]]:
    """What a command says in JSON."""
    done = pipeline.run(*arguments, "--json", "--data-dir", str(pipeline.data_dir), check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_everything_that_was_booked_is_there(pipeline: Pipeline) -> None:
    """To the last digit, in the ledger and in what people ask about alerts, budgets and the quarantine."""
    (sums,) = asked(pipeline, "query", SUMS)
    assert sums == EXPECTED["ledger"]
    for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        assert pipeline.value(f"SELECT sum(effective_cost) FROM {rollup}") == Decimal(sums["effective_cost"])
    alerts = {alert["alert_id"]: alert for alert in asked(pipeline, "alerts", "list", "--all")}
    for alert_id, (_, acknowledged_by, opened_at) in EXPECTED["alerts"].items():
        assert alerts[alert_id]["acknowledged_by"] == acknowledged_by
        assert alerts[alert_id]["opened_at"][:19].replace("T", " ") == opened_at[:19]
    budgets = {row["id"]: row["budget"]["amount"] for row in asked(pipeline, "budgets", "list")}
    assert budgets == EXPECTED["budgets"]
    assert [row["name"] for row in asked(pipeline, "quarantine", "list")] == EXPECTED["quarantine"]
    assert [row["silence_id"] for row in asked(pipeline, "alerts", "silences")] == EXPECTED["silences"]


def test_what_was_sent_before_is_known(pipeline: Pipeline) -> None:
    """Every event once more is a duplicate; the new one behind them is booked."""
    lines = (HERE / "events.jsonl").read_text(encoding="utf-8")
    new = {**json.loads(lines.splitlines()[0]), "event_id": "after-1"}
    pipeline.run(
        "emit", "--wait", "--data-dir", str(pipeline.data_dir), stdin=f"{lines}{json.dumps(new)}\n", check=True
    )
    assert pipeline.value("SELECT count() FROM ledger") == EXPECTED["ledger"]["entries"] + 1
    assert pipeline.value("SELECT countIf(event_id = 'after-1') FROM ledger") == 1


def test_corrections_that_were_interrupted_are_ended(pipeline: Pipeline) -> None:
    """What reconciliation had planned is posted as it was written, once. A correction that was planned with the prices
    of before is not gone on with by others: it is ended where it is, and a new one leaves nothing to correct."""
    data_dir = str(pipeline.data_dir)
    pipeline.run("reconcile", "--apply", "--full", "--data-dir", data_dir, check=True)
    states = "SELECT countIf(state = 'planned'), countIf(state = 'posted') FROM "
    assert pipeline.rows(f"{states}reconciliation_batches") == [(1, 1)]
    run = EXPECTED["run"]
    refused = pipeline.run("reprice", "--resume", run, "--data-dir", data_dir)
    assert refused.returncode == 2
    assert f"--abandon {run} and start anew" in refused.stderr
    pipeline.run("reprice", "--abandon", run, "--data-dir", data_dir, check=True)
    pipeline.run("reprice", "--since", "2026-01-01", "--apply", "--data-dir", data_dir, check=True)
    twice = (
        "SELECT event_id FROM ledger WHERE adjustment_run != '' GROUP BY event_id, adjustment_run HAVING count() > 1"
    )
    assert pipeline.rows(twice) == []
    assert pipeline.run("reconcile", "--dry-run", "--full", "--data-dir", data_dir).returncode == 0
    assert asked(pipeline, "reprice", "--dry-run", "--since", "2026-01-01")[0]["adjusted"] == 0
    # What OpenAI's agreement says of all of it, whoever priced it.
    contract = "SELECT sum(contracted_cost) = sum(list_cost) * 9 / 10 FROM ledger WHERE provider = 'openai'"
    assert pipeline.value(contract) == 1
    for rollup in ("cost_1m", "cost_1h", "cost_1d", "operations_1d"):
        assert (
            pipeline.value(f"SELECT sum(effective_cost) - (SELECT sum(effective_cost) FROM ledger) FROM {rollup}") == 0
        )
    assert asked(pipeline, "conservation")[0]["ok"] is True


def test_budgets_and_alerts_follow(pipeline: Pipeline) -> None:
    """A budget of before counts what comes now, and an alert of before can be acknowledged."""
    now = utc_now().isoformat()
    pipeline.send_events(usage_event("now-1", occurred_at=now))
    spent = "SELECT sum(spent) FROM budget_status WHERE budget_id = 'window'"
    cost = "SELECT sum(effective_cost) FROM ledger WHERE event_id = 'now-1'"
    until(lambda: 0 < (pipeline.value(cost) or 0) <= pipeline.value(spent), 30, "the budget has counted it")
    alert_id = next(name for name, (state, *_) in EXPECTED["alerts"].items() if state == "open")
    data_dir = str(pipeline.data_dir)
    pipeline.run("alerts", "ack", alert_id, "--by", "grace", "--data-dir", data_dir, check=True)
    alerts = {alert["alert_id"]: alert for alert in asked(pipeline, "alerts", "list", "--all")}
    assert alerts[alert_id]["acknowledged_by"] == "grace"

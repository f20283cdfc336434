"""The whole pipeline: conservation closes over the real broker, and the timer puts right what slipped past."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline") / "data")
    pipeline.environment = {**pipeline.environment, "SPENDSTREAM_RECONCILIATION_INTERVAL_S": "1"}
    pipeline.start()
    yield pipeline
    pipeline.stop()


def conservation(pipeline: Pipeline, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = pipeline.run("conservation", "--data-dir", str(pipeline.data_dir), "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def metrics(pipeline: Pipeline) -> str:
    with urllib.request.urlopen(f"{pipeline.status()['http']}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_conservation_and_reconciliation_in_a_running_pipeline(pipeline: Pipeline) -> None:
    """One story, for each chapter counts what the ones before it left: see the three functions."""
    everything_that_came_in_is_accounted_for(pipeline)
    what_slipped_past_is_taken_back_by_the_timer(pipeline)
    lost_rows_are_found(pipeline)


def everything_that_came_in_is_accounted_for(pipeline: Pipeline) -> None:
    """Booked, dropped and quarantined records add up to what the broker holds, per partition, in both event topics."""
    events = [usage_event(f"e{number}") for number in range(300)]
    pipeline.send_events(*events, *events[:40])
    pipeline.send([("bad", b"{"), ("empty", None)])
    pipeline.wait_received(342)
    code, found = conservation(pipeline)
    assert (code, found["ok"], found["kafka_error"]) == (0, True, None), found
    totals = {name: number for name, number in found["totals"].items() if number}
    assert totals == {"received": 342, "booked": 300, "duplicates": 40, "quarantined": 2}
    code, found = conservation(pipeline, "--topic", "usage.outcomes.v1", "--since", "2026-01-01")
    assert (code, found["hours"]) == (0, [])
    until(lambda: 'spendstream_conservation_records{fate="booked"' in metrics(pipeline), BOOK_TIMEOUT_S, "the metric")


def what_slipped_past_is_taken_back_by_the_timer(pipeline: Pipeline) -> None:
    """A charge of a booked event under another offset, as a worker with lost dedupe state would book it: reversed
    within seconds, and counted in a metric."""
    pipeline.send_events(usage_event("slipped"))
    until(lambda: pipeline.value("SELECT count() FROM ledger WHERE event_id = 'slipped'"), BOOK_TIMEOUT_S, "booked")
    with pipeline.store(writable=True) as store:
        store.command(
            "INSERT INTO ledger SELECT * REPLACE (topic_id || '-other' AS topic_id, now64(6) AS booked_at) "
            "FROM ledger WHERE event_id = 'slipped'"
        )
    until(
        lambda: pipeline.value("SELECT count() FROM reconciliation_findings WHERE event_id = 'slipped'"),
        BOOK_TIMEOUT_S,
        "taken back",
    )
    assert pipeline.rows(
        "SELECT sum(events), count(), sum(list_cost) = any(abs(list_cost)) FROM ledger WHERE event_id = 'slipped'"
    ) == [(1, 3, True)]
    assert pipeline.value("SELECT sum(events) FROM cost_1d") == pipeline.value("SELECT sum(events) FROM ledger")
    assert 'spendstream_reconciled_events_total{cause="booked_twice",process="worker"} 1.0' in metrics(pipeline)
    # The row that somebody put into the ledger past the jobs is still one that no receipt claims.
    code, found = conservation(pipeline)
    assert (code, found["totals"]["rows_extra"]) == (1, 1)


def lost_rows_are_found(pipeline: Pipeline) -> None:
    """Exit code 1, and the partition is named; without Kafka the check still works and says what it lacks."""
    pipeline.send_events(*(usage_event(f"lost{number}") for number in range(20)))
    until(lambda: pipeline.value("SELECT count() FROM ledger WHERE startsWith(event_id, 'lost')") == 20, 60, "booked")
    pipeline.wait_received(363)
    with pipeline.store(writable=True) as store:
        store.command("DELETE FROM ledger WHERE event_id = 'lost7'")
    code, found = conservation(pipeline)
    assert (code, found["totals"]["rows_missing"]) == (1, 1)
    done = pipeline.run("conservation", "--url", pipeline.status()["clickhouse_http"], "--bootstrap", "127.0.0.1:1")
    assert done.returncode == 1
    assert "Kafka could not be asked" in done.stdout
    assert ":00: rows_missing 1\n" in done.stdout
    assert done.stdout.endswith("does not close\n")

"""A real Prometheus scrapes what `spendstream up` exposes, and takes our rules."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_jobs.embedded.workers import ANALYST, FORECASTER, WATCHER, WORKER
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.prometheus import Prometheus, binary, promtool

RULES = Path(__file__).resolve().parents[2] / "infra" / "prometheus" / "spendstream.rules.yml"
RULES_TEST = RULES.with_name("spendstream.rules.test.yml")
WORKERS = (WORKER, WATCHER, ANALYST, FORECASTER)
SCRAPE_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """With one event booked and a budget to watch, so that every job has something to count."""
    binary("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "data" / "config"
    config.mkdir(parents=True)
    (config / "budgets.yaml").write_text("budgets: [{id: all, name: All, amount: 1000, period: month}]\n")
    pipeline = Pipeline(folder / "data")
    pipeline.start()
    pipeline.send_events(usage_event("scraped"))
    pipeline.wait_received(1)
    yield pipeline
    pipeline.stop()


@pytest.fixture(scope="module")
def prometheus(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    target = urlsplit(pipeline.status()["http"]).netloc
    with Prometheus(tmp_path_factory.mktemp("scraper"), target, [RULES]) as prometheus:
        until(lambda: prometheus.query("up == 1"), SCRAPE_TIMEOUT_S, "a scrape that works")
        yield prometheus


def text(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        return bytes(response.read())


def worker_url(pipeline: Pipeline, name: str) -> str:
    """Where a worker listens, as its log says."""
    log = (pipeline.data_dir / "logs" / f"{name}.log").read_text()
    return str(re.findall(r"health and metrics on (http://\S+)", log)[-1])


@pytest.mark.slow
def test_prometheus_has_our_series(prometheus: Prometheus) -> None:
    """Scraped every second: what was booked, by every process of the instance, and what they watch."""
    booked = 'sum(spendstream_records_total{fate="booked", process="worker"})'
    until(lambda: prometheus.query(f"{booked} == 1"), SCRAPE_TIMEOUT_S, "the event's record")
    with_memory = {labels["process"] for labels, _ in prometheus.query("process_resident_memory_bytes > 0")}
    assert with_memory == {"supervisor", *WORKERS}
    assert prometheus.query("sum(spendstream_store_statements_total) > 0")
    assert prometheus.query("max(spendstream_budgets)")[0][1] == 1
    assert prometheus.query("histogram_quantile(0.5, sum by (le) (spendstream_block_seconds_bucket)) > 0")


@pytest.mark.slow
def test_nothing_of_a_scrape_is_dropped(prometheus: Prometheus, pipeline: Pipeline) -> None:
    """Every sample of the text is a series: no series twice, nothing out of bounds, no complaint in Prometheus' log."""
    exposed = sum(
        len(family.samples)
        for family in text_string_to_metric_families(text(pipeline.status()["http"]).decode())
        if family.name.startswith("spendstream")
    )
    # Others may have come since; none has gone.
    counted = 'count({__name__=~"spendstream.*"})'
    until(lambda: prometheus.query(f"{counted} >= {exposed}"), SCRAPE_TIMEOUT_S, f"{exposed} series")
    (target,) = prometheus.api("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert not re.search(r"level=(warn|error)", prometheus.log()), prometheus.log()


@pytest.mark.slow
def test_promtool_finds_nothing_wrong(pipeline: Pipeline) -> None:
    """Names, help, types and families of the supervisor (with its children's), of each worker and of the store."""
    status = pipeline.status()
    for url in (status["http"], *(worker_url(pipeline, name) for name in WORKERS), status["clickhouse_http"]):
        exposed = text(url)
        assert b"# TYPE spendstream_" in exposed
        assert promtool("check", "metrics", stdin=exposed) == (0, "")


@pytest.mark.slow
def test_the_rules_work(prometheus: Prometheus) -> None:
    """A running instance that is well: every rule can be computed, and none rings."""

    def evaluated() -> bool:
        groups = prometheus.api("rules")["groups"]
        return all(rule["health"] != "unknown" for group in groups for rule in group["rules"])

    until(evaluated, SCRAPE_TIMEOUT_S, "the rules evaluated")
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == RULES.read_text().count("- alert:")
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_promtool_takes_the_rules_and_their_tests() -> None:
    """What must ring rings, what must not does not: spendstream.rules.test.yml."""
    code, printed = promtool("check", "rules", str(RULES))
    assert code == 0, printed
    code, printed = promtool("test", "rules", str(RULES_TEST))
    assert code == 0, printed

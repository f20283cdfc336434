"""The benchmarks run, and what they measure is computed right. How fast it is, is not a test's business."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.harness.results import RESULT_FILE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)


def quick(name: str, folder: Path, *options: str) -> dict[str, Any]:
    """The published result of a quick run, which exits with 0: it judges no floors."""
    path = folder / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.bench_{name}", "--quick", *options],
        cwd=ROOT,
        env={**os.environ, RESULT_FILE: str(path)},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(path.read_text(encoding="utf-8")))


def figures(result: dict[str, Any]) -> dict[str, float]:
    return {figure["name"]: figure["median"] for figure in result["figures"]}


def checked(result: dict[str, Any]) -> int:
    """How many equalities held."""
    assert all(expected == found for expected, found in result["checks"].values())
    return len(result["checks"])


def test_price(tmp_path: Path) -> None:
    """Ours and genai-prices compute the same for every event, and both are timed."""
    result = quick("price", tmp_path)
    assert checked(result) == 1
    assert {"price one event: spendstream", "price one event: genai-prices"} <= figures(result).keys()
    # The other environment may be missing here; then the result says why.
    assert result["details"]["tokencost"]


@pytest.mark.slow
def test_metering(tmp_path: Path) -> None:
    """The metering step books what the oracle says, whichever ledger it asks, and takes copies for duplicates."""
    result = quick("metering", tmp_path)
    assert checked(result) == 5
    assert len(figures(result)) == 3


@pytest.mark.slow
def test_questions(tmp_path: Path) -> None:
    """Each answer adds up to the ledger at both sizes, and each is timed at both and compared."""
    result = quick("questions", tmp_path)
    assert checked(result) == 18
    assert {"by customer, 20,000 rows", "one event, 2,000 rows", "growth: report"} <= figures(result).keys()


@pytest.mark.slow
def test_states(tmp_path: Path) -> None:
    """Of every user it is said and kept where the budgets stand, lists are complete, and each question is timed."""
    result = quick("states", tmp_path)
    assert checked(result) == 4
    assert {"budgets list, CPU", "report, CPU", "budget_status, counted, CPU"} <= figures(result).keys()


@pytest.mark.slow
def test_detection(tmp_path: Path) -> None:
    """Trials, false alerts, cost and portfolio are measured, ours beside the peers; what is not here is named."""
    result = quick("detection", tmp_path, "--data", str(tmp_path), "--page", str(tmp_path / "page.md"))
    measured = figures(result)
    assert {
        "spike10, 100/min: found",
        "hourly:0.15, 1/min: false alerts",
        "detector, a minute (median)",
    } <= measured.keys()
    titles = {table["title"]: table for table in result["details"]["tables"]}
    assert "LiteLLM's rule" in titles["The same trials, other detectors"]["head"]
    assert "traces/servegen: not here" in titles["Real traffic"]["note"]
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert all(f"### {title}" in page for title in titles)


@pytest.mark.slow
def test_forecast(tmp_path: Path) -> None:
    """Months of both simulators are measured, beside simple rules; what is not here is named."""
    result = quick("forecast", tmp_path, "--data", str(tmp_path), "--page", str(tmp_path / "page.md"))
    assert {"walk: Brier", "crowd: recall of alerts"} <= figures(result).keys()
    titles = {table["title"]: table for table in result["details"]["tables"]}
    assert "traces/servegen: not here" in titles["Hours"]["note"]
    assert "run-rate" in {row[0] for row in titles["Months of budgets: walk"]["rows"]}


def test_guard(tmp_path: Path) -> None:
    """Every state is known, and the budgets that cover a request are those of the contract's words."""
    result = quick("guard", tmp_path)
    assert checked(result) == 2
    assert len(figures(result)) == 7


@pytest.mark.slow
@pytest.mark.parametrize(("name", "checks"), [("alert", 1), ("storm", 3)])
def test_what_people_are_told(tmp_path: Path, name: str, checks: int) -> None:
    """Every probe is told and refused elsewhere; of a storm every crossing is an alert, and each is told once."""
    assert checked(quick(name, tmp_path)) == checks


@pytest.mark.slow
def test_pipeline(tmp_path: Path) -> None:
    """Ours and the stock Faust agent book everything that was sent, to the pico-USD; the limits are measured."""
    result = quick("pipeline", tmp_path, "--no-quix")
    assert checked(result) == 2
    assert {"limit: librdkafka consumes, nothing else", "spendstream against stock Faust"} <= figures(result).keys()
    for run in result["details"]["runs"]:
        assert {"broker", "store", "worker", "load", "bench", "others"} == run["processes"].keys()
        assert run["processes"]["worker"]["rss_max_mib"] > 50


@pytest.mark.slow
def test_latency(tmp_path: Path) -> None:
    """Every event that the SDK took is in cost_1m, and the probes among them have a latency."""
    result = quick("latency", tmp_path)
    assert checked(result) == 1
    assert all(median > 0 for median in figures(result).values())
    assert result["details"]["runs"][0]["probes"] > 5


@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    """A backlog is worked off completely while the worker's memory is sampled."""
    result = quick("memory", tmp_path)
    assert checked(result) == 1
    assert figures(result)["worker 0: most memory (RSS)"] > 50


def test_emit(tmp_path: Path) -> None:
    """`emit` is timed with the broker up, with it away, and durable."""
    assert len(figures(quick("emit", tmp_path))) == 9


def test_track(tmp_path: Path) -> None:
    """A call, a chunk, and the first call of a process are timed."""
    assert len(figures(quick("track", tmp_path))) == 4


@pytest.mark.slow
def test_scale(tmp_path: Path) -> None:
    """One worker and two, alone and in the pipeline, and all of it is booked."""
    result = quick("scale", tmp_path)
    assert checked(result) == 2
    assert figures(result)["2 workers for 1, worker-bound"] > 0


@pytest.mark.slow
def test_profile(tmp_path: Path) -> None:
    """The CPU time of a running worker is found, by stage, and adds up to what the process used."""
    result = quick("profile", tmp_path)
    profile = result["details"]["profile"]
    assert sum(profile["stages"].values()) == pytest.approx(profile["cpu_s"], rel=0.1)
    assert profile["stages"]["decode and validate"] > 0
    assert checked(result) == 1


def test_runner_writes_a_table(tmp_path: Path) -> None:
    """The runner writes Markdown and JSON with the machine, every figure and its floor."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "price", "--quick", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = tmp_path.glob("*.json")
    document = json.loads(found.read_text(encoding="utf-8"))
    table = found.with_suffix(".md").read_text(encoding="utf-8")
    assert document["machine"]["cpu"] in table
    assert f"{document['machine']['cores']} cores" in table
    for figure in document["benchmarks"][0]["result"]["figures"]:
        assert f"| {figure['name']} |" in table

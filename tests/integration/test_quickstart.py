"""The README's quick start, run as it stands there, and `spendstream demo`."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.pipeline import Pipeline, until, usage_event

pytestmark = pytest.mark.slow

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
CALL_THE_SERVICE = """
from types import SimpleNamespace

response = {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 1000, "completion_tokens": 200}}
completions = SimpleNamespace(create=lambda **_: response)
assert answer(SimpleNamespace(chat=SimpleNamespace(completions=completions)), [], "acme") is response
producer.close()
assert producer.stats().delivered == 1
"""


def environment(folder: Path) -> dict[str, str]:
    """A user's shell with our command on PATH; the registry of instances and the spool are this test's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "XDG_RUNTIME_DIR": str(folder), "XDG_STATE_HOME": str(folder), "HOME": str(folder)}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("quickstart")
    pipeline = Pipeline(folder / "data")
    pipeline.environment = environment(folder)
    pipeline.start()
    yield pipeline
    if not pipeline.exited():
        pipeline.stop()


def block(heading: str, language: str) -> str:
    """The first code block in a language under a heading of the README."""
    text = README.partition(f"\n{heading}\n")[2]
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, f"no {language or 'shell'} block under {heading!r}"
    return found[1]


def with_our_ports(example: str, pipeline: Pipeline) -> str:
    """The example with the default ports of `up` replaced by those of the running instance."""
    status = pipeline.status()
    port = str(urlsplit(status["clickhouse_http"]).port)
    return example.replace("8123", port).replace("127.0.0.1:9092", status["kafka"])


def shell(script: str, pipeline: Pipeline, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        env=dict(pipeline.environment),
        cwd=folder,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(script: str, pipeline: Pipeline, folder: Path) -> str:
    path = folder / "example.py"
    path.write_text(with_our_ports(script, pipeline), encoding="utf-8")
    return shell(f"{sys.executable} {path}", pipeline, folder)


def test_the_quick_start_books_one_event(pipeline: Pipeline, tmp_path: Path) -> None:
    """Start, send an event, ask for its cost: the three commands of the README print what gpt-4o costs."""
    start, *others = block("## Quick start", "").splitlines()
    assert start.startswith("spendstream up &"), "the fixture did this"
    printed = shell("\n".join(others), pipeline, tmp_path)
    assert "booked 1 (of which unpriced 0), duplicates 0, quarantined 0" in printed
    assert "0.0045" in printed


def test_the_example_of_a_service_publishes_its_call(pipeline: Pipeline, tmp_path: Path) -> None:
    """The README's service, given a provider's response, delivers one event with the attribution of its context."""
    python(block("### For a service", "python") + CALL_THE_SERVICE, pipeline, tmp_path)
    found = "SELECT project, feature, response_model, input_tokens FROM ledger WHERE customer = 'acme'"
    until(lambda: pipeline.rows(found), 30, "the service's call in the ledger")
    assert pipeline.rows(found) == [("assistant", "answers", "gpt-4o-2024-08-06", 1000)]


def test_the_examples_for_analysts_answer(pipeline: Pipeline, tmp_path: Path) -> None:
    """Every command and the Python example of the section for analysts work on a running instance."""
    pipeline.send_events(usage_event("for-analysts"))
    until(lambda: pipeline.rows("SELECT 1 FROM cost_1d LIMIT 1"), 30, "something to analyse")
    script = with_our_ports(block("### For an analyst", ""), pipeline)
    shell(script, pipeline, tmp_path)
    assert "spendstream" in (tmp_path / "november.html").read_text(encoding="utf-8")
    assert "usd" in python(block("### For an analyst", "python"), pipeline, tmp_path)


def test_the_demo_shows_alerts_a_summary_and_a_report(tmp_path: Path) -> None:
    """`spendstream demo` books all it sends, shows each alert with its amount and cause as it arrives, writes the
    report, and leaves nothing running and its folder usable."""
    demo = Pipeline(tmp_path / "demo-data")
    demo.environment = environment(tmp_path) | {"COLUMNS": "160"}
    report = tmp_path / "report.html"
    options = ("--data-dir", str(demo.data_dir), "--out", str(report), "--rate", "2")
    printed = demo.run("demo", *options, check=True).stdout
    sent, booked = re.search(r"sent ([\d,]+) events", printed), re.search(r"booked ([\d,]+) .*quarantined 0", printed)
    assert sent, printed
    assert booked, printed
    assert int(sent[1].replace(",", "")) > 4_000
    assert booked[1] == sent[1]
    _shows_the_alerts(printed)
    assert "AI spend" in printed
    page = report.read_text(encoding="utf-8")
    assert "Each user per day (user_id acme-u17) is over budget" in page
    assert demo.status() == {"ready": False}
    assert "receivers: []" in (demo.data_dir / "config" / "alerts.yaml").read_text(encoding="utf-8")


def _shows_the_alerts(printed: str) -> None:
    """As they came in: the user that ran away and its team, with amount, cause and what to do. Then in the report."""
    arrived, _, summary = printed.partition("AI spend")
    told = {match[1]: match[0] for match in re.finditer(r"▲ .*?: (.*?) is over budget(?:.|\n)*?\n *\n", arrived)}
    for who in ("Each user per day (user_id acme-u17)", "Team agents"):
        assert re.search(r"is over budget: \$[\d,.]+ of \$[\d,.]+ \([\d,.]+ %\)", told[who]), printed
        assert re.search(r"why\s.*\$[\d,.]+ in the period", told[who]), printed
        assert "what to do" in told[who], printed
        seconds = re.search(r"here after\s+([\d.]+) s", told[who])
        assert seconds, printed
        assert 0 < float(seconds[1]) < 60
    assert "user_id acme-u17" in told["Team agents"], "the cause of the team's alert"
    assert re.search(r"▲ [A-Z]+.*: .*acme-u17.*: \$.* expected", arrived), printed  # the alert of the anomaly
    found = arrived.rpartition("nats")  # what is shown of the finding
    assert re.search(r"^\w+ .*\$[\d,.]+ in .*, .* expected", found[0], re.MULTILINE), printed
    assert "▲▲" in found[2], printed
    assert "largest parts: " in found[2], printed
    assert re.search(r"acme-u17\s+\$[\d,.]+\s+\$[\d,.]+\s+[\d,.]+ %\s+100 % ", summary), printed
    assert re.search(r"error: Team agents is over budget.*\n.*told: demo-terminal after", summary), printed
    assert re.search(r"receiver demo-terminal: \d+ notifications sent$", summary, re.MULTILINE), printed

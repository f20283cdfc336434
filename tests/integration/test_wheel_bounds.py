"""The wheel with the lowest and with the locked versions of what it asks for: its own tests, and a real broker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from tests.unit.producers.support import create_topics, ids_on

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.executable).with_name("uv"))
TESTS = (
    "adapters/test_openai.py",
    "adapters/test_anthropic.py",
    "adapters/test_langchain.py",
    "guard",
    "test_claim.py",
    "test_context.py",
    "test_spool.py",
    "test_tracking.py",
)
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("resolution", ["lowest", "locked"])
def test_the_sdk_works_at_both_ends_of_what_it_asks_for(resolution: str, broker: TansuBroker, tmp_path: Path) -> None:
    """Its unit tests pass in an environment of its own, and a service of several processes delivers."""
    python = str(tmp_path / "venv" / "bin" / "python")
    run(UV, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", str(tmp_path / "dist"), str(ROOT))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(UV, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    locked = tmp_path / "locked.txt"
    run(UV, "export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--output-file", str(locked))
    bounds = ["--constraints", str(locked)] if resolution == "locked" else ["--resolution", resolution]
    run(UV, "pip", "install", "--quiet", "--python", python, *bounds, str(wheel))
    tools = ("pytest", "hypothesis", "pytest-timeout", "openai", "anthropic")
    run(UV, "pip", "install", "--quiet", "--python", python, *tools)
    found = run(python, "-c", "import pydantic, confluent_kafka as k; print(pydantic.VERSION, k.version()[0])")
    assert (found.split()[0].startswith("2.7.")) == (resolution == "lowest"), found
    tests = [str(ROOT / "tests/unit/producers" / name) for name in TESTS]
    options = ["--noconftest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    options += ["--hypothesis-profile", "ci"]  # no example is timed, as in tests/conftest.py
    run(python, "-m", "pytest", *options, "--import-mode=importlib", *tests)
    create_topics(broker.address)
    settings = {"bootstrap_servers": broker.address, "source": "svc", "spool_dir": str(tmp_path / "spool")}
    run(python, "-m", "tests.unit.producers.children", json.dumps(settings), "process-fork", "50")
    assert len(ids_on(broker.address)) == 2 * 50 + 1


def run(*command: str) -> str:
    """What it writes. The checkout's own environment is out of its sight; `tests` is found in the current folder."""
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout

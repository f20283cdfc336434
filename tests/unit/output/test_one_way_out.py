"""Nothing but `stream_jobs.output` writes to stdout or stderr, or makes what does: the linter refuses it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OTHER_WAYS = [
    "print('x')",
    "import sys\n\nsys.stdout.write('x')",
    "import sys\n\nsys.stdout.buffer.write(b'x')",
    "import sys\n\nsys.__stderr__.write('x')",
    "from sys import stdout\n\nstdout.write('x')",
    "import sys as s\n\ns.stderr.write('x')",
    "from rich.console import Console\n\nConsole().print('x')",
    "import rich.console\n\nrich.console.Console().print('x')",
    "from rich import print as show\n\nshow('x')",
    "from rich.table import Table\n\nTable()",
    "from rich.progress import track\n\ntrack([])",
    "from rich.text import Text\n\nText.from_markup('x')",
    "from rich.markup import escape\n\nescape('x')",
    "import logging\n\nlogging.basicConfig()",
    "import logging\n\nlogging.StreamHandler()",
    "import pprint\n\npprint.pprint('x')",
]


def refused(code: str, file: str) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "T20,TID251", "--stdin-filename", str(ROOT / file), "-"],
        input=code + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


@pytest.mark.parametrize("code", OTHER_WAYS)
def test_another_way_out_is_refused(code: str) -> None:
    """In a command as in what commands use."""
    assert refused(code, "stream_jobs/cli/status.py")


def test_the_way_out_is_used() -> None:
    """The rule does not refuse what it points to."""
    assert not refused("from stream_jobs.output.lines import say\n\nsay('x')", "stream_jobs/cli/status.py")


def test_the_code_keeps_the_rule() -> None:
    """All of the application and the SDK, with the exceptions that pyproject.toml gives reasons for."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "T20,TID251", "stream_jobs", "producers", "schemas"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    exempt = subprocess.run(
        ["grep", "-rnE", r"noqa: *(T20|TID251)", "stream_jobs", "producers", "--include=*.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert exempt.stdout == ""

"""Runs the benchmarks one after the other, each in a process of its own: `python -m tests.benchmarks [NAME...]`.

Prints what each measured and writes all of it to bench-results/, as a table in Markdown and as JSON. Options it does
not know are passed on: `python -m tests.benchmarks pipeline --seconds 300`. Exit code 1 when one misses its floor.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.harness.machine import ROOT, facts
from tests.benchmarks.harness.markdown import document
from tests.benchmarks.harness.results import RESULT_FILE

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark's run. `exit_code`: 0 every floor is met, 1 one is missed, else it could not be run."""

    name: str
    exit_code: int
    seconds: float
    output: list[str]
    result: dict[str, Any] = field(default_factory=dict)  # a Report, for those that publish one

    @property
    def verdict(self) -> str:
        # Python itself exits with 1 after an exception: then there is no result.
        if self.exit_code == 1 and not self.result and any("Traceback" in line for line in self.output):
            return "FAILED"
        return {0: "floors met", 1: "BELOW FLOOR"}.get(self.exit_code, f"FAILED ({self.exit_code})")


def names() -> list[str]:
    """All benchmarks: the files bench_NAME.py."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def run(name: str, options: list[str]) -> Outcome:
    """Run one, passing its output on line by line."""
    command = [sys.executable, "-u", "-m", f"tests.benchmarks.bench_{name}", *options]
    print(f"== {name}", flush=True)
    began = time.perf_counter()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        environment = {**os.environ, RESULT_FILE: str(path)}
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(f"   {line}", end="", flush=True)
                lines.append(line.rstrip("\n"))
        result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Outcome(name, process.returncode, round(time.perf_counter() - began, 1), lines, result)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(names())}")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results", help="folder for the results")
    args, options = parser.parse_known_args(arguments)
    if unknown := sorted(set(args.names) - set(names())):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names())}")
    if options and len(args.names) != 1:
        parser.error(f"options of a benchmark ({' '.join(options)}) need the name of one")
    machine = facts()
    outcomes = [run(name, options) for name in args.names or names()]
    now = datetime.now(UTC)
    args.out.mkdir(parents=True, exist_ok=True)
    found = {
        "at": now.isoformat(timespec="seconds"),
        "options": options,
        "machine": machine,
        "benchmarks": [{**asdict(outcome), "verdict": outcome.verdict} for outcome in outcomes],
    }
    path = args.out / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(document(found), encoding="utf-8")
    print(f"\n{'benchmark':<16}{'seconds':>8}  result")
    for outcome in outcomes:
        print(f"{outcome.name:<16}{outcome.seconds:>8.1f}  {outcome.verdict}")
    print(f"\nwritten to {path} and {path.with_suffix('.md').name}")
    return 0 if all(outcome.exit_code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Runs the benchmarks one after the other, each in a process of its own: `python -m tests.benchmarks [NAME...]`.

Prints what each measured and a table, and writes both to bench-results/. Exit code 1 when one misses its floor.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


@dataclass(frozen=True, slots=True)
class Outcome:
    """One benchmark's run. `exit_code`: 0 every floor is met, 1 one is missed, else it could not be run."""

    name: str
    exit_code: int
    seconds: float
    output: list[str]

    @property
    def verdict(self) -> str:
        return {0: "floors met", 1: "BELOW FLOOR"}.get(self.exit_code, f"FAILED ({self.exit_code})")


def names() -> list[str]:
    """All benchmarks: the files bench_NAME.py."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def run(name: str) -> Outcome:
    """Run one, passing its output on line by line."""
    command = [sys.executable, "-u", "-m", f"tests.benchmarks.bench_{name}"]
    print(f"== {name}", flush=True)
    began = time.perf_counter()
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"   {line}", end="", flush=True)
            lines.append(line.rstrip("\n"))
    return Outcome(name, process.returncode, round(time.perf_counter() - began, 1), lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(names())}")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results", help="folder for the results")
    args = parser.parse_args(arguments)
    if unknown := sorted(set(args.names) - set(names())):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names())}")
    outcomes = [run(name) for name in args.names or names()]
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "benchmarks": [asdict(outcome) for outcome in outcomes],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{'benchmark':<16}{'seconds':>8}  result")
    for outcome in outcomes:
        print(f"{outcome.name:<16}{outcome.seconds:>8.1f}  {outcome.verdict}")
    print(f"\nwritten to {path}")
    return 0 if all(outcome.exit_code == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

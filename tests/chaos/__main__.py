"""python -m tests.chaos: random kills, pauses and outages; afterwards the books must be exact."""

import argparse
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.run import Options, Report, run


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every run was exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first run (default: a random one, printed)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="so many runs, one seed after the other")
    parser.add_argument("--broker", choices=("tansu", "kafka"), default="tansu")
    parser.add_argument("--events", type=int, default=3000, help="distinct events of a run (default 3000)")
    parser.add_argument("--seconds", type=float, default=15, help="how long there are faults (default 15)")
    parser.add_argument("--folder", type=Path, help="where the runs' folders go (default: the temporary folder)")
    parser.add_argument("--follow", action="store_true", help="print what happens while it happens")
    parser.add_argument("--keep", action="store_true", help="keep store and logs also when all went well")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    first = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    failed = []
    for seed in range(first, first + args.seeds):
        options = Options(seed, args.broker, args.events, args.seconds)
        print(f"chaos on {args.broker}, seed {seed}: ", end="", flush=True)
        report = run(options, args.folder, keep=args.keep, follow=_follow if args.follow else None)
        print_report(report, history=not args.follow)
        if report.problems:
            failed.append(seed)
    print(f"{args.seeds - len(failed)} of {args.seeds} runs exact on {args.broker}", flush=True)
    return 1 if failed else 0


def _follow(line: str) -> None:
    print(f"\n  {line}", end="", flush=True)


def print_report(report: Report, *, history: bool) -> None:
    print("EXACT" if not report.problems else "WRONG", f"in {report.wall_s:.1f} s")
    print("  " + ", ".join(f"{number} {name}" for name, number in report.counts.items()), f"{report.total} USD")
    if history and report.problems:
        print("\n".join(f"  {line}" for line in report.history))
    if report.problems:
        print("\n".join(f"  ! {line}" for line in report.problems))
        print(f"  store and logs: {report.folder}\n  again: {report.options.command}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""How well anomalies are found: `make bench-detection`, `python -m tests.benchmarks detection`.

Without options everything is measured with the samples that the floors ask for (an hour on two idle cores); each
table says how large its samples were. `python -m tests.benchmarks.bench_detection --generate SPEC --seed N --out FILE`
measures nothing: it writes generated traffic as a CSV with `time,series,events,cost,cost_squares`, and the truth beside
it as FILE.truth.json. See detection/generator.py for SPEC.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.detection.generator import Spec, generate
from tests.benchmarks.detection.options import DEFAULT_SEED, Options
from tests.benchmarks.detection.sections import SECTIONS, measure
from tests.benchmarks.detection.traffic_file import write
from tests.benchmarks.harness.datasets import DATA
from tests.benchmarks.harness.results import Report
from tests.benchmarks.harness.tables import markdown, terminal


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", metavar="SECTION,...", help=f"of {', '.join(SECTIONS)} (default: all)")
    made.add_argument("--quick", action="store_true", help="seconds, samples far too small: floors are not judged")
    made.add_argument("--trials", type=int, default=120, help="of each shape and rate (default 120)")
    made.add_argument("--series-days", type=int, default=5_000, help="of each noise and rate (default 5000)")
    made.add_argument("--seed", type=int, help=f"default {DEFAULT_SEED}, on which nobody tunes; with --generate 1")
    made.add_argument("--data", type=Path, help=f"folder of the data sets (default: {DATA} of the environment)")
    made.add_argument("--processes", type=int, default=2, help="that replay side by side (default 2)")
    made.add_argument("--no-peers", action="store_true", help="ours alone")
    made.add_argument(
        "--history",
        choices=("hours", "minutes"),
        default="minutes",
        help="minutes (default): replay all of it, as scan does; hours: learn most of it from them, as the job does",
    )
    made.add_argument("--portfolio", type=int, default=2_000, help="series of an installation (default 2000)")
    made.add_argument("--portfolio-days", type=int, default=7, help="that it is watched (default 7)")
    made.add_argument("--page", type=Path, help="write the tables to this file, too, as Markdown")
    made.add_argument("--generate", metavar="SPEC", help="write traffic instead of measuring")
    made.add_argument("--out", type=Path, help="the file that --generate writes")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a floor is missed."""
    made = parser()
    args = made.parse_args(arguments)
    if args.generate is not None or args.out is not None:
        if args.generate is None or args.out is None:
            made.error("--generate SPEC and --out FILE need each other")
        try:
            spec = Spec.parse(args.generate)
        except ValueError as error:
            made.error(str(error))
        write(generate(spec, 1 if args.seed is None else args.seed), args.out)
        return 0
    names = args.only.split(",") if args.only else list(SECTIONS)
    if unknown := sorted(set(names) - set(SECTIONS)):
        made.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    seed = DEFAULT_SEED if args.seed is None else args.seed
    options = Options(
        quick=args.quick,
        data=args.data,
        seed=seed,
        trials=args.trials,
        series_days=args.series_days,
        processes=args.processes,
        peers=not args.no_peers,
        from_hours=args.history == "hours",
        portfolio=args.portfolio,
        portfolio_days=args.portfolio_days,
    )
    report = Report("detection")
    tables = []
    for table in measure(names, options):
        tables.append(table)
        print("\n".join(terminal(table)), flush=True)
        report.figures.extend(table.figures)
    report.details["tables"] = [asdict(table) | {"figures": len(table.figures)} for table in tables]
    if args.page:
        args.page.write_text("\n".join(markdown(tables)), encoding="utf-8")
    print()
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

"""How good forecasts are: `make bench-forecast`, `python -m tests.benchmarks forecast`.

Rolling origins on real traffic, and simulated spend, beside what others forecast from the same origins; the one
default configuration. Fits of others are kept in bench-results/fits, so that a second run takes less.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.forecasts.options import DEFAULT_SEED, Options
from tests.benchmarks.forecasts.sections import SECTIONS, measure
from tests.benchmarks.harness.datasets import DATA
from tests.benchmarks.harness.machine import ROOT
from tests.benchmarks.harness.results import Report
from tests.benchmarks.harness.tables import markdown, terminal


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", metavar="SECTION,...", help=f"of {', '.join(SECTIONS)} (default: all)")
    made.add_argument("--quick", action="store_true", help="a minute, samples far too small: floors are not judged")
    made.add_argument("--seed", type=int, default=DEFAULT_SEED, help="default %(default)s, on which nobody tunes")
    made.add_argument("--data", type=Path, help=f"folder of the data sets (default: {DATA} of the environment)")
    made.add_argument("--page", type=Path, help="write the tables to this file, too, as Markdown")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a floor is missed."""
    made = parser()
    args = made.parse_args(arguments)
    names = args.only.split(",") if args.only else list(SECTIONS)
    if unknown := sorted(set(names) - set(SECTIONS)):
        made.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    options = Options(quick=args.quick, data=args.data, seed=args.seed, cache=ROOT / "bench-results" / "fits")
    report = Report("forecast")
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

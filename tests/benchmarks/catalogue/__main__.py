"""Compares the price book with litellm's price file: `python -m tests.benchmarks.catalogue [--out REPORT.md]`.

Exit code 1 when a disagreement about one of the 200 models that are used most has no explanation, or an explanation
explains nothing any more; 2 when the catalogue cannot be had.
"""

import argparse
import sys
from pathlib import Path

from stream_jobs.pricing.book import PriceBook
from tests.benchmarks.catalogue import explanations, report, theirs
from tests.benchmarks.catalogue.compare import compare, only_ours
from tests.benchmarks.catalogue.wheel import FOLDER, Unavailable, catalogue, pin

REPORT = Path(__file__).with_name("REPORT.md")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.catalogue", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER / "prices.md", help="the report (default: %(default)s)")
    args = parser.parse_args(arguments)
    try:
        entries = catalogue()
    except Unavailable as error:
        print(f"the second catalogue is not here, nothing was compared: {error}")
        return 2
    book = PriceBook.load()
    rows = theirs.rows(entries)
    told, popular = explanations.load()
    found = compare(book, rows)
    it = report.Comparison(pin()[0], book.version, rows, found, only_ours(book, rows), told, popular)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(report.document(it), encoding="utf-8")
    print(f"{len(found)} figures compared with litellm {pin()[0]}, {len(it.disagreements)} disagree: {args.out}")
    for one in it.unexplained():
        print(f"not explained: {one.row.provider} {one.row.name}: {one.probe.name}, ours {one.ours} USD, "
              f"theirs {one.probe.usd}")  # fmt: skip
    for explanation in it.unused():
        print(f"explains nothing: {explanation.cause} ({', '.join(explanation.names)})")
    return 1 if it.unexplained() or it.unused() else 0


if __name__ == "__main__":
    sys.exit(main())

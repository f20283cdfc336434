"""The analysts' page of figures, sql/FIGURES.md, from the registry: `python -m stream_jobs.economics.page FILE`."""

import sys
from pathlib import Path
from typing import Final

from stream_jobs.economics.dimensions import OTHERS, TIMES
from stream_jobs.economics.figures import FIGURES, Figure
from stream_jobs.economics.parts import PARTS
from stream_jobs.series.history import SOURCES
from stream_jobs.series.measures import DIMENSIONS

_HEAD: Final = """# Figures

Every figure of cost and usage that there is, each defined once (`stream_jobs/economics/figures.py`, from which `make
schemas` makes this page). `spendstream figures` lists them; what they are, for a time and by dimensions, says
`spendstream figures show NAME [NAME...] --month 2026-10 --by team --where project=apollo`, with `--from`, `--to`,
`--timezone`, `--as-of`, and `--json`, `--csv` or `--parquet` with `--out`.

- **What an answer covers**: events, events without a price, unallocated cost; and of a figure that needs a fact, the
  share of cost for which that is known. Under half it says so; at nothing the figure is NULL, as where its denominator
  is 0.
- **Exact**: sums to the last digit, quotients to 12 places, in `--json`, `--csv` and `--parquet`. What a terminal shows
  is rounded so that the lines of a sum add up to its total.
- **Which table**: the smallest rollup that has the parts and the dimensions, and no row of which lies on a bound of the
  time or of a day of the zone; else the ledger. `--as-of` asks the ledger, for what was booked until then.
- **Compute that runs for long** (`duration_s`) counts where it began, all of it, as in rollups, the report and budgets.
  With `--spread` it counts over the time that it ran, cut exactly at the bounds of the time and of the zone's days or
  months; what counts events stays where they began. That asks the ledger, too.
- **Dimensions**: {dimensions};
  `labels.KEY` of any key; {times} of the time zone.
- **`--currency EUR`**: all of the answer at one rate, that of the first day, which is said with its date and source
  ([rates](../stream_jobs/currencies/README.md)); exact quotients, rounded once to 12 places.
- **`--where`**: `team=a`, `team=a*` (a pattern), `team=` (no team), `team=a` and `team=b` (one of them), a list
  (`team=["a", "b"]`), or a condition as scopes have it: `team={{"none_of": ["a"]}}`, `team={{any_of: ["a*"]}}` for the
  text itself. The same words stand after `spendstream alerts silence --scope`.

| figure | unit | what it is | needs | smallest table |
|---|---|---|---|---|
"""


def page() -> str:
    """The page."""
    dimensions = " ".join(f"`{name}`" for name in (*DIMENSIONS, *OTHERS))
    rows = "".join(f"{_row(figure)}\n" for figure in FIGURES.values())
    return _HEAD.format(dimensions=dimensions, times=" and ".join(f"`{name}`" for name in TIMES)) + rows


def _row(figure: Figure) -> str:
    needs = figure.fact.name if figure.fact is not None else ""
    return f"| `{figure.name}` | {figure.unit} | {figure.meaning} | {needs} | {_table(figure)} |"


def _table(figure: Figure) -> str:
    tables = (source.table for source in SOURCES if all(PARTS[name].of(source) for name in figure.needs))
    return f"`{next(tables)}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

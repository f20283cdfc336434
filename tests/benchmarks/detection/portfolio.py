"""Section: how often a whole installation is alarmed for nothing: many series, most of them tiny, no incident.

The thresholds are those of an installation of so many series with the default budget. Each finding counts as an alert:
nothing joins findings of series that have nothing to do with each other.
"""

from tests.benchmarks.detection.bars import PORTFOLIO
from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE
from tests.benchmarks.detection.intervals import poisson
from tests.benchmarks.detection.many_series import ManySeries
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.detection.ours import portfolio_detector
from tests.benchmarks.detection.replay import Findings, advance_all, minutes_of
from tests.benchmarks.detection.table import Table
from tests.benchmarks.harness.results import Figure

WEEK_DAYS = 7


def sections(options: Options) -> list[Table]:
    series, days, warm_days = (100, 1, 8) if options.quick else (options.portfolio, options.portfolio_days, 42)
    source = ManySeries(series, options.seed)
    detector = portfolio_detector(source.rates)
    progress(f"{warm_days} days of {series} series from hours")
    detector.warm(FIRST_MINUTE, *source.hours(FIRST_MINUTE, warm_days * 24))
    findings = Findings()
    for day in range(warm_days, warm_days + days):
        first = FIRST_MINUTE + day * DAY
        advance_all(detector, minutes_of(first, source.day(first)), findings)
        progress(f"portfolio: day {day - warm_days + 1} of {days}, {len(findings.all())} findings")
    count, weeks = len(findings.all()), days / WEEK_DAYS
    low, high = poisson(count, weeks)
    kinds = sorted({f"{one.kind} {one.scale} {one.direction}" for one in findings.all()})
    name = f"portfolio of {series:,} series: alerts"
    floor = None if options.quick else PORTFOLIO
    figure = Figure(name, "a week", [count / weeks], floor, lower_is_better=True, interval=(low, high))
    rows = [(f"{series:,}", f"{days}", str(count), f"{count / weeks:.1f} ({low:.1f} to {high:.1f})", f"{PORTFOLIO:g}")]
    note = (
        f"{warm_days} days of history, learned from hours as after a start. Requests a minute are lognormal over "
        f"series, median 0.02, the greatest {source.rates.max():.0f}. Found: {', '.join(kinds) or 'nothing'}."
    )
    head = ("series", "days", "findings", "alerts a week", "floor")
    return [Table("False alerts of a whole installation", head, rows, note, [figure])]

"""Section: how often a whole installation is alarmed for nothing: many series, most of them tiny, no incident.

The thresholds are those of an installation of so many series with the default budget and the default floor: what has
cost less, and would, is recorded and told to nobody. Each other finding counts as an alert: nothing joins findings of
series that have nothing to do with each other.
"""

from typing import Final

from stream_jobs.anomalies.settings import AnomaliesSettings
from stream_jobs.anomalies.speaking import STEADY
from stream_jobs.detection.model import Finding
from tests.benchmarks.detection.bars import PORTFOLIO
from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE
from tests.benchmarks.detection.intervals import poisson
from tests.benchmarks.detection.many_series import ManySeries
from tests.benchmarks.detection.options import Options, progress
from tests.benchmarks.detection.ours import portfolio_detector
from tests.benchmarks.detection.replay import Findings, advance_all, minutes_of
from tests.benchmarks.harness.results import Figure
from tests.benchmarks.harness.tables import Table

WEEK_DAYS = 7
FLOOR_USD: Final = float(AnomaliesSettings.model_fields["floor_usd"].default)


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
    told, weeks = [one for one in findings.all() if _is_told(one, detector.frame.at + 1)], days / WEEK_DAYS
    count = len(told)
    low, high = poisson(count, weeks)
    kinds = sorted({f"{one.kind} {one.scale} {one.direction}" for one in told})
    name = f"portfolio of {series:,} series: alerts"
    floor = None if options.quick else PORTFOLIO
    figure = Figure(name, "a week", [count / weeks], floor, lower_is_better=True, interval=(low, high))
    found = str(len(findings.all()))
    rows = [(f"{series:,}", f"{days}", found, f"{count / weeks:.1f} ({low:.1f} to {high:.1f})", f"{PORTFOLIO:g}")]
    note = (
        f"{warm_days} days of history, learned from hours as after a start. Requests a minute are lognormal over "
        f"series, median 0.02, the greatest {source.rates.max():.0f}. Told: {', '.join(kinds) or 'nothing'}."
    )
    head = ("series", "days", "findings", "alerts a week", "floor")
    return [Table("False alerts of a whole installation", head, rows, note, [figure])]


def _is_told(one: Finding, until: int) -> bool:
    """As `stream_jobs.anomalies.speaking` has it, by the last that was said of the finding."""
    steady = (one.end or until) - one.start >= STEADY.total_seconds() / 60
    amounts = [one.excess, one.per_day] if steady and one.kind != "dear_request" else [one.excess]
    return max(map(abs, amounts)) >= FLOOR_USD

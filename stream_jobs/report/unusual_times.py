"""The report's box of unusual times: what the job `anomalies` found in the period, one for each cause."""

from typing import Final

from stream_jobs.anomalies import words
from stream_jobs.anomalies.cause import cause_of
from stream_jobs.anomalies.found import COLUMNS, found_of
from stream_jobs.report.data import Judged, Unusual, UnusualTime
from stream_jobs.report.watched import Rows

TOP_TIMES: Final = 10
MOST_REASONS: Final = 3


def unusual_times(rows: Rows) -> Unusual:
    """What overlaps the period; what was planned, or marked as expected, is only counted, and what later data took back
    is not there."""
    found = [(found_of(row[: len(COLUMNS)]), *row[len(COLUMNS) :]) for row in rows("unusual", rows=TOP_TIMES)]
    ((ever, judged, silenced),) = rows("judged")
    times = [
        UnusualTime(one, words.line(one), tuple(cause_of(one.cause).lines(MOST_REASONS)), members - 1)
        for one, members, _, told in found
        if told or not found[0][3]  # what costs next to nothing is recorded, and told to nobody
    ]
    return Unusual(
        times=tuple(sorted(times, key=lambda time: time.found.starts_at)),
        all_times=found[0][2] if found else 0,
        silenced=silenced,
        judged=_judged(bool(ever or found), bool(judged or found)),
    )


def _judged(ever: bool, here: bool) -> Judged:
    return "judged" if here else "too_early" if ever else "never"

"""One call reported by several sources: whose report counts. Plain functions.

A report is the charge that counts of one event. Reports are about the same call when provider, `response_id` and kind
of usage agree. Several events of one source with one `response_id` are several parts of a call (tool lines, the lines
of a batch) and all count; only another source's report of it is a double.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.reconciliation.standing import Standing


class Call(NamedTuple):
    """A call of a provider, as far as its reports name it."""

    response_id: str
    provider: str
    kind: str


@dataclass(frozen=True, slots=True)
class Report:
    """What matters of one event when it is compared with other reports of its call."""

    event_id: str
    source: str
    revision: int
    priced: bool
    occurred_at: datetime
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Precedence:
    """Which source is believed, and when reports are too different to be about one call."""

    sources: Sequence[str] = ()
    window: timedelta = timedelta(days=1)
    max_reports: int = 100
    excluded_providers: Sequence[str] = ()

    @classmethod
    def of(cls, settings: ReconciliationSettings) -> "Precedence":
        return cls(
            settings.source_patterns,
            timedelta(seconds=settings.window_s),
            settings.max_reports,
            settings.excluded_providers,
        )

    def call_of(self, event: Standing) -> Call | None:
        """None when the event cannot be compared: it names no call, or the answer came from the service's own cache and
        carries the id of the call that filled it."""
        kept = event.kept
        if not kept["response_id"] or kept["cached_response"] or kept["provider"] in self.excluded_providers:
            return None
        return Call(kept["response_id"], kept["provider"], kept["kind"])

    def doubles(self, reports: Iterable[Report]) -> dict[str, Report]:
        """Of the reports of one call those that do not count, by event_id, each with the report that does.

        The source that counts: the first by the configured order, then one whose reports all have a price, then the
        highest revision, then the earliest, then the lowest event_id.
        """
        by_source: dict[str, list[Report]] = {}
        everything = list(reports)
        for report in everything:
            by_source.setdefault(report.source, []).append(report)
        if len(by_source) < 2 or len(everything) > self.max_reports or _span(everything) > self.window:
            return {}
        best = min(by_source, key=lambda source: self._rank(source, by_source[source]))
        counting = min(by_source[best], key=lambda report: (report.occurred_at, report.event_id))
        return {report.event_id: counting for report in everything if report.source != best}

    def _rank(self, source: str, reports: Sequence[Report]) -> tuple[int, bool, int, datetime, str]:
        patterns = (number for number, pattern in enumerate(self.sources) if fnmatchcase(source, pattern))
        return (
            next(patterns, len(self.sources)),
            not all(report.priced for report in reports),
            -max(report.revision for report in reports),
            min(report.occurred_at for report in reports),
            min(report.event_id for report in reports),
        )


def report_of(event: Standing) -> Report:
    kept = event.kept
    return Report(event.event_id, kept["source"], event.revision, event.priced, kept["occurred_at"], kept["booked_at"])


def doubles_by_call(events: Mapping[str, Standing], precedence: Precedence) -> dict[str, Report]:
    """Of these events those that do not count, because another source reported their call too. `events` holds every
    report of each call that is asked about."""
    calls: dict[Call, list[Report]] = {}
    for event in events.values():
        call = precedence.call_of(event)
        if call is not None:
            calls.setdefault(call, []).append(report_of(event))
    found: dict[str, Report] = {}
    for reports in calls.values():
        found |= precedence.doubles(reports)
    return found


def _span(reports: Sequence[Report]) -> timedelta:
    instants = [report.occurred_at for report in reports]
    return max(instants) - min(instants)

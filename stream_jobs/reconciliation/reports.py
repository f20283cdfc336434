"""One call reported more than once: which reports count. Plain functions.

A report is the charge that counts of one event. Reports with one `response_id` and kind of usage are about one call:

1. Of several sources that mean one provider, and come to the same usage of the same models, one counts with all its
   events: they are parts of the call (tool lines, the lines of a batch), and a gateway may report as one what an SDK
   reports as three. Sources that come to something else tell of another call: a server of one's own may repeat its ids.
2. Of one source's events that say the same (model, usage, attribution), one counts: a response that was polled, a batch
   file that was read twice. Parts of a call that differ in anything of it add up; but one that leaves out some of what
   another says about attribution, and says nothing else, repeats that other: whoever polls may not know for whom.
3. Under several names that may be one provider (azure and openai, vertex and google), one name counts if the reports
   under each come to the same usage of the same model.

Whatever occurred further apart than a window is not compared, and neither is what too many different reports name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, TypeVar

from spendstream_schemas import ATTRIBUTION_FIELDS, TokenUsage
from spendstream_schemas.usage import meters_of
from stream_jobs.reconciliation.names import is_of_one_call, may_be_one, model_of, provider_of
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.reconciliation.standing import Standing
from stream_jobs.store.tables import TOOL_COLUMNS

T = TypeVar("T")
_METERS: Final = meters_of(TokenUsage)
_PARTS_DIFFER_IN: Final = (*TOOL_COLUMNS, "operation", "service_tier")
TOLD: Final = ("source", "provider", "model", "response_model", *_METERS, *ATTRIBUTION_FIELDS, *_PARTS_DIFFER_IN)
"""The columns in which reports may differ. Two that are equal here are never two different ones for `Precedence`."""
_REPETITIONS: Final = 20
_TOTALS: Final = tuple(
    number for number, name in enumerate(_METERS) if name in ("input_tokens", "output_tokens") or "_tokens" not in name
)
"""The meters that every reader of a response agrees about; how the tokens divide into parts, some do not say."""


class Call(NamedTuple):
    """A call, as far as its reports name it. Under which provider's names is looked at afterwards."""

    response_id: str
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
    named: str  # the provider, as the sender calls it
    provider: str  # see `names.provider_of`
    model: str  # see `names.model_of`
    meters: tuple[int | Decimal, ...]  # in the order of TokenUsage; absent is 0
    also: tuple[Any, ...]  # what parts of a call may differ in, beside its usage
    attribution: tuple[str, ...]  # in the order of ATTRIBUTION_FIELDS; absent is empty

    @property
    def says_usage(self) -> bool:
        return any(self.meters)

    @property
    def said(self) -> tuple[Any, ...]:
        """What equal reports of one source have in common."""
        return (self.source, self.model, self.meters, self.also)

    def says_less_than(self, other: "Report") -> bool:
        pairs = zip(self.attribution, other.attribution, strict=True)
        return self.attribution != other.attribution and all(mine in ("", theirs) for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Precedence:
    """Which source is believed, and when reports are too different to be about one call."""

    sources: Sequence[str] = ()
    window: timedelta = timedelta(days=1)
    max_reports: int = 100
    excluded_providers: Sequence[str] = ()

    @property
    def max_events(self) -> int:
        """Also of equal reports: bounds memory."""
        return self.max_reports * _REPETITIONS

    @classmethod
    def of(cls, settings: ReconciliationSettings) -> "Precedence":
        return cls(
            settings.source_patterns,
            timedelta(seconds=settings.window_s),
            settings.max_reports,
            settings.excluded_providers,
        )

    def call_of(self, event: Standing) -> Call | None:
        """None when the event cannot be compared: it names no call, or something that many calls belong to, or the
        answer came from the service's own cache and carries the id of the call that filled it."""
        kept = event.kept
        if kept["cached_response"] or kept["provider"] in self.excluded_providers:
            return None
        return Call(kept["response_id"], kept["kind"]) if is_of_one_call(kept["response_id"]) else None

    def doubles(self, reports: Iterable[Report]) -> dict[str, Report]:
        """Of the reports of one call those that do not count, by event_id, each with the report that does.

        What counts: the first by the configured order of sources, then what has a price, then the highest revision,
        then the earliest, then the lowest event_id.
        """
        everything = list(reports)
        different = {(report.said, report.named, report.attribution) for report in everything}
        if not 2 <= len(everything) <= self.max_events or len(different) > self.max_reports:
            return {}
        instead: dict[str, Report] = {}
        names = [
            self._once_each(named, instead)
            for reports in _grouped(everything, lambda report: report.provider)
            for named in _grouped(self._of_one_source(reports, instead), lambda report: report.named)
        ]
        self._under_one_name(names, instead)
        return {event_id: _that_counts(report, instead) for event_id, report in instead.items()}

    def _of_one_source(self, reports: list[Report], instead: dict[str, Report]) -> list[Report]:
        """The reports of the source that counts. The others go to `instead`, as everywhere here."""
        counting = []
        for together in self._within_windows(reports):
            by_source = [
                [
                    report
                    for named in _grouped(told, lambda report: report.named)
                    for report in self._once_each(named, instead)
                ]
                for told in _grouped(together, lambda report: report.source)
            ]
            silent = [told for told in by_source if not any(report.says_usage for report in told)]
            calls = _agreeing([told for told in by_source if told not in silent])
            if len(calls) < 2:
                counting += self._best(by_source, instead) if len(by_source) > 1 else by_source[0]
                continue
            for alike in calls:  # other usage, other models: not one call, though the ids are the same
                counting += self._best(alike, instead) if len(alike) > 1 else alike[0]
            counting += [report for told in silent for report in told]
        return counting

    def _once_each(self, reports: list[Report], instead: dict[str, Report]) -> list[Report]:
        """Without those that repeat what their own source has said. A report without usage is no repetition: several
        tool calls of a kind, each told by itself, are alike."""
        counting = [report for report in reports if not report.says_usage]
        for alike in _grouped((report for report in reports if report.says_usage), lambda report: report.said):
            once: list[Report] = []
            for same in _grouped(alike, lambda report: report.attribution):
                for together in self._within_windows(same):
                    once += self._best([[report] for report in together], instead)
            counting += self._without_less(once, instead)
        return counting

    def _without_less(self, reports: list[Report], instead: dict[str, Report]) -> list[Report]:
        """Without those whose attribution leaves out some of another's, where it can be only one's: what several share
        out among themselves may have a rest that is nobody's."""
        fullest = [one for one in reports if not any(one.says_less_than(other) for other in reports)]
        repeating: dict[str, list[Report]] = {one.event_id: [one] for one in fullest}
        counting: list[Report] = []
        for report in reports:
            fuller = [one for one in fullest if report.says_less_than(one)]
            near = [one for one in fuller if abs(one.occurred_at - report.occurred_at) <= self.window]
            if near and len({one.attribution for one in fuller}) == 1:
                nearest = min(near, key=lambda one: (abs(one.occurred_at - report.occurred_at), one.event_id))
                repeating[nearest.event_id].append(report)
            elif fuller:
                counting.append(report)
        for told in repeating.values():
            priced = [report for report in told if report.priced] or told
            kept = priced[0] if priced[0] is told[0] else min(priced, key=lambda one: self._rank([one]))
            counting.append(kept)
            instead.update({report.event_id: kept for report in told if report is not kept})
        return counting

    def _within_windows(self, reports: Iterable[Report]) -> list[list[Report]]:
        """Each as long as the window from its first report on."""
        found: list[list[Report]] = []
        for report in sorted(reports, key=_age):
            if not found or report.occurred_at - found[-1][0].occurred_at > self.window:
                found.append([])
            found[-1].append(report)
        return found

    def _under_one_name(self, names: list[list[Report]], instead: dict[str, Report]) -> None:
        """`names`: what counts under each name of a provider."""
        for alike in _grouped(names, _comes_to):
            if not any(report.says_usage for report in alike[0]):
                continue
            for related in _related(alike):
                if len(related) > 1 and _span([report for reports in related for report in reports]) <= self.window:
                    self._best(related, instead)

    def _best(self, candidates: Sequence[list[Report]], instead: dict[str, Report]) -> list[Report]:
        """The candidate that counts."""
        best = min(candidates, key=self._rank)
        counting = min(best, key=_age)
        instead.update(
            {report.event_id: counting for reports in candidates if reports is not best for report in reports}
        )
        return best

    def _rank(self, reports: Sequence[Report]) -> tuple[int, bool, int, datetime, str]:
        first = (
            number
            for number, pattern in enumerate(self.sources)
            if any(fnmatchcase(report.source, pattern) for report in reports)
        )
        return (
            next(first, len(self.sources)),
            not all(report.priced for report in reports),
            -max(report.revision for report in reports),
            min(report.occurred_at for report in reports),
            min(report.event_id for report in reports),
        )


def report_of(event: Standing) -> Report:
    kept = event.kept
    served = kept["response_model"] or kept["model"]
    provider = provider_of(kept["provider"], kept["model"] or served)
    return Report(
        event.event_id,
        kept["source"],
        event.revision,
        event.priced,
        kept["occurred_at"],
        kept["booked_at"],
        kept["provider"],
        provider,
        model_of(provider, served),
        tuple([kept[name] or 0 for name in _METERS]),
        tuple([kept[name] or "" for name in _PARTS_DIFFER_IN]),
        tuple([kept[name] or "" for name in ATTRIBUTION_FIELDS]),
    )


def doubles_by_call(events: Mapping[str, Standing], precedence: Precedence) -> dict[str, Report]:
    """Of these events those that do not count, because another report of their call does. `events` holds every report
    of each call that is asked about."""
    calls: dict[Call, list[Report]] = {}
    for event in events.values():
        call = precedence.call_of(event)
        if call is not None:
            calls.setdefault(call, []).append(report_of(event))
    found: dict[str, Report] = {}
    for reports in calls.values():
        found |= precedence.doubles(reports)
    return found


def _that_counts(report: Report, instead: Mapping[str, Report]) -> Report:
    while report.event_id in instead:
        report = instead[report.event_id]
    return report


def _comes_to(reports: Sequence[Report]) -> tuple[Any, ...]:
    """The models and the sums of usage of what counts under one name."""
    sums = tuple([sum(report.meters[number] for report in reports) for number in _TOTALS])
    return (frozenset(report.model for report in reports), sums)


def _agreeing(sources: Sequence[list[Report]]) -> list[list[list[Report]]]:
    """Groups of sources that come, under some name of the provider, to what some other of the group comes to."""
    found: list[tuple[set[tuple[Any, ...]], list[list[Report]]]] = []
    for told in sources:
        mine = {_comes_to(named) for named in _grouped(told, lambda report: report.named)}
        same = [group for group in found if group[0] & mine]
        found = [group for group in found if group not in same]
        found.append((mine.union(*(group[0] for group in same)), [told, *(one for group in same for one in group[1])]))
    return [group for _, group in found]


def _related(names: Sequence[list[Report]]) -> list[list[list[Report]]]:
    """Groups of names that may be one, each with some other of its group."""
    found: list[list[list[Report]]] = []
    for reports in names:
        provider = reports[0].provider
        mine = [group for group in found if any(may_be_one(provider, other[0].provider) for other in group)]
        found = [group for group in found if group not in mine]
        found.append([reports, *(other for group in mine for other in group)])
    return found


def _grouped(items: Iterable[T], key: Callable[[T], Any]) -> list[list[T]]:
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _age(report: Report) -> tuple[datetime, str]:
    return report.occurred_at, report.event_id


def _span(reports: Sequence[Report]) -> timedelta:
    instants = [report.occurred_at for report in reports]
    return max(instants) - min(instants)

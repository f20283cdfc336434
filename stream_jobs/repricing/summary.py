"""What corrections come to, by model and team: shown before anything is posted, and kept with the run."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from stream_jobs.ledger.entries import Entries
from stream_jobs.repricing.corrections import Found

COUNTS: Final = (
    "events",
    "adjusted",
    "entries",
    "priced",
    "unpriced",
    "kept_price",
    "without_price",
    "bounded",
    "compared",
    "doubled",
    "expired",
)
SUMMARY_COLUMNS: Final = ("provider", "model", "response_model", "team")


class Heading(NamedTuple):
    """What differences are shown by."""

    provider: str
    model: str  # asked for, or served where the event names no other
    team: str


@dataclass(slots=True)
class Summary:
    """Counts (see Found), and per heading: adjusted events, and pico-USD of list, contracted and effective cost."""

    events: int = 0  # looked at
    adjusted: int = 0
    entries: int = 0  # adjustments
    priced: int = 0
    unpriced: int = 0
    kept_price: int = 0
    without_price: int = 0
    bounded: int = 0
    compared: int = 0
    doubled: int = 0
    expired: int = 0
    by_heading: dict[Heading, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Entries, found: Found) -> "Summary":
        summary = cls(
            events=found.events,
            adjusted=found.adjusted,
            entries=len(found.postings),
            **{name: getattr(found, name) for name in COUNTS[3:]},
        )
        providers, models, served, teams = (entries.values(name) for name in SUMMARY_COLUMNS)
        for posting in found.postings:
            row = posting.source
            owner = posting.target.owner
            team = owner.attributed.team if owner else teams[row]
            sums = summary.by_heading.setdefault(Heading(providers[row], models[row] or served[row], team), [0] * 4)
            # An event that moves is counted where it arrives.
            sums[0] += posting.events >= 0
            for n, cost in enumerate(posting.costs, 1):
                sums[n] += cost or 0
        return summary

    def add(self, other: "Summary") -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for heading, amounts in other.by_heading.items():
            sums = self.by_heading.setdefault(heading, [0] * 4)
            for n, amount in enumerate(amounts):
                sums[n] += amount

    def difference(self) -> tuple[int, int, int]:
        """Pico-USD of list, contracted and effective cost."""
        listed, contracted, effective = (sum(sums[n] for sums in self.by_heading.values()) for n in (1, 2, 3))
        return listed, contracted, effective

    def rows(self) -> list[tuple[Heading, list[int]]]:
        """The largest differences first, then by name."""
        return sorted(self.by_heading.items(), key=lambda item: (-abs(item[1][3]), -abs(item[1][1]), item[0]))

    def to_json(self) -> str:
        """Integers in JSON are exact."""
        counts: dict[str, Any] = {name: getattr(self, name) for name in COUNTS}
        return json.dumps(counts | {"by": [[*heading, *sums] for heading, sums in self.by_heading.items()]})

    @classmethod
    def from_json(cls, text: str) -> "Summary":
        document = json.loads(text)
        by = {Heading(*row[:3]): list(row[3:]) for row in document.pop("by")}
        return cls(**document, by_heading=by)


def total(summaries: Iterable[Summary]) -> Summary:
    """All of them together."""
    whole = Summary()
    for summary in summaries:
        whole.add(summary)
    return whole

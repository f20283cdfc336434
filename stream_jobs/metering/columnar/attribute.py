"""Attribution of a bundle: the rules are asked once per distinct combination of what they read."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.attribution.reported import reported_tags
from stream_jobs.attribution.rules import AttributionRules, Outcome
from stream_jobs.metering.columnar.events import TokenEvents
from stream_jobs.store.tables import TAGS
from stream_jobs.store.texts import Codes, Profiles, Texts, profiles

_FACTS: Final = frozenset({"source", "provider", "operation", "service_tier", "region"})
_UNALLOCATED: Final = pa.list_(pa.string())


@dataclass(slots=True)
class Attribution:
    """Whose the events are. `outcomes` by profile; `tags` are final."""

    tags: dict[str, Texts]
    profiles: Profiles
    outcomes: list[Outcome]
    reported: list[list[tuple[str, str]]]  # by profile: the tags that the rules changed, as the sender gave them

    def reported_tags(self) -> pa.Array:
        return pa.array(self.reported, TAGS).take(pa.array(self.profiles.of_row))

    def category(self) -> Texts:
        return Texts(self.profiles.of_row, [outcome.category for outcome in self.outcomes])

    def subcategory(self) -> Texts:
        return Texts(self.profiles.of_row, [outcome.subcategory for outcome in self.outcomes])

    def unallocated(self) -> pa.Array:
        lists = pa.array([list(outcome.unallocated) for outcome in self.outcomes], _UNALLOCATED)
        return lists.take(pa.array(self.profiles.of_row))

    def take(self, rows: Codes) -> "Attribution":
        tags = {name: texts.take(rows) for name, texts in self.tags.items()}
        return Attribution(
            tags, self.profiles._replace(of_row=self.profiles.of_row[rows]), self.outcomes, self.reported
        )


def attribute(events: TokenEvents, rules: AttributionRules) -> Attribution:
    """The same as `rules.apply` of every single event."""
    groups = profiles(_read_by(rules, events), len(events))
    examples = events.take(groups.example).facts()
    outcomes = [rules.decide(example) for example in examples]
    # A rule reads what it changes, so the events of a profile have said the same.
    reported = [reported_tags(example, rules.apply(example)) for example in examples]
    tags = {}
    for index, name in enumerate(ATTRIBUTION_FIELDS):
        texts = events.tags[name]
        patched = [dict(outcome.patch).get(index) for outcome in outcomes]
        if any(value is not None for value in patched):
            texts = _patched(texts, patched, groups.of_row)
        tags[name] = texts
    return Attribution(tags, groups, outcomes, reported)


def _read_by(rules: AttributionRules, events: TokenEvents) -> list[tuple[Codes, int]]:
    columns = []
    for name in sorted(rules.reads):
        if name == "model":
            texts = events.repeated["response_model"].or_else(events.repeated["model"])
        elif name in _FACTS:
            texts = events.repeated[name]
        elif name in events.tags:
            texts = events.tags[name]
        elif name.startswith("label."):
            texts = events.label(name.removeprefix("label."))
        else:
            continue  # what only other kinds of usage have
        columns.append((texts.codes, len(texts.values)))
    bounds = rules.bounds_us
    if bounds:
        columns.append((np.searchsorted(np.array(bounds, np.int64), events.occurred_us, "right"), len(bounds) + 1))
    return columns


def _patched(texts: Texts, patched: list[str | None], of_row: Codes) -> Texts:
    """The texts, replaced where the profile's outcome names another."""
    first = len(texts.values)
    replacement = np.array([first + i if value is not None else -1 for i, value in enumerate(patched)], np.int64)
    codes = replacement[of_row]
    return Texts(np.where(codes >= 0, codes, texts.codes), [*texts.values, *(value or "" for value in patched)])

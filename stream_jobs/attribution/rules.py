"""Who a cost belongs to: the rules of `attribution.yaml`, applied to one event at a time."""

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS, MANDATORY_TAGS
from stream_jobs.attribution.category import default_category, rule_values
from stream_jobs.attribution.cost_stack import StackStep, built_in_stack, compile_stack, subcategory_of
from stream_jobs.attribution.document import FACTS, FILE_NAME, LABEL_PREFIX, AttributionDocument, StackRule
from stream_jobs.attribution.steps import Step, Values, compile_conditions, compile_rule
from stream_jobs.base.documents import PlacedProblem, blaming, checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there
from stream_jobs.base.instants import unix_micros
from stream_jobs.base.yaml_files import read_yaml
from stream_jobs.facts import Facts

MEMO_ENTRIES: Final = 20_000
"""Outcomes remembered per period. One takes about 500 bytes; when full, the memo starts anew."""

_INDEX: Final = {name: index for index, name in enumerate(ATTRIBUTION_FIELDS)}
_EVENT_FACTS: Final = {
    "source": ("source",),
    "provider": ("provider",),
    "model": ("response_model", "model"),
    "operation": ("operation",),
    "service_tier": ("service_tier",),
    "region": ("region",),
    "kind": ("kind",),
}
_USAGE_FACTS: Final = ("accelerator", "instance_type", "purchase_option", "sku", "unit")
_CATEGORY_READS: Final = ("kind", "operation", "environment", "workload_type")


class Attributed(NamedTuple):
    """The outcome for one event: one text per attribution field ('' = nobody said), and what follows from them.

    A named tuple because one is made per event: a frozen dataclass takes five times as long.
    """

    project: str
    environment: str
    cost_center: str
    workload_type: str
    team: str
    owner: str
    budget_code: str
    feature: str
    customer: str
    user_id: str
    labels: Mapping[str, str]  # as the event gave them; not to be changed
    unallocated: tuple[str, ...]  # the mandatory tags that are missing
    category: str  # inference, infrastructure or development
    subcategory: str  # its second level: tokens, GPU compute, storage, ...


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """A rule that applied to an event, for people: the field it set, from what to what."""

    rule: str
    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class _CategoryStep:
    step: Step
    category: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules decide for all events that agree in what the rules read."""

    patch: tuple[tuple[int, str], ...]  # (index in ATTRIBUTION_FIELDS, the text that replaces the event's own)
    unallocated: tuple[str, ...]  # the mandatory tags that are missing
    category: str
    subcategory: str


class _Period:
    """The rules in force between two instants, and what they gave for the inputs seen so far."""

    __slots__ = ("category_steps", "memo", "stack", "steps")

    def __init__(
        self, steps: tuple[Step, ...], category_steps: tuple[_CategoryStep, ...], stack: tuple[StackStep, ...]
    ) -> None:
        self.steps = steps
        self.category_steps = category_steps
        self.stack = stack
        self.memo: dict[Any, Outcome] = {}


class AttributionRules:
    """Compiled rules. Build them with `load` or `from_document`; they never change afterwards.

    The model is mandatory too where there is one: the contract refuses token usage without a model, so it is never
    missing here.
    """

    def __init__(
        self,
        document: AttributionDocument,
        steps: tuple[Step, ...],
        category_steps: tuple[_CategoryStep, ...],
        stack: tuple[StackStep, ...],
        content: str,
    ) -> None:
        self._document = document
        self._content = content
        self.version = hashlib.sha256(content.encode()).hexdigest()[:12]
        """Hash of the rules' content: comments and layout of the file don't change it."""
        every = (*steps, *(item.step for item in category_steps), *(item.step for item in stack))
        self._bounds = sorted(
            {bound for step in every for bound in (step.valid_from, step.valid_to) if bound is not None}
        )
        # Between two neighbouring bounds the same rules are in force, so each stretch is prepared once.
        starts = [datetime.min.replace(tzinfo=bound.tzinfo) for bound in self._bounds[:1]] + self._bounds
        self.bounds_us = [unix_micros(bound) for bound in self._bounds]
        """The instants at which rules begin or end, in microseconds since 1970, ascending."""
        self._periods = [
            _Period(
                tuple(step for step in steps if step.valid_at(start)),
                tuple(item for item in category_steps if item.step.valid_at(start)),
                tuple(item for item in stack if item.step.valid_at(start)),
            )
            for start in starts
        ] or [_Period(steps, category_steps, stack)]
        reads = set(MANDATORY_TAGS).union(_CATEGORY_READS)
        for step in every:
            reads |= step.reads
        self.reads = frozenset(reads)
        """The selectors that an outcome depends on, beside the instant."""
        paths = [path for fact in _EVENT_FACTS if fact in reads for path in _EVENT_FACTS[fact]]
        self._inputs_of = attrgetter(*paths)
        self._tags_of = itemgetter(*(_INDEX[tag] for tag in ATTRIBUTION_FIELDS if tag in reads))
        self._label_names = tuple(sorted(name[len(LABEL_PREFIX) :] for name in reads if name.startswith(LABEL_PREFIX)))

    @classmethod
    def load(cls, config_dir: Path | None) -> "AttributionRules":
        """The rules of `config_dir`/attribution.yaml; without the folder or the file, no rules.

        Raises ConfigError with every problem of the file.
        """
        path = config_dir / FILE_NAME if config_dir else None
        if path is None or not is_there(path):
            return cls.from_document(AttributionDocument())
        return read_rules(path)[1]

    @classmethod
    def from_document(
        cls, document: AttributionDocument, ships: tuple[StackRule, ...] | None = None, content: str | None = None
    ) -> "AttributionRules":
        """Raises ConfigError with every problem, each with its place in the document.

        `ships` and `content` are those of another release, if the rules are: its mapping of the cost stack, and what it
        recorded.
        """
        ships = built_in_stack() if ships is None else ships
        problems: list[str] = []
        steps, category_steps = [], []
        for kind, rules in (
            ("rules", document.rules), ("categories", document.categories), ("cost_stack", document.cost_stack),
        ):  # fmt: skip
            names = [rule.name for rule in rules]
            problems += [
                PlacedProblem(f"{kind}: the name {name!r} is used {times} times", (kind, names.index(name)))
                for name, times in Counter(names).items()
                if times > 1
            ]
        for index, rule in enumerate(document.rules):
            found: list[str] = []
            steps.append(compile_rule(rule, document.tables, found))
            problems += [PlacedProblem(f"rules[{index}] {rule.name!r}: {text}", ("rules", index)) for text in found]
        for index, item in enumerate(document.categories):
            found = []
            tests, _ = compile_conditions(item, found)
            step = Step(
                item.name, item.valid_from, item.valid_to, tests, lambda _values, _groups: [], frozenset(item.when), ()
            )
            category_steps.append(_CategoryStep(step, item.category))
            problems += [
                PlacedProblem(f"categories[{index}] {item.name!r}: {text}", ("categories", index)) for text in found
            ]
        stack = compile_stack((*document.cost_stack, *ships), problems)
        if problems:
            raise ConfigError(problems)
        return cls(document, tuple(steps), tuple(category_steps), stack, content or _content(document, ships))

    def describe(self) -> dict[str, Any]:
        """What the rules are made of: JSON values, for the record of attribution versions."""
        document = self._document
        return {
            "version": self.version,
            "rules": len(document.rules),
            "tables": len(document.tables),
            "categories": len(document.categories),
            "cost_stack": len(document.cost_stack),
        }

    def content(self) -> str:
        """Everything that decides an outcome, as JSON: the built-in category rule's values, the mapping of the cost
        stack that ships, and the document."""
        return self._content

    def apply(self, facts: Facts) -> Attributed:
        """Who the event's cost belongs to, by the rules that were in force when it occurred."""
        outcome = self.decide(facts)
        row: list[Any] = [*facts.tags, facts.labels, outcome.unallocated, outcome.category, outcome.subcategory]
        for index, value in outcome.patch:
            row[index] = value
        return Attributed._make(row)

    def decide(self, facts: Facts) -> Outcome:
        """What `apply` applies: the same for all events that agree in `reads` and between two `bounds_us`."""
        period = self._periods[bisect_right(self._bounds, facts.occurred_at)]
        key = (self._inputs_of(facts), self._tags_of(facts.tags))
        if facts.kind != "tokens":
            key = (*key, *map(facts.usage.get, _USAGE_FACTS))
        if self._label_names:
            key = (*key, *map(facts.labels.get, self._label_names))
        outcome = period.memo.get(key)
        if outcome is None:
            outcome = self._decide(period, values_of(facts), None)
            if len(period.memo) >= MEMO_ENTRIES:
                period.memo.clear()
            period.memo[key] = outcome
        return outcome

    def explain(self, facts: Facts) -> tuple[Attributed, list[AppliedRule]]:
        """`apply`, and every change in the order it was made. The category and its second level come last."""
        applied: list[AppliedRule] = []
        self._decide(self._periods[bisect_right(self._bounds, facts.occurred_at)], values_of(facts), applied)
        return self.apply(facts), applied

    @staticmethod
    def _decide(period: _Period, values: Values, applied: list[AppliedRule] | None) -> Outcome:
        given = {tag: values.get(tag, "") for tag in ATTRIBUTION_FIELDS}
        for step in period.steps:
            for field, new in step.run(values) or ():
                if applied is not None:
                    applied.append(AppliedRule(step.name, field, values.get(field, ""), new))
                values[field] = new
        category, by = _category(period, values)
        subcategory, mapped_by = subcategory_of(category, period.stack, values)
        if applied is not None:
            applied.append(AppliedRule(by, "category", "", category))
            applied.append(AppliedRule(mapped_by, "subcategory", "", subcategory))
        return Outcome(
            tuple((_INDEX[tag], values[tag]) for tag, old in given.items() if values.get(tag, "") != old),
            tuple(tag for tag in MANDATORY_TAGS if not values.get(tag)),
            category,
            subcategory,
        )


def _category(period: _Period, values: Mapping[str, str]) -> tuple[str, str]:
    for item in period.category_steps:
        if item.step.run(dict(values)) is not None:
            return item.category, item.step.name
    names = ("kind", "environment", "workload_type", "operation", "accelerator", "unit")
    return default_category(*(values.get(name, "") for name in names)), "(built-in rule)"


def _content(document: AttributionDocument, ships: tuple[StackRule, ...]) -> str:
    content = {
        "built_in_categories": rule_values(),
        "built_in_cost_stack": [rule.model_dump(mode="json", exclude_none=True) for rule in ships],
        "document": document.model_dump(mode="json", exclude_none=True),
    }
    return json.dumps(content, ensure_ascii=False)


def values_of(facts: Facts) -> Values:
    """Everything a rule can look at, by selector; what the event does not say is left out."""
    found: dict[str, Any] = {name: getattr(facts, name, None) or facts.usage.get(name) for name in FACTS}
    found["model"] = facts.response_model or facts.model
    found.update(zip(ATTRIBUTION_FIELDS, facts.tags, strict=True))
    for name, value in facts.labels.items():
        found[LABEL_PREFIX + name] = value
    return {name: value for name, value in found.items() if value}


def rules_of(version: str, content: str) -> AttributionRules:
    """The rules of that version, from their `content`. Raises ConfigError if this release cannot make them any more."""
    try:
        recorded = json.loads(content)
        document = AttributionDocument.model_validate(recorded["document"])
        # Before the cost stack had a second level, none was recorded: the one that ships puts the same there as the
        # ledger's own default does.
        mapping = recorded.get("built_in_cost_stack")
        ships = None if mapping is None else AttributionDocument.model_validate({"cost_stack": mapping}).cost_stack
        known = recorded["built_in_categories"] == rule_values()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"what was recorded for attribution rules {version} cannot be read: {error}") from error
    rules = AttributionRules.from_document(document, ships, content)
    if rules.version != version or not known:
        raise ConfigError(f"the content recorded for attribution rules {version} makes other rules ({rules.version})")
    return rules


def read_document(path: Path) -> AttributionDocument:
    """The checked document. Raises ConfigError with every problem, each with file and line."""
    return checked(read_yaml(path), AttributionDocument)


def read_rules(path: Path) -> tuple[AttributionDocument, AttributionRules]:
    """The file as it is written, and compiled. Raises ConfigError like `read_document`."""
    source = read_yaml(path)
    document = checked(source, AttributionDocument)
    with blaming(source):
        return document, AttributionRules.from_document(document)

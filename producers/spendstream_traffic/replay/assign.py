"""Attribution by rules for traffic that carries none: lists that are dealt out in turn, by weight, or by number.

    seed: autumn                    # optional; another seed deals differently
    rules:
      - field: team
        round_robin: [search, support, growth]
      - field: project
        by: team                    # the same team always gets the same project
        weights: {chat: 5, rag: 3, batch-summaries: 1}
      - field: user_id
        numbered: {prefix: user-, count: 500}
      - field: labels.region
        value: eu

Choices by weight and by number come from a hash of the seed, the field and the event's id (or of the field named by
`by`), so they are the same in every run and do not depend on the order of the events.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spendstream_schemas import ATTRIBUTION_FIELDS
from stream_jobs.base.documents import checked
from stream_jobs.base.yaml_files import read_yaml

_Value = Annotated[str, Field(min_length=1, max_length=128)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Numbered(_Strict):
    """prefix0 ... prefix(count-1)."""

    prefix: Annotated[str, Field(max_length=64)]
    count: Annotated[int, Field(ge=1, le=10_000_000)]


class Rule(_Strict):
    """How one attribution field is filled where an event does not say it."""

    field: str
    by: str | None = None
    value: _Value | None = None
    round_robin: Annotated[list[_Value], Field(min_length=1)] | None = None
    weights: Annotated[dict[_Value, Annotated[int, Field(ge=1, le=10**9)]], Field(min_length=1)] | None = None
    numbered: Numbered | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        for name in (self.field, *([self.by] if self.by else [])):
            if name not in ATTRIBUTION_FIELDS and not (name.startswith("labels.") and len(name) > len("labels.")):
                raise ValueError(
                    f"{name!r} is no attribution field; use {', '.join(ATTRIBUTION_FIELDS)} or labels.NAME"
                )
        given = [key for key in ("value", "round_robin", "weights", "numbered") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"{self.field}: give exactly one of value, round_robin, weights, numbered")
        if self.by and given[0] in ("value", "round_robin"):
            raise ValueError(f"{self.field}: by goes with weights or numbered only")
        return self


class RuleFile(_Strict):
    """The whole file."""

    seed: str = ""
    rules: Annotated[list[Rule], Field(min_length=1)]


class Assigner:
    """Fills missing attribution fields, rule by rule."""

    def __init__(self, rules: RuleFile) -> None:
        self._seed = rules.seed
        self._steps = [(rule, *_weighted(rule)) for rule in rules.rules]

    def fill(self, attribution: dict[str, Any], event_id: str, number: int) -> None:
        """Change `attribution` in place; `number` counts the events from 0 and drives what is dealt in turn."""
        for rule, names, bounds in self._steps:
            target, key = attribution, rule.field
            if key.startswith("labels."):
                target, key = attribution.setdefault("labels", {}), key.removeprefix("labels.")
            if target.get(key) is not None:
                continue
            if rule.value is not None:
                target[key] = rule.value
            elif rule.round_robin is not None:
                target[key] = rule.round_robin[number % len(rule.round_robin)]
            else:
                pick = self._hash(rule, attribution, event_id)
                if rule.numbered is not None:
                    target[key] = f"{rule.numbered.prefix}{pick % rule.numbered.count}"
                else:
                    target[key] = names[bisect_right(bounds, pick % bounds[-1])]

    def _hash(self, rule: Rule, attribution: dict[str, Any], event_id: str) -> int:
        basis = event_id
        if rule.by:
            basis = (
                attribution.get("labels", {}).get(rule.by.removeprefix("labels."))
                if rule.by.startswith("labels.")
                else attribution.get(rule.by)
            ) or event_id
        parts = (self._seed, rule.field, basis)
        text = "".join(f"{len(part)}:{part}" for part in parts)  # lengths keep ('a', 'bc') and ('ab', 'c') apart
        return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _weighted(rule: Rule) -> tuple[Sequence[str], Sequence[int]]:
    weights = rule.weights or {}
    return tuple(weights), tuple(accumulate(weights.values()))


def load_rules(path: Path) -> Assigner:
    """Raises ConfigError with every problem of the file."""
    return Assigner(checked(read_yaml(path), RuleFile, label="field"))

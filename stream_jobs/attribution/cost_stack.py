"""The second level of the cost stack: what a cost was for within its category.

`cost_stack` in attribution.yaml is asked first, then the mapping that ships beside this module. That has a rule without
conditions at the end of each category: so everything is in exactly one second level, and these add up to the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from stream_jobs.attribution.document import AttributionDocument, StackRule
from stream_jobs.attribution.steps import Step, compile_conditions
from stream_jobs.base.documents import PlacedProblem, checked
from stream_jobs.base.yaml_files import read_yaml

BUILT_IN: Final = Path(__file__).with_name("cost_stack.yaml")


@dataclass(frozen=True, slots=True)
class StackStep:
    """One rule, ready to run."""

    step: Step
    category: str
    subcategory: str


@cache
def built_in_stack() -> tuple[StackRule, ...]:
    """The mapping that ships."""
    return checked(read_yaml(BUILT_IN), AttributionDocument).cost_stack


def compile_stack(rules: Sequence[StackRule], problems: list[str]) -> tuple[StackStep, ...]:
    """The rules as steps, in their order. What is wrong with them is added to `problems`."""
    steps = []
    for index, rule in enumerate(rules):
        found: list[str] = []
        tests, _ = compile_conditions(rule, found)
        step = Step(rule.name, rule.valid_from, rule.valid_to, tests, lambda _v, _g: [], frozenset(rule.when), ())
        steps.append(StackStep(step, rule.category, rule.subcategory))
        problems += [
            PlacedProblem(f"cost_stack[{index}] {rule.name!r}: {text}", ("cost_stack", index)) for text in found
        ]
    return tuple(steps)


def subcategory_of(category: str, steps: Sequence[StackStep], values: Mapping[str, str]) -> tuple[str, str]:
    """(the second level, the name of the rule that says so)."""
    for item in steps:
        if item.category == category and item.step.run(dict(values)) is not None:
            return item.subcategory, item.step.name
    return "", "(no rule)"

"""What must be right between budgets."""

import time
from itertools import product
from typing import Any

import pytest

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms.checks import narrows
from tests.unit.budget_terms.build import budget, budgets

VALUES = ("", "a", "b", "ab", "abc", "c", "zzz", "*")
CONDITIONS: tuple[Any, ...] = (
    "a",
    ["a", "b"],
    {"any_of": ["a", "b", "ab", "abc", "c", "zzz", "*"]},
    {"glob": ["a*", "b"]},
    {"glob": ["ab", "[ac]"]},
    {"none_of": ["a"]},
    {"none_of": ["a", "b"]},
    {"none_of": ["c"]},
    {"glob": "*"},
    {"glob": "a*"},
    {"glob": "ab*"},
    {"glob": "[ab]"},
    {"glob": "a"},
    {"glob": "[*]"},
    {"missing": True},
    {"missing": False},
)


def condition(value: Any) -> Condition:
    return Condition.model_validate(value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([budget("a"), budget("a")], "budget 'a': 2 budgets have this id"),
        ([budget("a", parent="b")], "budget 'a': parent: there is no budget 'b'"),
        ([budget("a", parent="a")], "budget 'a': parent: goes round in a circle: a in a"),
        (
            [budget("a", parent="b"), budget("b", parent="c"), budget("c", parent="a")],
            "budget 'b': parent: goes round in a circle: b in c in a in b",
        ),
        ([budget("a", currency="EUR")], "budget 'a': currency: there is no rate of EUR in currencies"),
        ([budget("a", period={"calendar": "x"})], "budget 'a': period: there is no calendar 'x'; known: none"),
        (
            [budget("p", scope={"team": "a"}), budget("c", parent="p")],
            "budget 'c': scope: has no condition on team, but its parent 'p' has",
        ),
        (
            [budget("p", scope={"team": ["a", "b"]}), budget("c", parent="p", scope={"team": ["a", "c"]})],
            "budget 'c': scope: team holds for values that it does not hold for in its parent 'p'",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(given: list[Any], problem: str) -> None:
    """With the budget's id and what is wrong."""
    with pytest.raises(ConfigError) as caught:
        budgets(*given)
    assert problem in caught.value.problems


def test_long_chains_and_circles_are_told_apart_at_once() -> None:
    """Each budget is passed once: thousands in a row, which the time of a cycle must suffice for, and not minutes. Of a
    large circle the beginning is named."""
    count = 5_000
    chain = [budget(f"b{n}", parent=f"b{n + 1}") for n in range(count)]
    began = time.process_time()
    assert len(budgets(*chain, budget(f"b{count}"))) == count + 1
    with pytest.raises(ConfigError) as caught:
        budgets(*chain, budget(f"b{count}", parent="b1"))
    assert time.process_time() - began < 20  # before: minutes
    problems = caught.value.problems
    assert len(problems) == count  # b0 lies below the circle, and not in it
    assert problems[0] == "budget 'b1': parent: goes round in a circle: " + " in ".join(
        [*(f"b{n}" for n in range(1, 9)), "...", "b1"]
    )


def test_all_problems_come_at_once() -> None:
    """A circle does not hide an unknown currency; a budget beside a circle is not blamed for it."""
    with pytest.raises(ConfigError) as caught:
        budgets(budget("a", parent="b"), budget("b", parent="a"), budget("c", parent="a"), budget("d", currency="XXX"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["budget 'a'", "budget 'b'", "budget 'd'"]


def test_a_child_may_narrow_further_and_look_at_more() -> None:
    """A subset of the values, and conditions on fields that its parent does not look at."""
    parent = budget("p", scope={"team": ["a", "b"], "model": {"glob": "gpt-*"}})
    child = budget("c", parent="p", scope={"team": "a", "model": {"glob": "gpt-4*"}, "feature": {"missing": False}})
    assert [item.id for item in budgets(parent, child).children("p")] == ["c"]


@pytest.mark.parametrize(("inner", "outer"), list(product(CONDITIONS, CONDITIONS)))
def test_narrowing_agrees_with_the_values_themselves(inner: Any, outer: Any) -> None:
    """Where it says yes no value contradicts; where one contradicts it never says yes."""
    one, two = condition(inner), condition(outer)
    contradicted = any(one.holds(value) and not two.holds(value) for value in VALUES)
    assert not (narrows(one, two) and contradicted)
    if contradicted:
        assert narrows(one, two) is False or "glob" in (*inner, *outer)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (["a", "b"], {"glob": "?"}, True),
        ("a", {"none_of": ["b"]}, True),
        ({"none_of": ["a", "b"]}, {"none_of": ["a"]}, True),
        ({"none_of": ["a"]}, {"none_of": ["a", "b"]}, False),
        ({"none_of": ["a"]}, {"missing": False}, False),
        ({"glob": "a*"}, {"missing": False}, True),
        ({"glob": "a*"}, {"missing": True}, False),
        ({"glob": "a*"}, {"none_of": ["abc"]}, False),
        ({"glob": "a*"}, {"none_of": ["b"]}, True),
        ({"glob": "a*"}, ["a", "ab"], False),
        ({"glob": "[ab]"}, ["a", "b"], None),
        ({"glob": "ab*"}, {"glob": "a*"}, None),
        ({"glob": "ab*"}, {"glob": "ab*"}, True),
        ({"missing": False}, {"glob": "*"}, True),
        ({"missing": False}, {"glob": "a*"}, None),
        ({"missing": False}, "a", False),
        ({"missing": True}, {"none_of": ["a"]}, True),
        ({"missing": True}, {"missing": True}, True),
    ],
)
def test_narrowing(inner: Any, outer: Any, expected: bool | None) -> None:
    """Yes, no, or cannot be told."""
    assert narrows(condition(inner), condition(outer)) is expected


def test_more_labels_than_deltas_tell_are_refused() -> None:
    """With their names, and what to do."""
    many = [budget(f"b{number}", scope={f"labels.l{number}": "x"}) for number in range(8)]
    assert len(budgets(*many)) == 8
    with pytest.raises(ConfigError, match=r"9 labels \(l0, .*, l7, other\), at most 8 .* with a rule in attribution"):
        budgets(*many, budget("more", per=["labels.other"]))

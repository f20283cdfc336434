"""What a text in the place of a condition stands for: the same in scopes and in the rules of attribution."""

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendstream_schemas.budget_feed import BudgetPolicy
from spendstream_schemas.scope import Condition, short_form, version_of
from stream_jobs.attribution.document import Match

CASES: list[tuple[Any, list[str], list[str]]] = [
    ("alpha", ["alpha"], ["alpha-1", "", "Alpha"]),
    ("alpha*", ["alpha", "alpha-1", "alpha*"], ["", "beta", "xalpha"]),
    ("team-?", ["team-1", "team-?"], ["team-", "team-12", ""]),
    (["alpha*", "beta"], ["alpha-1", "beta"], ["beta-1", "gamma", ""]),
    (["a", "b"], ["a", "b"], ["c", ""]),
    ("*", ["x", "*", "\n"], [""]),
    ({"any_of": ["alpha*"]}, ["alpha*"], ["alpha-1", ""]),
    ({"none_of": ["alpha*"]}, ["alpha-1", ""], ["alpha*"]),
    ({"glob": "[ab]?"}, ["a1", "b?"], ["c1", "[ab]?"]),
    ({"any_of": ["Acme [EU]"]}, ["Acme [EU]"], ["Acme E"]),
    ("a[b", ["a[b"], ["ab"]),
    ("a[b*", ["a[b", "a[bc"], ["ab"]),
    ("\\*", ["\\", "\\x"], ["*"]),
    ("100%_*", ["100%_", "100%_x"], ["100xyz", "100%"]),
]


@pytest.mark.parametrize(("written", "holds", "others"), CASES)
def test_a_star_or_a_question_mark_makes_a_text_a_pattern(written: Any, holds: list[str], others: list[str]) -> None:
    """It matches what it says, and never silently nothing; what is meant literally has a form of its own."""
    condition = Condition.model_validate(written)
    assert [value for value in (*holds, *others) if condition.holds(value)] == holds


@pytest.mark.parametrize(
    "written", [case[0] for case in CASES if not (isinstance(case[0], dict) and "none_of" in case[0])]
)
def test_rules_of_attribution_take_the_same_texts_the_same_way(written: Any) -> None:
    """Nobody has to know two languages of patterns."""
    condition, match = Condition.model_validate(written), Match.model_validate(written)
    assert (match.any_of, match.glob) == (condition.any_of, condition.glob)


@pytest.mark.parametrize("written", ["team-[ab]", "Acme [EU]", "gpt-[45]*", ["a", "[!x]"]])
def test_brackets_are_refused_with_both_ways_to_say_it(written: Any) -> None:
    """A class of characters for one, a part of the name for another: neither is guessed."""
    for model in (Condition, Match):
        with pytest.raises(ValidationError, match=r"write \{glob: '.*'\} if .*, \{any_of: \['.*'\]\} if"):
            model.model_validate(written)


def test_a_text_of_brackets_is_refused_in_no_time() -> None:
    """However long it is: its length is bounded after this."""
    began = time.process_time()
    for text in ("[" * 60_000, "[" * 60_000 + "]", "*" * 60_000, "]" * 60_000 + "["):
        with pytest.raises(ValidationError):
            Condition.model_validate(text)
    assert time.process_time() - began < 1


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=128))
def test_a_text_that_is_taken_holds_for_itself(text: str) -> None:
    """Whatever characters it has: a scope that names a value is never a scope that leaves it out."""
    try:
        short_form(text)
    except ValueError:
        assert "[" in text
        return
    assert Condition.model_validate(text).holds(text)


@pytest.mark.parametrize(
    ("scope", "per", "version"),
    [
        ({}, (), 1),
        ({"team": "alpha*", "model": {"missing": True}}, ("user_id",), 1),
        ({"team": ["alpha*", "beta*"]}, (), 2),
        ({"labels.tenant": "x"}, (), 2),
        ({}, ("source",), 2),
        ({"region": {"none_of": ["eu"]}}, (), 2),
        ({"team": {"any_of": ["x" * 129]}}, (), 2),
    ],
)
def test_a_policy_says_which_readers_understand_it(scope: dict[str, Any], per: tuple[str, ...], version: int) -> None:
    """One of version 1 refuses what it would take for something else."""
    given = {name: Condition.model_validate(condition) for name, condition in scope.items()}
    assert version_of(given, per) == version
    for said in (1, 2):
        if said < version:
            with pytest.raises(ValidationError, match="schema_version must be 2 for this scope"):
                BudgetPolicy(schema_version=said, budget_id="b", scope=given, per=per, amount_usd=Decimal(1))
        else:
            BudgetPolicy(schema_version=said, budget_id="b", scope=given, per=per, amount_usd=Decimal(1))

"""How scopes lie to each other is said where it can be told, and nothing is claimed where not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas.scope import Condition, in_scope
from stream_jobs.planned.overlap import overlap

SEARCH = {"team": "search"}


def conditions(scope: dict[str, Any]) -> dict[str, Condition]:
    return {field: Condition.model_validate(value) for field, value in scope.items()}


@pytest.mark.parametrize(
    ("scope", "series", "inside", "encloses", "apart"),
    [
        (SEARCH, SEARCH, True, True, False),
        (SEARCH, {**SEARCH, "model": "m"}, True, False, False),
        (SEARCH, {}, False, True, False),
        ({}, SEARCH, True, False, False),
        ({}, {}, True, True, False),
        (SEARCH, {"team": "ads"}, False, False, True),
        (SEARCH, {"model": "m"}, False, False, False),
        (SEARCH, {"team": ["search", "ads"]}, False, True, False),
        ({"model": "gpt-*"}, {"model": "gpt-5"}, True, False, False),
        ({"model": "gpt-*"}, {"model": "claude"}, False, False, True),
        ({"model": "gpt-*"}, {"model": "gpt-*"}, True, True, False),
        ({"model": "gpt-*"}, {"model": "gpt-5*"}, False, False, False),
        ({"team": {"missing": True}}, SEARCH, False, False, True),
        (SEARCH, {"team": {"missing": False}}, False, True, False),
        (SEARCH, {"team": {"none_of": ["search"]}}, False, False, True),
    ],
)
def test_scopes_are_compared(
    scope: dict[str, Any], series: dict[str, Any], inside: bool, encloses: bool, apart: bool
) -> None:
    """Field by field."""
    found = overlap(conditions(scope), conditions(series))
    assert (found.inside, found.encloses, found.apart) == (inside, encloses, apart)
    assert found.part == (not inside and not apart)


CONDITION = st.sampled_from(
    ["a", ["a", "b"], {"none_of": ["a"]}, {"glob": "a*"}, {"missing": True}, {"missing": False}, ["b", "c"]]
)
SCOPE = st.dictionaries(st.sampled_from(["team", "model"]), CONDITION, max_size=2)
FACTS = st.fixed_dictionaries({name: st.sampled_from(["", "a", "ab", "b", "c"]) for name in ("team", "model")})


@given(SCOPE, SCOPE, FACTS)
def test_what_is_claimed_holds_for_every_entry(
    scope: dict[str, Any], series: dict[str, Any], facts: dict[str, str]
) -> None:
    """Whatever it says of itself."""
    one, two = conditions(scope), conditions(series)
    found = overlap(one, two)
    in_one, in_two = in_scope(one, facts), in_scope(two, facts)
    assert not (found.inside and in_two and not in_one)
    assert not (found.encloses and in_one and not in_two)
    assert not (found.apart and in_one and in_two)

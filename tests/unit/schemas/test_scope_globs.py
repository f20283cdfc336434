"""Shell patterns: what they match, and that whoever writes one cannot keep us busy with it."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendstream_schemas.scope import Condition, glob_regex

LETTERS = st.text("ab*?[]!-", min_size=1, max_size=9)


@given(LETTERS, st.text("ab]!-\n", min_size=1, max_size=9))
def test_a_pattern_matches_what_its_regular_expression_matches(glob: str, value: str) -> None:
    """The one that ClickHouse is given: both sides of a budget's sums must look at the same entries."""
    try:
        expected = re.compile(glob_regex(glob) + r"\Z").match(value) is not None
    except re.error:
        return
    assert Condition(glob=glob).holds(value) == expected


def test_a_pattern_of_stars_is_tried_in_no_time() -> None:
    """Each star doubles the work of a matcher that goes back; the longest pattern has a hundred and twenty."""
    began = time.process_time()
    for glob in ("*a" * 120 + "b", "*?" * 120 + "b", "*" * 250 + "b", "*a?" * 80 + "[!a]"):
        assert not Condition(glob=glob).holds("a" * 128)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("glob", "matches", "others"),
    [
        ("[a-c]", "abc", "-d"),
        ("[--a]", "-0A_a", "b,"),
        ("[a-]", "a-", "b"),
        ("[a-c-e]", "abc-e", "d"),
        ("[!--]", "a", "-"),
        ("[]-]", "]-", "a"),
        ("[&&~~||]", "&~|", "a"),
        ("[\\d]", "\\d", "1"),
    ],
)
def test_what_stands_in_brackets_is_characters_and_ranges(glob: str, matches: str, others: str) -> None:
    """Whatever it means in a regular expression."""
    condition = Condition(glob=glob)
    assert [value for value in matches + others if condition.holds(value)] == list(matches)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    """With the pattern, and not with a warning of Python's."""
    with pytest.raises(ValidationError, match="is not a shell pattern: bad character range"):
        Condition(glob="[?--]")

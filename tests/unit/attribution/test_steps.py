"""Patterns of the rules."""

import fnmatch

import re2
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.attribution.steps import glob_to_regex

_GLOB_PARTS = st.sampled_from(["*", "?", "[ab]", "[!ab]", "[a-c]", "a", "b", ".", "-", "+", "(", "\\", "^", "é", " "])


@given(st.lists(_GLOB_PARTS, max_size=6).map("".join), st.text("abcd.-+(\\^é ", max_size=6))
def test_globs_mean_what_the_shell_means(glob: str, value: str) -> None:
    """The standard library's fnmatch is the oracle."""
    assert bool(re2.fullmatch(glob_to_regex(glob), value)) == fnmatch.fnmatchcase(value, glob)


@given(st.text(max_size=20))
def test_every_glob_compiles_or_is_reported(glob: str) -> None:
    """Odd brackets either stand for themselves or are refused by the engine; nothing else is raised."""
    try:
        re2.compile(glob_to_regex(glob))
    except re2.error:
        assert "[" in glob

"""Reading SQL text: statements end at semicolons, but not at those inside of strings and comments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.sql_text import SqlTextError, split_statements, tokens

HIDDEN = (
    "'a;b'",
    "'it''s;'",
    "'\\';'",
    '"a;b"',
    "`a;b`",
    "/* ; /* ; */ ; */",
    "-- ;\n",
    "# ;\n",
    "#!;\n",
    "$t$;'$t$",
    "$$;$$",
)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_hidden_semicolon_does_not_end_a_statement(hidden: str) -> None:
    """Strings, identifiers, comments and heredocs may hold semicolons and quotes."""
    assert len(split_statements(f"SELECT {hidden} + 1; SELECT 2;")) == 2


def test_comments_around_statements_are_dropped() -> None:
    """A statement runs from its first token to its last."""
    assert split_statements("-- a\nSELECT /* b */ 1 -- c\n;;\n/* d */ ;SELECT 2") == ["SELECT /* b */ 1", "SELECT 2"]
    assert split_statements(" -- nothing\n ; ") == []


@pytest.mark.parametrize("sql", ["SELECT 'a", 'SELECT "a', "SELECT `a", "/* /* */", "SELECT $a$ b", "SELECT 'a\\'"])
def test_what_is_not_closed_is_an_error(sql: str) -> None:
    """Guessing where it ends could run half a statement."""
    with pytest.raises(SqlTextError):
        split_statements(sql)


def test_names_are_read_bare() -> None:
    """Quotes and escapes of an identifier hide nothing."""
    assert [token.value for token in tokens('a `b` "c" `d``e` "f\\"g"')] == ["a", "b", "c", "d`e", 'f"g']


@given(st.lists(st.sampled_from([*HIDDEN, "SELECT", "1", "(", ")", ",", " ", "\n", "é", "\xa0", "f1"]), max_size=30))
def test_tokens_cover_the_text_in_order(parts: list[str]) -> None:
    """Positions never overlap, never go back, and give the token's own text."""
    sql = " ".join(parts)
    position = 0
    for token in tokens(sql):
        assert token.start >= position
        assert sql[token.start : token.end] == token.text
        position = token.end


@given(st.lists(st.sampled_from([*HIDDEN, "SELECT 1", "a + b"]), min_size=1, max_size=8))
def test_joined_statements_come_apart_again(parts: list[str]) -> None:
    """Splitting what was joined by semicolons gives as many statements."""
    statements = [f"SELECT {part}\n+ 1" for part in parts]
    assert split_statements(";\n".join(statements)) == statements

"""Long texts are taken out of a statement and put back as literals, and as nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.embedded.canonical import read_tokens
from stream_jobs.store.embedded.literals import LONG, put_back, taken_out

IDS = "[" + ",".join(f'"id-{number}"' for number in range(500)) + "]"


def test_a_long_text_goes_and_comes_back() -> None:
    """What is left is short and the same for every list of ids."""
    sql = f"SELECT JSONExtract('{IDS}', 'Array(String)')"
    short, texts = taken_out(sql)
    assert short == "SELECT JSONExtract({spendstream_literal_0:String}, 'Array(String)')"
    assert put_back(short, read_tokens(short), texts) == sql


@pytest.mark.parametrize(
    "sql", ["SELECT 'short'", f"SELECT 1, '{IDS[:100]}'", f"SELECT {{spendstream_literal_0:String}}, '{IDS}'"]
)
def test_what_stays_as_it_is(sql: str) -> None:
    """Short texts, and statements that speak of our own parameters."""
    assert taken_out(sql) == (sql, [])


@given(st.lists(st.text("ab'\\\"`-*/ \n;$\u2018", max_size=40), min_size=1, max_size=4))
def test_only_whole_literals_are_put_back(parts: list[str]) -> None:
    """Whatever quotes and escapes are in it: a text is one literal, so it ends where it began to end."""
    sql = "SELECT " + ", ".join(f"'{part}{'x' * LONG}'" for part in parts)
    _, texts = taken_out(sql)
    for text in texts:
        assert text[0] == text[-1] == "'"
        assert [token.kind for token in read_tokens(text)] == ["text"]


@pytest.mark.parametrize(
    "line",
    [
        "SELECT 1",
        "SELECT {spendstream_literal_1:String}",
        "SELECT '{spendstream_literal_0:String}'",
        "SELECT {other:String}",
    ],
)
def test_a_text_that_the_engine_did_not_read_as_one_is_not_put_back(line: str) -> None:
    """It stood in a comment, or within another text: then the whole statement is read as it came."""
    assert put_back(line, read_tokens(line), [f"'{IDS}'"]) is None

"""Reading the engine's own canonical line: whatever is not expected there is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.store.embedded.canonical import MAX_TOKENS, canonical_text, quoted_name, read_tokens, unescape
from stream_jobs.store.embedded.errors import EngineError


def values(line: str) -> list[tuple[str, str]]:
    return [(token.kind, token.value) for token in read_tokens(line)]


def test_words_names_texts_numbers_and_signs() -> None:
    """The kinds of a line; a name loses its quotes and escapes, a text keeps them."""
    assert values("SELECT `a\\`b`, f('it\\'s (x)', 1.5) AS x1") == [
        ("word", "SELECT"), ("name", "a`b"), ("sign", ","), ("word", "f"), ("sign", "("), ("text", "'it\\'s (x)'"),
        ("sign", ","), ("number", "1.5"), ("sign", ")"), ("word", "AS"), ("word", "x1"),
    ]  # fmt: skip


def test_a_call_is_tight() -> None:
    """Where a parenthesis follows without a space the engine has written a call."""
    tight = {token.value: token.tight for token in read_tokens("INSERT INTO t (a) SELECT f(x)") if token.kind == "word"}
    assert (tight["t"], tight["f"]) == (False, True)


@pytest.mark.parametrize(
    "line",
    [
        "SELECT 1 -- a", "SELECT /* a */ 1", "SELECT $$a$$", 'SELECT "a"', "SELECT \u2018a\u2019", "SELECT 'a''b'",
        "SELECT `a``b`", "SELECT 'open", "SELECT `open", "SELECT 1 # a", "SELECT \u00a01", "SELECT caf\u00e9",
        "SELECT '\\",
    ],
)  # fmt: skip
def test_what_no_canonical_line_holds_is_refused(line: str) -> None:
    """Comments, heredocs, quotes of other kinds, letters of other alphabets outside of quotes, what is not closed."""
    with pytest.raises(EngineError, match="cannot be judged"):
        read_tokens(line)


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(EngineError, match="too many parts"):
        read_tokens("1," * MAX_TOKENS)


@given(st.text())
def test_any_line_is_read_whole_or_refused(line: str) -> None:
    """Between the tokens lie spaces and nothing else: no part of a line is passed over."""
    try:
        found = read_tokens(line)
    except EngineError:
        return
    covered = "".join(line[token.start : token.end] for token in found)
    assert covered == "".join(
        line[at] for at in range(len(line)) if any(token.start <= at < token.end for token in found)
    )
    rest = list(line)
    for token in found:
        rest[token.start : token.end] = [""] * (token.end - token.start)
    assert set("".join(rest)) <= {" ", "\n"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_name_is_one_name(name: str) -> None:
    """Whatever it holds, it is read as that name again."""
    assert [token.value for token in read_tokens(quoted_name(name))] == [name]


@pytest.mark.parametrize(("text", "plain"), [("a\\x62", "ab"), ("\\n\\t", "\n\t"), ("\\'\\\\", "'\\"), ("\\q", "q")])
def test_unescape(text: str, plain: str) -> None:
    assert unescape(text) == plain


def test_errors_do_not_show_our_question() -> None:
    """The engine tells of the question around the text; the caller only of the text."""
    message = (
        "Code: 62. DB::Exception: Syntax error: failed at position 8 (x): x. Expected one of: y: In scope SELECT "
        "formatQuerySingleLine(base64Decode('U0VM')) AS text. (SYNTAX_ERROR)"
    )

    def ask(sql: str, output_format: str) -> bytes:
        raise EngineError(62, message)

    with pytest.raises(EngineError) as caught:
        canonical_text(ask, "SELECT x")
    assert "base64" not in str(caught.value)
    assert str(caught.value).endswith("(SYNTAX_ERROR)")


@given(st.text())
def test_no_text_gets_out_of_its_question(text: str) -> None:
    """It travels as base64: no quote ends it early."""
    asked: list[str] = []

    def ask(sql: str, output_format: str) -> bytes:
        asked.append(sql)
        return b"SELECT 1"

    canonical_text(ask, text)
    inner = asked[0].removeprefix("SELECT formatQuerySingleLine(base64Decode('").removesuffix("')) AS text")
    assert all(letter.isascii() and (letter.isalnum() or letter in "+/=") for letter in inner)

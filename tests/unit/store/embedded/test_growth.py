"""The bound on a canonical line is never below what the engine may write, and lets pass what people write."""

import re

import pytest

from stream_jobs.store.embedded.growth import MAX_GROWN_BYTES, Lexeme, bound, grown_bytes, is_short

_KINDS = {"(": "OpeningRoundBracket", ")": "ClosingRoundBracket", ",": "Comma", "'": "StringLiteral"}


def lexemes(text: bytes) -> list[Lexeme]:
    """As the engine cuts such simple texts."""
    found = []
    for match in re.finditer(rb"\w+|'[^']*'|\S", text):
        word = match.group().decode()
        kind = "Number" if word.isdigit() else _KINDS.get(word[0], "BareWord" if word[0].isalpha() else "Sign")
        found.append(Lexeme(kind, match.start(), match.end()))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "(" * 30 + "x" + " BETWEEN 1 AND 2)" * 30,
        "x" + " BETWEEN 1 AND 2" * 30,
        "x" + " BETWEEN 1 + and + 1 AND 2" * 30,
        "x" + " BETWEEN 1 AND x + or" * 30,
        "x" + " BETWEEN CASE WHEN 1 AND 2 THEN 3 END + 1 AND 4" * 30,
        "(CASE WHEN 1 THEN " * 30 + "x" + " END BETWEEN 1 AND 2)" * 30,
        "f(1, " * 30 + "x" + " BETWEEN 1 AND 2) BETWEEN 3 AND 4" * 30,
    ],
)
def test_what_doubles_with_each_level_is_found(text: str) -> None:
    """Also where a column has the name of an operator, and behind CASE ... END."""
    plain = text.encode()
    assert not is_short(plain)
    assert grown_bytes(plain, lexemes(plain)) > bound(plain)


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(f"x BETWEEN {n} AND 1" for n in range(500)),
        " AND ".join(f"f(x, 'a') BETWEEN g({n}) AND g(1)" for n in range(500)),
        ", ".join(f"countIf(x BETWEEN {n} AND 2)" for n in range(500)),
        "CASE " + " ".join(f"WHEN x BETWEEN {n} AND 9 THEN 'b'" for n in range(500)) + " ELSE 0 END, 1",
    ],
)
def test_ranges_side_by_side_add_up(text: str) -> None:
    """They do not double."""
    plain = text.encode()
    assert not is_short(plain)
    assert grown_bytes(plain, lexemes(plain)) < 4 * len(plain)


def test_most_statements_are_not_cut_into_tokens() -> None:
    """A handful of BETWEENs cannot grow far, and a long text without any not at all."""
    assert is_short(b"SELECT 1 WHERE a BETWEEN 1 AND 2 AND b between 3 AND 4")
    assert is_short(b"1," * MAX_GROWN_BYTES)
    assert is_short(b"1," * MAX_GROWN_BYTES + b"x BETWEEN 1 AND 2")

"""Where an insert's rows begin: the only thing we look for in a text that the engine has not read yet.

Whatever this finds, the head of the insert is judged by the engine's own reading (judge.py) before it runs, and the
rows are data in a format that is judged, too.
"""

from dataclasses import dataclass
from typing import Final

from stream_jobs.store.embedded.errors import refusal
from stream_jobs.store.sql_text import SqlTextError, Token, tokens

_MAX_HEAD_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Insert:
    """`head` is the statement without its rows, which follow in `data_format`, as pieces of bytes."""

    head: str
    data_format: str
    data: tuple[bytes, ...] = ()


def looks_like_insert(text: bytes) -> bool:
    """Whether it begins with INSERT: such statements take the inserts' pool."""
    return text[:64].lstrip()[:6].upper() == b"INSERT"


def read_insert(text: bytes) -> Insert | None:
    """The insert and its rows, or None when no rows follow (INSERT ... SELECT). Raises EngineError (62)."""
    wide = text[:_MAX_HEAD_BYTES].decode("latin-1")  # one character per byte: positions are byte offsets
    found: list[Token] = []
    depth = 0
    try:
        for token in tokens(wide):
            found.append(token)
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and (insert := _rows_begin(text, found)) is not None:
                return insert
    except SqlTextError as error:
        raise refusal(62, "SYNTAX_ERROR", f"Syntax error: {error}") from None
    return None


def _rows_begin(text: bytes, found: list[Token]) -> Insert | None:
    """The insert, if the last token found is where its rows begin: VALUES or the name after FORMAT."""
    last = found[-1]
    if last.kind != "word" or len(found) < 4:  # INSERT INTO name ...
        return None
    if found[-2].is_word("FORMAT") and len(found) > 4:
        clause, data_format, start = found[-2], last.text, _skip_line_end(text, last.end)
    elif last.is_word("VALUES"):
        clause, data_format, start = last, "Values", last.end
    else:
        return None
    head = text[: clause.start].decode("utf-8", errors="replace")
    return Insert(head, data_format, (text[start:],) if start < len(text) else ())


def _skip_line_end(text: bytes, position: int) -> int:
    """Rows begin after the spaces that follow the format's name and one line break, as in ClickHouse."""
    while text[position : position + 1] in (b" ", b"\t", b";", b"\r"):
        position += 1
    return position + (text[position : position + 1] == b"\n")

"""What a request asks for: one statement, taken apart just far enough to run it safely.

The engine runs in this process and would happily read and write this machine's files. Its grants refuse table functions
and engines that do; what grants do not cover (INTO OUTFILE, FROM INFILE, the function file()) is refused here.
"""

from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Final

from stream_jobs.store.embedded.errors import refusal
from stream_jobs.store.sql_text import SqlTextError, Token, tokens

READ_VERBS: Final = frozenset(
    {"SELECT", "WITH", "FROM", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "SET", "USE"}
)
KNOWN_VERBS: Final = (
    READ_VERBS
    | frozenset({"INSERT", "CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "EXCHANGE", "OPTIMIZE", "DELETE", "UPDATE"})
    | frozenset({"CHECK", "KILL", "SYSTEM", "GRANT", "REVOKE", "ATTACH", "DETACH", "UNDROP", "BACKUP", "RESTORE"})
)
STREAMED_VERBS: Final = frozenset({"SELECT", "WITH", "FROM"})
_REFUSED_NAMES: Final = frozenset({"file", "python", "executable", "catboostevaluate"})


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` runs as it is; an insert that carries its rows has them apart, as bytes in `data_format`."""

    verb: str  # the first keyword, in capitals
    sql: str
    output_format: str | None = None  # of a FORMAT clause
    data_format: str | None = None
    data: tuple[bytes, ...] = ()  # pieces that follow each other
    settings_at: int | None = None  # where the SETTINGS clause of an insert with rows begins in `sql`

    @property
    def reads_only(self) -> bool:
        return self.verb in READ_VERBS


def read_statement(text: bytes) -> Statement:
    """Take one request apart.

    Raises EngineError for several statements, unreadable text, and whatever touches this machine's files.
    """
    wide = text.decode("latin-1")  # one character per byte: positions are byte offsets
    try:
        found: list[Token] = []
        is_insert: bool | None = None
        for token in tokens(wide):
            found.append(token)
            if is_insert is None:
                is_insert = token.is_word("INSERT")
            if is_insert and (statement := _rows_begin(text, found)) is not None:
                return statement
        return _whole(text, found)
    except SqlTextError as error:
        raise refusal(62, "SYNTAX_ERROR", f"Syntax error: {error}") from None


def _rows_begin(text: bytes, found: list[Token]) -> Statement | None:
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
    if _depth(found) != 0:
        return None
    _refuse_files(found)
    settings_at = _settings_at(found)
    return Statement(
        verb="INSERT",
        sql=text[: clause.start].decode("utf-8", errors="replace"),
        settings_at=None if settings_at is None else len(text[:settings_at].decode("utf-8", errors="replace")),
        data_format=data_format,
        data=(text[start:],) if start < len(text) else (),
    )


def _settings_at(found: list[Token]) -> int | None:
    """Where SETTINGS name = ... begins, outside of parentheses; a table may be called settings, too."""
    depth = 0
    for token, name, sign in zip(found, found[1:], found[2:], strict=False):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.is_word("SETTINGS") and name.kind in ("word", "identifier") and sign.text == "=":
            return token.start
    return None


def _depth(found: list[Token]) -> int:
    return sum((token.text == "(") - (token.text == ")") for token in found)


def _skip_line_end(text: bytes, position: int) -> int:
    """Rows begin after the spaces that follow the format's name and one line break, as in ClickHouse."""
    while text[position : position + 1] in (b" ", b"\t", b";", b"\r"):
        position += 1
    return position + (text[position : position + 1] == b"\n")


def _whole(text: bytes, found: list[Token]) -> Statement:
    while found and found[-1].text == ";":
        found.pop()
    first = next((token for token in found if token.text != "("), None)
    if first is None:
        raise refusal(62, "SYNTAX_ERROR", "Empty query")
    if any(token.text == ";" for token in found):
        raise refusal(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
    _refuse_files(found)
    output_format = None
    words = [token for token in found if token.kind == "word" or token.text in "()"]
    depth = 0
    for token, following in pairwise(words):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and following.kind == "word" and token.is_word("FORMAT"):
            output_format = following.text
    return Statement(
        verb=first.text.upper(),
        sql=text[: found[-1].end].decode("utf-8", errors="replace"),
        output_format=output_format,
    )


def _refuse_files(found: list[Token]) -> None:
    names = [token for token in found if token.kind in ("word", "identifier")]
    for token, following in zip_longest(names, names[1:]):
        if token.is_word("INTO") and following is not None and following.is_word("OUTFILE"):
            raise refusal(344, "SUPPORT_IS_DISABLED", "INTO OUTFILE is not allowed: the answer comes over HTTP")
        if token.is_word("INFILE"):
            raise refusal(344, "SUPPORT_IS_DISABLED", "FROM INFILE is not allowed: send the rows over HTTP")
        if token.value.lower() in _REFUSED_NAMES:
            raise refusal(
                344,
                "SUPPORT_IS_DISABLED",
                f"The name {token.value!r} is not allowed: the function would reach this machine's files",
            )

"""Reading SQL text just far enough: where statements end, and which words stand outside of strings and comments.

ClickHouse's own rules: strings in '...' with \\ or doubled quotes, identifiers in "..." and `...`, comments from --, #!
or "# " to the end of the line and in /* */ (nested), heredocs $tag$...$tag$.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

Kind = Literal["word", "number", "string", "identifier", "punctuation"]

# One pattern for everything but nested comments and heredocs, because statements with long lists of ids are common.
# ASCII only: the text may be bytes read as Latin-1, where a part of a UTF-8 character must not look like a space.
_TOKEN = re.compile(
    r"""
    (?P<skip>  \s+ | --[^\n]* | \#[\ !][^\n]* )
    | (?P<comment> /\* )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<number> \d[\w.]* )
    | (?P<string> '[^'\\]*(?:(?:\\.|'')[^'\\]*)*' )
    | (?P<identifier> "[^"\\]*(?:(?:\\.|"")[^"\\]*)*" | `[^`\\]*(?:(?:\\.|``)[^`\\]*)*` )
    | (?P<heredoc> \$\w*\$ )
    | (?P<punctuation> [^'"`] )
    """,
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")


class SqlTextError(ValueError):
    """The text ends inside of a string, an identifier or a comment."""


class Token(NamedTuple):
    """A piece of SQL. `text` is as written; `value` is the bare name of a word or quoted identifier."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        if self.kind != "identifier":
            return self.text
        quote = self.text[0]
        return re.sub(r"\\(.)", r"\1", self.text[1:-1].replace(quote * 2, quote), flags=re.DOTALL)

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords (given in capitals)."""
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: str) -> Iterator[Token]:
    """The tokens, without spaces and comments. Raises SqlTextError."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            raise SqlTextError(f"a {sql[position]} is not closed: {sql[position : position + 40]!r}")
        start, position = position, match.end()
        kind = match.lastgroup
        if kind == "skip":
            continue
        if kind == "comment":
            position = _end_of_comment(sql, start)
        elif kind == "heredoc":
            position = _end_of_heredoc(sql, match.group(), position)
            yield Token("string", sql[start:position], start, position)
        else:
            yield Token(cast(Kind, kind), match.group(), start, position)


def _end_of_comment(sql: str, position: int) -> int:
    depth = 0
    for match in _COMMENT_MARK.finditer(sql, position):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise SqlTextError("a comment /* is not closed")


def _end_of_heredoc(sql: str, tag: str, position: int) -> int:
    end = sql.find(tag, position)
    if end < 0:
        raise SqlTextError(f"the heredoc {tag} is not closed")
    return end + len(tag)


def split_statements(sql: str) -> list[str]:
    """The statements of a file, without their semicolons and the comments around them. Raises SqlTextError."""
    statements: list[str] = []
    first: Token | None = None
    last: Token | None = None
    for token in tokens(sql):
        if token.text == ";":
            if first is not None and last is not None:
                statements.append(sql[first.start : last.end])
            first = last = None
        else:
            first = first or token
            last = token
    if first is not None and last is not None:
        statements.append(sql[first.start : last.end])
    return statements

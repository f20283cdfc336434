"""A statement as the engine itself reads it, taken apart into words and signs.

The engine parses a text and writes it down anew: `formatQuerySingleLine` answers with one line without comments,
escapes in names, heredocs or quotes of other alphabets. That line is what is judged and what is run, so there is one
reading. What this reader does not expect in such a line it refuses: it never guesses.
"""

import base64
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Literal, NamedTuple

from stream_jobs.store.embedded.errors import EngineError, refusal
from stream_jobs.store.embedded.growth import Lexeme, bound, grown_bytes, is_short

Kind = Literal["word", "name", "text", "number", "sign"]

# Names and texts end at their quote, nothing else; a line holds no comment, so none is skipped. Letters of other
# alphabets occur within quotes only.
_TOKEN = re.compile(
    r"""
    (?P<space>  [ \n]+ )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<number> [0-9][A-Za-z0-9_.]* )
    | (?P<text>   '[^'\\]*(?:\\.[^'\\]*)*' )
    | (?P<name>   `[^`\\]*(?:\\.[^`\\]*)*` )
    | (?P<sign>   [-+*/%=<>!,.()\[\]{}:;?|&^@~] )
    """,
    re.DOTALL | re.VERBOSE,
)
MAX_TOKENS: Final = 120_000  # the engine runs no statement of more than 50,000 elements
_QUERY: Final = "SELECT formatQuerySingleLine(base64Decode('{}')) AS text"
_LEXEMES: Final = (
    "SELECT token.type, token.begin, token.end FROM (SELECT arrayJoin(tokenizeQuery(base64Decode('{}'))) AS token) "
    "WHERE token.type NOT IN ('Whitespace', 'Comment')"
)
_SCOPE: Final = ": In scope SELECT formatQuerySingleLine("


class Token(NamedTuple):
    """`value` is a name without its quotes; `tight` says that the next token follows without a space."""

    kind: Kind
    value: str
    tight: bool
    start: int
    end: int


def canonical_text(ask: Callable[[str, str], bytes], sql: str) -> str:
    """`sql` in one line, as the engine reads it; `ask(statement, format)` puts a question to the engine.

    Raises EngineError (62, 306, ...) for what it cannot parse, for several statements and for none; 168 for what grows
    too large.
    """
    plain = sql.encode("utf-8", errors="replace")
    encoded = base64.b64encode(plain).decode()  # no quote could end this text early
    try:
        if not is_short(plain) and grown_bytes(plain, _lexemes(ask, encoded)) > bound(plain):
            raise refusal(168, "TOO_BIG_AST", "The statement is too long without BETWEEN: write >= and <= instead")
        return ask(_QUERY.format(encoded), "RawBLOB").decode("utf-8", errors="replace")
    except EngineError as error:
        raise EngineError(error.code, _without_scope(str(error))) from None


def _lexemes(ask: Callable[[str, str], bytes], encoded: str) -> Iterator[Lexeme]:
    for line in ask(_LEXEMES.format(encoded), "TabSeparatedRaw").decode().splitlines():
        kind, start, end = line.split("\t")
        yield Lexeme(kind, int(start), int(end))


def _without_scope(message: str) -> str:
    """Without the question around it, which is ours."""
    before, found, after = message.partition(_SCOPE)
    name = re.search(r"\([A-Z_]+\)$", after)
    return f"{before}. {name[0] if name else ''}".rstrip() if found else message


def read_tokens(line: str) -> list[Token]:
    """The tokens of a canonical line. Raises EngineError (62) for anything that such a line does not hold, and 168 for
    one of too many parts."""
    found = list(islice(_tokens(line), MAX_TOKENS + 1))
    if len(found) > MAX_TOKENS:
        raise refusal(168, "TOO_BIG_AST", "The statement has too many parts; long lists go into a parameter")
    return found


def _tokens(line: str) -> Iterator[Token]:
    position, size = 0, len(line)
    quoted = -1  # where the last quoted token ended: a second one right behind it would be read as one
    while position < size:
        match = _TOKEN.match(line, position)
        start = position
        if match is None or (line[start] in "'`" and start == quoted) or line.startswith(("--", "/*", "*/"), start):
            raise refusal(62, "SYNTAX_ERROR", f"The statement cannot be judged at {line[start : start + 40]!r}")
        position = match.end()
        kind = match.lastgroup
        if kind == "space":
            continue
        value = match.group()
        if kind in ("text", "name"):
            quoted = position
        if kind == "name":
            value = unescape(value[1:-1])
        yield Token(kind, value, position < size and line[position] not in " \n", start, position)  # type: ignore[arg-type]


_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_MEANING: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "e": "\x1b"}


def unescape(text: str) -> str:
    """What a name or a parameter holds whose special characters are written with backslashes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else _MEANING.get(found[2], found[2]), text)


def quoted_name(name: str) -> str:
    """A name as it may stand in a statement."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"

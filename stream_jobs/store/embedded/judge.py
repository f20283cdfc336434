"""What a statement may do, decided on the engine's own reading of it (see canonical.py).

By allow-list: kinds of statement, functions, table functions, engines, formats, settings, tables of `system`. What
stands in no list is refused, with the name that was the reason.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from stream_jobs.store.embedded.canonical import Token
from stream_jobs.store.embedded.clauses import check_settings, output_format_of
from stream_jobs.store.embedded.errors import EngineError, refusal
from stream_jobs.store.embedded.rights import Rights
from stream_jobs.store.embedded.vocabulary import ENGINES, OWN_FUNCTIONS, Vocabulary

_READS: Final = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS", "SET", "USE"})
_SHOWS: Final = frozenset(
    [
        "TABLES",
        "DATABASES",
        "CREATE",
        "COLUMNS",
        "FULL",
        "EXTENDED",
        "INDEXES",
        "FUNCTIONS",
        "SETTINGS",
        "SETTING",
        "ENGINES",
        "TEMPORARY",
        "DICTIONARIES",
        "CHANGED",
    ]
)
_SHOWS_CREATE: Final = frozenset({"TABLE", "VIEW", "DATABASE", "TEMPORARY", "DICTIONARY"})
_WRITES: Final[Mapping[str, frozenset[str]]] = {  # the second words; empty: any
    "INSERT": frozenset({"INTO"}),
    "CREATE": frozenset({"TABLE", "VIEW", "MATERIALIZED", "DATABASE", "OR", "TEMPORARY", "FUNCTION"}),
    "ALTER": frozenset({"TABLE"}),
    "DROP": frozenset({"TABLE", "VIEW", "TEMPORARY"}),
    "TRUNCATE": frozenset({"TABLE"}),
    "RENAME": frozenset({"TABLE"}),
    "EXCHANGE": frozenset({"TABLES"}),
    "OPTIMIZE": frozenset({"TABLE"}),
    "CHECK": frozenset({"TABLE"}),
    "DELETE": frozenset({"FROM"}),
    "DETACH": frozenset({"TABLE", "VIEW"}),
    "ATTACH": frozenset({"TABLE"}),  # one that was there: nothing but its name follows
    "UPDATE": frozenset(),
    "KILL": frozenset({"QUERY", "MUTATION"}),
}
_BEFORE_ITS_NAME: Final = frozenset({"CREATE", "OR", "REPLACE", "FUNCTION", "IF", "NOT", "EXISTS"})
_WORD: Final = re.compile(r"[A-Za-z_]+")
_STRUCTURE: Final = re.compile(r"'(?:[A-Za-z0-9_ ,()=-]|\\'(?:[A-Za-z0-9_ +-]+(?:/[A-Za-z0-9_+-]+)*)?\\')*'")
"""Texts in it are time zones and the values of an Enum; no path begins like that."""
_EXPRESSION_FOLLOWS: Final = frozenset(
    {"default", "alias", "materialized", "ephemeral", "codec", "ttl", "check", "assume"}
)
_SYSTEM_DATABASES: Final = frozenset({"system"})
STREAMED: Final = frozenset({"SELECT", "WITH", "FROM"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A statement that may run. `verb` is its first word; `output_format` that of a FORMAT clause."""

    verb: str
    output_format: str | None = None
    asks_about: frozenset[str] = frozenset()  # ambiguous names: the syntax tree has to say what they are
    conditions: tuple[str, ...] = ()  # SQL inside of texts, to be read and judged as the statement is

    @property
    def reads_only(self) -> bool:
        return self.verb in _READS


def judge(found: Sequence[Token], rights: Rights, vocabulary: Vocabulary) -> Verdict:
    """The verdict on the tokens of a canonical line. Raises EngineError (62, 164, 344, 452, 73) for a refusal."""
    verb = _check_kind(found, rights)
    ambiguous = _check_names(found, rights, vocabulary)
    conditions = check_settings(found, rights, vocabulary)
    _check_files(found)
    return Verdict(verb, output_format_of(found, verb), ambiguous, tuple(conditions))


def _check_kind(found: Sequence[Token], rights: Rights) -> str:
    words = [*[token.value for token in found if token.value != "("][:4], "", "", "", ""]
    verb, second, third = words[0].upper(), words[1].upper(), words[2].upper()
    if not found or found[0].kind not in ("word", "sign"):
        raise refusal(62, "SYNTAX_ERROR", "Empty query")
    if verb in _READS:
        if verb == "SHOW" and (second not in _SHOWS or (second == "CREATE" and third not in _SHOWS_CREATE)):
            raise _may_not(rights, f"SHOW {second}")
        return verb
    allowed = _WRITES.get(verb)
    if allowed is None or not rights.may_write or rights.read_only or (allowed and second not in allowed):
        raise _may_not(rights, verb)
    if verb == "ATTACH" and (len(found) > 5 or any(token.value == "FROM" or token.kind == "text" for token in found)):
        raise _may_not(rights, "ATTACH with more than a name")
    if verb == "CREATE" and "FUNCTION" in (second, third, words[3].upper()):
        _check_function(found, rights)
    return verb


def _check_function(found: Sequence[Token], rights: Rights) -> None:
    """A function is the engine's, whatever the database: only those of the migrations are made."""
    words = [token.value for token in found if token.kind in ("word", "name")]
    name = next((word for word in words if word.upper() not in _BEFORE_ITS_NAME), "")
    if name not in OWN_FUNCTIONS:
        raise _may_not(rights, f"CREATE FUNCTION {name[:64]}")


def _may_not(rights: Rights, what: str) -> EngineError:
    if rights.may_write and rights.read_only:
        who = "in readonly mode (a GET request may read)"
    elif rights.may_write:
        who = "in the embedded store"
    else:
        who = "in readonly mode (the user 'default' may read)"
    return refusal(164, "READONLY", f"Cannot execute {what} {who}")


def _check_names(found: Sequence[Token], rights: Rights, vocabulary: Vocabulary) -> frozenset[str]:
    ambiguous = set()
    inside_parameter = False
    in_system = rights.database.lower() in _SYSTEM_DATABASES
    for at, token in enumerate(found):
        if token.kind == "sign":
            inside_parameter = token.value == "{" or (inside_parameter and token.value != "}")
            continue
        if token.kind not in ("word", "name") or inside_parameter:
            continue
        following = found[at + 1].value if at + 1 < len(found) and found[at + 1].kind == "sign" else ""
        is_engine = at > 1 and found[at - 1].value == "=" and found[at - 2].value == "ENGINE"
        is_name = is_engine or (not rights.may_write and _is_alias(found, at))
        is_followed = following == "(" and (token.tight or _looks_like_a_call(token, rights))
        is_call = is_followed and not is_name
        lower = token.value.lower()
        if lower in vocabulary.refused or (is_followed and lower in vocabulary.refused_calls):
            raise refusal(
                344,
                "SUPPORT_IS_DISABLED",
                f"The name {token.value[:64]!r} is not allowed in the embedded store: as a function it would "
                "reach beyond the data, or it is not known not to",
            )
        if is_call and not vocabulary.may_call(token.value):
            raise refusal(46, "UNKNOWN_FUNCTION", f"Function with name `{token.value[:64]}` does not exist")
        if is_call and lower in vocabulary.ambiguous:
            ambiguous.add(lower)
        if token.value == "ENGINE" and following == "=":
            _check_engine(found[at + 2] if at + 2 < len(found) else token)
        if is_call and lower == "values":
            _check_structure(found, at + 2)
        if not rights.may_write and not is_call:
            _check_table(found, at, lower, following, in_system, vocabulary)
    return frozenset(ambiguous)


def _check_engine(engine: Token) -> None:
    """In a definition; elsewhere a column may have that name, and be compared with a text."""
    if engine.kind in ("word", "name") and engine.value.lower() not in ENGINES:
        raise refusal(344, "SUPPORT_IS_DISABLED", f"ENGINE = {engine.value[:64]} is not allowed in the embedded store")


def _check_structure(found: Sequence[Token], at: int) -> None:
    """values('a UInt8, b String', ...): a text in the first place is the structure, and may hold nothing but types.

    What stands there otherwise must be a row (a tuple of several) or a number, and nothing may follow it: any other
    expression, a parameter or a text in parentheses too, may become a text that nobody has read.
    """
    first = found[at : at + 1]
    end = at + 1
    if first and first[0].kind == "text":
        words = {word.lower() for word in _WORD.findall(first[0].value)}
        is_plain = _STRUCTURE.fullmatch(first[0].value) is not None and not words & _EXPRESSION_FOLLOWS
    elif first and first[0].value == "(":
        end = _after_parenthesis(found, at)
        inside = found[at + 1 : end - 1]
        depths = accumulate((token.value in "([{") - (token.value in ")]}") for token in inside if token.kind == "sign")
        signs = [token.value for token in inside if token.kind == "sign"]
        is_plain = any(sign == "," and depth == 0 for sign, depth in zip(signs, depths, strict=True))
    else:
        is_plain = bool(first) and first[0].kind == "number"
    ends = [token.value for token in found[end : end + 1] if token.kind == "sign"]
    if not is_plain or ends not in ([","], [")"]):
        raise refusal(344, "SUPPORT_IS_DISABLED", "The structure in values(...) may hold names and types only")


def _after_parenthesis(found: Sequence[Token], at: int) -> int:
    """The place behind the parenthesis that closes the one at `at`."""
    depth = 0
    for position in range(at, len(found)):
        if found[position].kind == "sign":
            depth += (found[position].value in "([{") - (found[position].value in ")]}")
            if depth == 0:
                return position + 1
    return len(found)


def _looks_like_a_call(token: Token, rights: Rights) -> bool:
    """Behind a space a parenthesis belongs to a word of the language, all in capitals; in a definition, to a table."""
    return not rights.may_write and not (token.kind == "word" and token.value.isupper())


def _is_alias(found: Sequence[Token], at: int) -> bool:
    """AS name (a, b): a table's name and those of its columns; of CREATE ... AS it would be a table function."""
    return at > 0 and found[at - 1].value == "AS" and found[at - 1].kind == "word"


def _check_table(
    found: Sequence[Token], at: int, lower: str, following: str, in_system: bool, vocabulary: Vocabulary
) -> None:
    refused = None
    if lower in _SYSTEM_DATABASES and following == ".":
        table = found[at + 2].value if at + 2 < len(found) else ""
        if table.lower() in vocabulary.refused_tables:
            refused = table
    if in_system and lower in vocabulary.refused_tables:
        refused = found[at].value
    if refused is not None:
        raise refusal(
            497,
            "ACCESS_DENIED",
            f"default: Not enough privileges: the table system.{refused[:64]} is not for the read user",
        )


def _check_files(found: Sequence[Token]) -> None:
    words = [token for token in found if token.kind == "word"]
    for token, following in pairwise(words):
        if (token.value, following.value) == ("INTO", "OUTFILE"):
            raise refusal(344, "SUPPORT_IS_DISABLED", "INTO OUTFILE is not allowed: the answer comes over HTTP")
        if (token.value, following.value) == ("FROM", "INFILE"):
            raise refusal(344, "SUPPORT_IS_DISABLED", "FROM INFILE is not allowed: send the rows over HTTP")
        if (token.value, following.value) in (("PARALLEL", "WITH"), ("EXECUTE", "AS")):
            raise refusal(344, "SUPPORT_IS_DISABLED", f"{token.value} {following.value} is not allowed")

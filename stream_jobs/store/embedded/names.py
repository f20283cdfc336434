"""Names that a canonical line leaves open: parameters that stand for one, and what the syntax tree makes of some."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from stream_jobs.store.embedded.canonical import Token, quoted_name, unescape
from stream_jobs.store.embedded.errors import refusal


def with_names_filled(line: str, found: Sequence[Token], parameters: Mapping[str, str]) -> str | None:
    """The line with {name:Identifier} replaced by the parameter's name, or None when there is none.

    What a statement names must be known before it is judged; parameters of other types are values.
    """
    pieces = []
    position = 0
    for at, token in enumerate(found[:-4]):
        name, colon, kind, end = found[at + 1 : at + 5]
        if token.value == "{" and token.kind == "sign" and colon.value == ":" and kind.value == "Identifier":
            if end.value != "}" or name.value not in parameters:
                raise refusal(456, "UNKNOWN_QUERY_PARAMETER", f"Substitution `{name.value[:64]}` is not set")
            pieces += [line[position : token.start], quoted_name(unescape(parameters[name.value]))]
            position = end.end
    return None if not pieces else "".join([*pieces, line[position:]])


def names_table_function(tree: str, found: Sequence[Token], names: frozenset[str]) -> bool:
    """Whether one of these names may stand where a table does, by the syntax tree (EXPLAIN AST) of the statement.

    The tree leaves out parts of some statements (the condition of SHOW TABLES WHERE), so it has to show as many calls
    as the text has: one that it does not show could be anything. It writes names as they are, and one with a line break
    could look like a call.
    """
    if any(token.kind == "name" and not token.value.isprintable() for token in found):
        return True
    called = 0
    above = ""
    for line in map(str.strip, tree.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "Function" and rest.split(" ", 1)[0].lower() in names:
            if above.startswith("TableExpression"):
                return True
            called += 1
        above = line
    return called != sum(
        token.kind in ("word", "name") and token.value.lower() in names and following.value == "("
        for token, following in pairwise(found)
    )

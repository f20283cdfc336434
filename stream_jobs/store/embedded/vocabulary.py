"""Which functions, table functions, types, engines and formats a statement may name.

What may be called is listed (the files in `allowed/`, and the short lists below); what the engine knows beside that is
refused wherever its name stands, because the engine also takes a bare name for a function (`arrayMap(file, ...)`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTS: Final = Path(__file__).with_name("allowed")


def read_names(name: str) -> frozenset[str]:
    """The names in a file of the folder `allowed`, as written there: one a line."""
    text = (_LISTS / f"{name}.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "generateseries", "generate_series"}
    | {"sqlstandardvalues", "values", "view"}
)
"""Table functions that compute. Not `format`, `generateRandom`, `null`, `input`: their structure is a text that may
hold expressions (`'a UInt8, b String ALIAS file(...)'`), which the engine evaluates and nobody has read; that of
`values` is read (judge.py)."""
OWN_FUNCTIONS: Final = frozenset({"prorate"})
"""What migrations define; the engine knows them only after that."""
ENGINES: Final = frozenset({"memory", "null", "view", "materializedview", "buffer"}) | {
    f"{copies}{kind}mergetree"
    for copies in ("", "replicated", "shared")
    for kind in ("", "summing", "aggregating", "replacing", "collapsing", "versionedcollapsing", "coalescing")
}
OUTPUT_FORMATS: Final = read_names("output_formats")
INPUT_FORMATS: Final = read_names("input_formats")
SYSTEM_TABLES: Final = read_names("system_tables")

_COMBINATORS: Final = (
    *("simplestate", "mergestate", "ordefault", "ornull", "foreach", "distinct", "resample", "argmin", "argmax"),
    *("state", "merge", "array", "if", "map", "null"),
)
_WITH_PARENTHESES: Final = read_names("words_with_parentheses")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All names in lower case: many of the engine's may be written either way."""

    callable: frozenset[str]
    aggregates: frozenset[str]
    refused: frozenset[str]  # what the engine would call, and must not
    refused_calls: frozenset[str]  # table functions that must not be called, though the name alone is harmless
    ambiguous: frozenset[str]  # an allowed function, and a table function that is not
    refused_tables: frozenset[str]  # of `system`
    settings: frozenset[str]  # all that the engine knows, as it writes them

    def may_call(self, name: str) -> bool:
        """Whether `name(` may stand in a statement: a listed function, an aggregate with combinators, a type."""
        lower = name.lower()
        if lower in self.callable:
            return True
        while (base := _without_combinator(lower)) is not None:
            if base in self.aggregates:
                return True
            lower = base
        return False


def _without_combinator(name: str) -> str | None:
    ending = next((ending for ending in _COMBINATORS if name.endswith(ending) and name != ending), None)
    return None if ending is None else name[: -len(ending)]


def read_vocabulary(ask: Callable[[str, str], bytes]) -> Vocabulary:
    """Compare what is allowed with what this engine knows; `ask(statement, format)` puts a question to it."""

    def names(sql: str) -> frozenset[str]:
        return _lower(ask(sql, "TabSeparatedRaw").decode().splitlines())

    allowed = _lower(read_names("functions"))
    functions = names("SELECT name FROM system.functions")
    table_functions = names("SELECT name FROM system.table_functions")
    types = names("SELECT name FROM system.data_type_families")
    tables = names("SELECT name FROM system.tables WHERE database = 'system'")
    return Vocabulary(
        callable=(allowed & functions) | OWN_FUNCTIONS | TABLE_FUNCTIONS | (types - functions) | _WITH_PARENTHESES,
        aggregates=allowed & names("SELECT name FROM system.functions WHERE is_aggregate"),
        refused=functions - allowed - OWN_FUNCTIONS,
        refused_calls=table_functions - TABLE_FUNCTIONS - allowed,
        ambiguous=(allowed & table_functions) - TABLE_FUNCTIONS,
        refused_tables=tables - SYSTEM_TABLES,
        settings=frozenset(ask("SELECT name FROM system.settings", "TabSeparatedRaw").decode().split()),
    )


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)

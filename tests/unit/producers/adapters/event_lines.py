"""The tables of schemas/EVENTS.md that say what becomes of a response: read and computed as they stand there."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from tests.unit.pages import EVENTS, section

TITLE: Final = "From a provider's response to the event"
KINDS: Final = ("audio", "image", "video")
ALSO_WRITTEN: Final = {
    "input_tokens_details": "input_token_details",
    "output_tokens_details": "output_token_details",
    "candidatesTokenCount": "responseTokenCount",
    "candidatesTokensDetails": "responseTokensDetails",
    "cacheReadInputTokens": "cacheReadInputTokenCount",
    "cacheWriteInputTokens": "cacheWriteInputTokenCount",
}
"""Below the tables: other names of some responses."""

WORDS: Final = ("error", "live", "preview", "explicit")
"""Stand where other lines have a path: what the event says."""

Line = tuple[str, ...]
"""The alternatives of one line, each a sum of paths."""


@cache
def lines(title: str) -> dict[tuple[str, str], Line]:
    """(whose, field of the event) -> what it is computed from; whose is empty in the tables of a whole form."""
    text = section(EVENTS, TITLE).partition(f"\n#### {title}\n")[2].partition("\n#### ")[0]
    found: dict[tuple[str, str], Line] = {}
    for row in (line for line in text.splitlines() if line.startswith("| ")):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        *whose, names, raw = cells
        if names == "event":
            continue
        for name, line in _of_row(re.findall(r"`([^`]+)`", names), raw):
            for kind in KINDS if "<kind>" in name else ("",):
                expanded = tuple(part.replace("<kind>", kind).replace("<KIND>", kind.upper()) for part in line)
                key = (whose[0] if whose else "", name.replace("<kind>", kind))
                found[key] = expanded if key not in found else found[key] + expanded
    return found


def _of_row(names: list[str], raw: str) -> Iterable[tuple[str, Line]]:
    """The line of each field: `; ` stands between those of several fields, or before prose."""
    parts = raw.split("; ")
    first: Line = ()
    for number, name in enumerate(names):
        spans = [re.match(r"`([^`]+)`", part) for part in parts[number].split(", else ")]
        line = tuple(span[1] for span in spans if span and span[1] not in WORDS)
        if line and line[0].startswith("."):
            line = tuple(path.rpartition(".")[0] + line[0] for path in first)
        first = first or line
        yield name, line


def value(expression: str, body: Any, known: Mapping[str, Any]) -> Any:
    """The sum of the terms that are present; None if none is."""
    parts = [_term(term, body, known) for term in expression.split(" + ")]
    there = [part for part in parts if part is not None]
    if not there:
        return None
    return there[0] if len(there) == 1 else sum(there)


def _term(term: str, body: Any, known: Mapping[str, Any]) -> Any:
    if term in known:
        return known[term]
    verb, _, path = term.rpartition(" ")
    if re.fullmatch(r"cache_\w+_tokens", path):
        return None
    found = at(path, body)
    if verb == "number of":
        return len(found) if found else None
    if verb == "distinct":
        return len({str(one) for one in found if one}) or None
    if not found:
        return None
    return found[0] if len(found) == 1 else sum(found)


def at(path: str, body: Any) -> list[Any]:
    """What stands there, through all items of the lists on the way."""
    found = [body]
    for step in re.findall(r"[^.\[\]]+(?:\[[^\]]*\])?", path):
        name, _, test = step.rstrip("]").partition("[")
        found = [one for inner in found for one in _field(inner, name)]
        if test == "last":
            found = found[-1:]
        elif test:
            key, _, wanted = test.partition("=")
            found = [one for one in found if isinstance(one, dict) and one.get(key) == wanted]
    return found


def _field(inner: Any, name: str) -> list[Any]:
    if not isinstance(inner, Mapping):
        return []
    found = inner.get(name)
    if found is None and name in ALSO_WRITTEN:
        found = inner.get(ALSO_WRITTEN[name])
    return list(found) if isinstance(found, (list, tuple)) else [] if found is None else [found]

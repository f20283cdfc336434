"""The facts of the usage event behind a ledger entry.

Everything that can move a price is kept in the ledger, so an event whose facts are read from there costs what it cost
when it was booked with the same book (a property test says so). What is not kept, because nothing depends on it: which
fields were sent as null rather than left out, and whether the model was given as asked for, as served, or both with one
name.
"""

from collections.abc import Callable
from typing import Any, Final

from spendstream_schemas import ATTRIBUTION_FIELDS, DECIMAL_METERS, METERS, ToolCalls
from stream_jobs.facts import NAMED, NOTHING, Facts
from stream_jobs.ledger.entries import Entries
from stream_jobs.store.tables import TOOL_COLUMNS

_USAGE_TEXTS: Final = ("accelerator", "instance_type", "purchase_option", "sku", "unit")
_NO_TAGS: Final = ("",) * len(ATTRIBUTION_FIELDS)

PRICING_COLUMNS: Final = (
    *NAMED, "kind", "conditions", "cached_response", "unknown_fields", "occurred_at", *ATTRIBUTION_FIELDS, *METERS,
    *TOOL_COLUMNS, *_USAGE_TEXTS, "accelerator_count", "stated_cost",
)  # fmt: skip
"""What `priced_facts` reads."""


def priced_facts(entries: Entries, *, scoped: bool) -> Callable[[int], tuple[Facts, tuple[str, ...]]]:
    """row -> (the event's facts with its final attribution, its unknown fields).

    Without `scoped` the attribution, which then moves no price, is left out.
    """
    tags = ATTRIBUTION_FIELDS if scoped else ()
    tools = [
        (kind, name)
        for kind, name in zip(ToolCalls.model_fields, TOOL_COLUMNS, strict=True)
        if not entries.is_empty(name)
    ]
    names = [*NAMED, "cached_response", "conditions", *(name for _, name in tools), *tags]
    shapes = list(zip(*(entries.values(name) for name in names), strict=True))
    made: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # what rows have in common that differ only in time and usage
    instants, unknown = entries.values("occurred_at"), entries.values("unknown_fields")
    kinds, usage_of = entries.values("kind"), _usages(entries)
    stated = None if entries.is_empty("stated_cost") else entries.array("stated_cost").to_pylist()

    def rest(shape: tuple[Any, ...]) -> tuple[Any, ...]:
        fields = dict(zip(names, shape, strict=True))
        calls = {kind: fields[name] for kind, name in tools if fields[name] is not None}
        given = tuple(fields[name] for name in tags) or _NO_TAGS
        return *_common(fields), calls, given, NOTHING

    def facts(row: int) -> tuple[Facts, tuple[str, ...]]:
        shape = shapes[row]
        found = made.get(shape)
        if found is None:
            found = made[shape] = rest(shape)
        cost = None if stated is None else stated[row]
        return Facts._make((instants[row], kinds[row], usage_of(row), *found, cost)), unknown[row]

    return facts


def reported_facts(entries: Entries) -> Callable[[int], Facts]:
    """row -> the event's facts with the attribution that its sender gave, before any rule.

    Calls of tools, at which no rule looks, are left out.
    """
    names = ("occurred_at", "kind", *NAMED, "cached_response", "conditions", *ATTRIBUTION_FIELDS, "labels")
    columns = {name: entries.values(name) for name in (*names, "reported_tags")}
    usage_of = _usages(entries)

    def facts(row: int) -> Facts:
        fields = {name: column[row] for name, column in columns.items()}
        reported = dict(fields["reported_tags"])
        tags = tuple([reported.get(name, fields[name]) for name in ATTRIBUTION_FIELDS])
        rest = *_common(fields), NOTHING, tags, dict(fields["labels"])
        return Facts(fields["occurred_at"], fields["kind"], usage_of(row), *rest)

    return facts


def _common(fields: dict[str, Any]) -> tuple[Any, ...]:
    """From the provider to the conditions. Texts that are empty in the ledger were not given."""
    conditions = tuple((key, text == "true" if key == "fine_tuned" else text) for key, text in fields["conditions"])
    return *(fields[name] or None for name in NAMED), fields["cached_response"], conditions


def _usages(entries: Entries) -> Callable[[int], dict[str, Any]]:
    kinds = entries.values("kind")
    decimals = {name: entries.array(name).to_pylist() for name in DECIMAL_METERS if not entries.is_empty(name)}
    meters = [
        (name, decimals.get(name) or entries.values(name)) for name in METERS if not entries.is_empty(name)
    ]  # most columns are empty in any stretch of the ledger
    texts = [(name, entries.values(name)) for name in (*_USAGE_TEXTS, "accelerator_count")]

    def usage(row: int) -> dict[str, Any]:
        found = {name: value for name, column in meters if (value := column[row]) is not None}
        if kinds[row] != "tokens":
            found |= {name: value for name, column in texts if (value := column[row])}
        return found

    return usage

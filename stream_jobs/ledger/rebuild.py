"""The usage event behind a ledger entry, as far as prices and attribution rules look at it.

Everything that can move a price is kept in the ledger, so an event that is built again costs what it cost when it was
booked with the same book (a property test says so). What is not kept, because nothing depends on it: which fields were
sent as null rather than left out, and whether the model was given as asked for, as served, or both with one name.
"""

from collections.abc import Callable
from typing import Any, Final

from spendstream_schemas import (
    ATTRIBUTION_FIELDS,
    DECIMAL_METERS,
    METERS,
    Attribution,
    ComputeUsage,
    MeteredUsage,
    TokenUsage,
    ToolCalls,
    UsageEvent,
)
from spendstream_schemas.event import SCHEMA_VERSION, Conditions
from stream_jobs.ledger.entries import Entries
from stream_jobs.store.tables import TOOL_COLUMNS

_KINDS: Final[dict[str, type[TokenUsage | ComputeUsage | MeteredUsage]]] = {
    "tokens": TokenUsage,
    "compute": ComputeUsage,
    "metered": MeteredUsage,
}
_TEXTS: Final = ("provider", "model", "response_model", "operation", "service_tier", "region", "source", "status")
_USAGE_TEXTS: Final = ("accelerator", "instance_type", "purchase_option", "sku", "unit")
_BLANK: Final = {name: dict.fromkeys(model.model_fields) | {"kind": name} for name, model in _KINDS.items()}
_set: Final = object.__setattr__

PRICING_COLUMNS: Final = (
    *_TEXTS, "kind", "conditions", "cached_response", "unknown_fields", "occurred_at", *ATTRIBUTION_FIELDS, *METERS,
    *TOOL_COLUMNS, *_USAGE_TEXTS, "accelerator_count",
)  # fmt: skip
"""What `priced_events` reads."""


def priced_events(entries: Entries, *, scoped: bool) -> Callable[[int], tuple[UsageEvent, tuple[str, ...]]]:
    """row -> (the event with its final attribution, its unknown fields).

    The event is the same object again for rows that differ only in time and usage: use it before asking for the next.
    Without `scoped` the attribution, which then moves no price, is left out.
    """
    tags = ATTRIBUTION_FIELDS if scoped else ()
    names = [
        *_TEXTS,
        "conditions",
        "cached_response",
        *(tool for tool in TOOL_COLUMNS if not entries.is_empty(tool)),
        *tags,
    ]
    shapes = list(zip(*(entries.values(name) for name in names), strict=True))
    made: dict[tuple[Any, ...], UsageEvent] = {}
    instants, unknown = entries.values("occurred_at"), entries.values("unknown_fields")
    usage_of = _usages(entries)

    def event(row: int) -> tuple[UsageEvent, tuple[str, ...]]:
        shape = shapes[row]
        found = made.get(shape)
        if found is None:
            fields = dict(zip(names, shape, strict=True))
            found = made[shape] = _event(fields, {name: fields.get(name) for name in tags}, None)
        fields = found.__dict__
        fields["occurred_at"] = instants[row]
        fields["usage"] = usage_of(row)
        return found, unknown[row]

    return event


def reported_events(entries: Entries) -> Callable[[int], UsageEvent]:
    """row -> the event with the attribution that its sender gave, before any rule."""
    names = (*_TEXTS, "conditions", "cached_response", *ATTRIBUTION_FIELDS)
    columns = {name: entries.values(name) for name in (*names, "occurred_at", "labels", "reported_tags")}
    usage_of = _usages(entries)

    def event(row: int) -> UsageEvent:
        fields = {name: columns[name][row] for name in names}
        tags = {name: fields[name] for name in ATTRIBUTION_FIELDS} | dict(columns["reported_tags"][row])
        found = _event(fields, tags, dict(columns["labels"][row]) or None)
        found.__dict__["occurred_at"] = columns["occurred_at"][row]
        found.__dict__["usage"] = usage_of(row)
        return found

    return event


def _event(fields: dict[str, Any], tags: dict[str, Any], labels: dict[str, str] | None) -> UsageEvent:
    """Without instant and usage. Texts that are empty in the ledger were not given."""
    conditions = {name: value == "true" if name == "fine_tuned" else value for name, value in fields["conditions"]}
    tools = {
        kind: n
        for kind, name in zip(ToolCalls.model_fields, TOOL_COLUMNS, strict=True)
        if (n := fields.get(name)) is not None
    }
    return UsageEvent.model_construct(
        schema_version=SCHEMA_VERSION,
        event_id="",
        **{name: fields[name] or None for name in _TEXTS},
        cached_response=fields["cached_response"],
        conditions=Conditions.model_construct(**conditions) if conditions else None,
        tool_calls=ToolCalls.model_construct(**tools) if tools else None,
        attribution=Attribution.model_construct(**{name: tag or None for name, tag in tags.items()}, labels=labels),
    )


def _usages(entries: Entries) -> Callable[[int], TokenUsage | ComputeUsage | MeteredUsage]:
    kinds = entries.values("kind")
    decimals = {name: entries.array(name).to_pylist() for name in DECIMAL_METERS if not entries.is_empty(name)}
    meters = [
        (name, decimals.get(name) or entries.values(name)) for name in METERS if not entries.is_empty(name)
    ]  # most columns are empty in any stretch of the ledger
    texts = [(name, entries.values(name)) for name in (*_USAGE_TEXTS, "accelerator_count")]

    def usage(row: int) -> TokenUsage | ComputeUsage | MeteredUsage:
        kind = kinds[row]
        values = dict(_BLANK[kind])
        given = {"kind"}
        for name, column in meters:
            value = column[row]
            if value is not None:
                values[name] = value
                given.add(name)
        if kind != "tokens":
            for name, column in texts:
                if column[row] and name in values:
                    values[name] = column[row]
                    given.add(name)
        model = _KINDS[kind]
        # What model_construct does, in a fifth of its time.
        made = model.__new__(model)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", given)
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made

    return usage

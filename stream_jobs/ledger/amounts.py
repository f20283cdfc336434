"""The amounts of a ledger entry, and where they are added up: what it takes to say that two entries cancel out."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS, METERS
from stream_jobs.store.tables import COMPARISONS, TOOL_COLUMNS

SIGNED: Final = (
    "events",
    "unpriced",
    *METERS,
    *TOOL_COLUMNS,
    "list_cost",
    "contracted_cost",
    "effective_cost",
    "avoided_cost",
    "stated_cost",
    "held_cost",
    "held_flat",
    *COMPARISONS,
)
"""Columns that a retraction holds with the opposite sign."""
SIGNED_LISTS: Final = ("line_quantity", "line_list_cost", "line_cost", "line_effective_cost")
"""The same, for columns that are lists: the lines of the receipt."""
_ACCOUNT: Final = (
    *("occurred_at", "source", "kind", "provider", "model", "response_model", "price_model", "operation"),
    *(
        "service_tier",
        "region",
        "category",
        "subcategory",
        *ATTRIBUTION_FIELDS,
        "status",
        "cached_response",
        "unpriced_reason",
    ),
    *("accelerator", "instance_type", "purchase_option", "sku", "unit"),
)
_ACCOUNT_LISTS: Final = ("unallocated", "conditions", "labels", "line_sku", "line_meter")


def opposite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same entry with every amount negated; absent stays absent. The caller says what kind of entry it is, when and
    why it is booked."""
    row = dict(entry)
    for name in SIGNED:
        row[name] = None if entry[name] is None else -entry[name]
    for name in SIGNED_LISTS:
        row[name] = [-value for value in entry[name]]
    return row


def amounts(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Everything of an entry that has a sign."""
    return (*(entry[name] for name in SIGNED), *(tuple(entry[name]) for name in SIGNED_LISTS))


def account(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the amounts are added up: all that rollups and views group by. Two entries with opposite amounts cancel out
    only if they agree in this: after a re-attribution the same amount stands on another team."""
    return (
        *(entry.get(name) for name in _ACCOUNT),
        *(_sorted_texts(entry.get(name)) for name in _ACCOUNT_LISTS),
    )


def _sorted_texts(value: Any) -> tuple[str, ...]:
    """Lists and maps, however they were read."""
    return tuple(sorted(map(str, value.items() if isinstance(value, Mapping) else value or ())))


def cancel(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the two add up to nothing, wherever one looks."""
    return amounts(one) == amounts(opposite(other)) and account(one) == account(other)


class Signs(NamedTuple):
    """What it takes to take back entries of a table."""

    opposite: Callable[[Mapping[str, Any]], dict[str, Any]]
    cancel: Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


LEDGER_SIGNS: Final = Signs(opposite, cancel)

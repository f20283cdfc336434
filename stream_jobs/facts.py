"""The facts of a usage event: all that prices and attribution rules look at, whatever the event was read from.

The contract's model, the columns of events that were decoded together, and a row of the ledger make the same facts of
the same event.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, NamedTuple

from spendstream_schemas import ATTRIBUTION_FIELDS, Conditions, UsageEvent

Condition = tuple[str, str | bool]
NOTHING: Final[Mapping[str, Any]] = {}
CONDITIONS: Final = tuple(Conditions.model_fields)
NAMED: Final = ("provider", "model", "response_model", "service_tier", "region", "operation", "source", "status")
"""The texts among the facts, in their order."""
_tags_of: Final = attrgetter(*ATTRIBUTION_FIELDS)


class Facts(NamedTuple):
    """What was not given is left out or None; of the tags alone it is ''.

    A named tuple because one is made per event: a frozen dataclass takes five times as long.
    """

    occurred_at: datetime
    kind: str  # of usage
    usage: Mapping[str, Any]  # meters and texts of the usage by the contract's names
    provider: str
    model: str | None
    response_model: str | None
    service_tier: str | None
    region: str | None
    operation: str | None
    source: str
    status: str
    cached_response: bool
    conditions: tuple[Condition, ...]  # in the contract's order
    tool_calls: Mapping[str, int]
    tags: tuple[str, ...]  # by ATTRIBUTION_FIELDS
    labels: Mapping[str, str]
    stated_cost: Decimal | None = None  # USD, as the provider says; prices look at it, rules do not


def facts_of(event: UsageEvent) -> Facts:
    """The facts of a valid event."""
    tools, attribution = event.tool_calls, event.attribution
    usage = given(event.usage, event.usage.model_fields_set)
    return Facts(
        event.occurred_at,
        usage.pop("kind"),
        usage,
        event.provider,
        event.model,
        event.response_model,
        event.service_tier,
        event.region,
        event.operation,
        event.source,
        event.status,
        event.cached_response,
        given_conditions(event.conditions),
        NOTHING if tools is None else given(tools, tools.model_fields_set),
        tuple([tag or "" for tag in _tags_of(attribution)]),
        attribution.labels or NOTHING,
        event.stated_cost_usd,
    )


def given(part: object, names: Iterable[str]) -> dict[str, Any]:
    """The fields with these names that are not None."""
    return {name: value for name in names if (value := getattr(part, name)) is not None}


def given_conditions(conditions: object | None) -> tuple[Condition, ...]:
    """The conditions that were given; from the contract's model or from anything with its fields."""
    return () if conditions is None else tuple(given(conditions, CONDITIONS).items())

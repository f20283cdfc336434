"""A usage event from a provider's response."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from spendstream.adapters.registry import extract
from spendstream.adapters.result import AdapterError, ExtractedUsage, InvalidEventError
from spendstream_schemas import (
    SCHEMA_VERSION,
    Attribution,
    Conditions,
    TokenUsage,
    UsageEvent,
    invalid_message,
    new_event_id,
)

ESTIMATED_LABEL: Final = "usage_estimated"
"""The label of an event whose meters are partly our estimate: it names them."""
_SHARED: Final = ("trace_id", "session_id", "status", "region")
"""What the events of one call have in common."""
_UNKNOWN_USAGE: Final = TokenUsage(kind="tokens")
"""No meter at all: booked as unpriced because the usage is unknown, so a cut stream is seen and not lost."""


def usage_event(
    provider: str,
    response: object,
    *,
    source: str,
    model: str | None = None,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
    attribution: Attribution | Mapping[str, Any] | None = None,
    **fields: Any,
) -> UsageEvent:
    """The event for one response: an SDK object, a plain dict, or an `ExtractedUsage` (as streams give it).

    `model` is the one that was asked for; `fields` are further fields of `UsageEvent` and win over what the response
    says, `conditions` one by one. Without `event_id` and `occurred_at` it gets a new UUIDv7 and the present.
    Raises AdapterError if the response cannot be read or the event would break the contract.
    """
    found = response if isinstance(response, ExtractedUsage) else extract(provider, response)
    return _event(
        provider,
        found,
        source=source,
        model=model,
        event_id=event_id or new_event_id(),
        occurred_at=occurred_at or datetime.now(UTC),
        attribution=attribution,
        fields=fields,
    )


def usage_events(
    provider: str,
    response: object,
    *,
    source: str,
    model: str | None = None,
    event_id: str | None = None,
    occurred_at: datetime | None = None,
    attribution: Attribution | Mapping[str, Any] | None = None,
    **fields: Any,
) -> list[UsageEvent]:
    """`usage_event`, followed by one event for each other model that the same call is billed for.

    Those have the ids ``<event_id>.1``, ``<event_id>.2``, …: the same response always gives the same ids.
    """
    found = response if isinstance(response, ExtractedUsage) else extract(provider, response)
    first = usage_event(
        provider,
        found,
        source=source,
        model=model,
        event_id=event_id,
        occurred_at=occurred_at,
        attribution=attribution,
        **fields,
    )
    return [first] + [
        _event(
            provider,
            other,
            source=source,
            model=None,
            event_id=f"{first.event_id}.{number}",
            occurred_at=first.occurred_at,
            attribution=attribution,
            # The provider's id belongs to the main event: repeated, it would look like the same call reported twice.
            fields={name: getattr(first, name) for name in _SHARED} | {"response_id": None},
        )
        for number, other in enumerate(found.also, start=1)
    ]


def _event(
    provider: str,
    found: ExtractedUsage,
    *,
    source: str,
    model: str | None,
    event_id: str,
    occurred_at: datetime,
    attribution: Attribution | Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> UsageEvent:
    said = {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "occurred_at": occurred_at,
        "source": source,
        "provider": found.provider or provider,
        "model": model,
        "usage": found.usage or _UNKNOWN_USAGE,
        "response_model": found.response_model,
        "response_id": found.response_id,
        "session_id": found.session_id,
        "service_tier": found.service_tier,
        "tool_calls": found.tool_calls,
        "operation": found.operation,
        "stated_cost_usd": found.stated_cost_usd,
        "attribution": _marked(attribution or Attribution(), found.estimated),
    }
    if found.status is not None:
        said["status"] = found.status
    own_conditions = fields.get("conditions")
    merged = _as_dict(found.conditions) | _as_dict(own_conditions)
    try:
        return UsageEvent.model_validate(said | dict(fields) | {"conditions": merged or None})
    except ValidationError as error:
        invalid = invalid_message(error)
        places = tuple([item["loc"] for item in error.errors(include_url=False, include_input=False)])
        raise InvalidEventError(f"{provider}: no valid event: {invalid}", places) from None


def _marked(
    attribution: Attribution | Mapping[str, Any], estimated: tuple[str, ...]
) -> Attribution | Mapping[str, Any]:
    """With the label that says what was estimated; without it where the labels are full."""
    if not estimated:
        return attribution
    values = attribution.model_dump(exclude_none=True) if isinstance(attribution, Attribution) else dict(attribution)
    labels = {**(values.get("labels") or {}), ESTIMATED_LABEL: ",".join(estimated)}
    try:
        return Attribution.model_validate(values | {"labels": labels})
    except ValidationError:
        return attribution


def _as_dict(value: Conditions | Mapping[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Conditions):
        return value.model_dump(exclude_none=True)
    if isinstance(value, Mapping):
        return dict(value)
    raise AdapterError(f"conditions: expected Conditions or a dict, got {type(value).__name__}")

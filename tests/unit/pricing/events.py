"""Usage events for the pricing tests."""

from datetime import UTC, datetime
from typing import Any

from spendstream_schemas import UsageEvent

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def token_event(
    model: str | None, usage: dict[str, Any], *, provider: str = "openai", at: datetime = NOW, **fields: Any
) -> UsageEvent:
    """An event with token usage; `fields` are further fields of the event."""
    return event({"kind": "tokens", **usage}, provider=provider, at=at, model=model, **fields)


def event(usage: dict[str, Any], *, provider: str = "openai", at: datetime = NOW, **fields: Any) -> UsageEvent:
    """An event with any usage."""
    base = {"schema_version": 1, "event_id": "e1", "source": "test", "provider": provider, "occurred_at": at}
    return UsageEvent.model_validate({**base, "usage": usage, **fields})

"""Events and rules for the tests of this folder."""

import json
from typing import Any

from spendstream_schemas import parse_usage_event
from stream_jobs.attribution import AttributionRules
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.facts import Facts, facts_of


def event(**fields: Any) -> Facts:
    """The facts of a valid usage event; `fields` replace what is given here."""
    message = {
        "schema_version": 1,
        "event_id": "e-1",
        "occurred_at": "2026-03-01T12:00:00Z",
        "source": "checkout-api",
        "provider": "openai",
        "model": "gpt-4o",
        "usage": {"kind": "tokens", "input_tokens": 3},
        **fields,
    }
    return facts_of(parse_usage_event(json.dumps(message).encode()).message)


def rules(*items: dict[str, Any], **document: Any) -> AttributionRules:
    """Compiled rules; those without a name get one."""
    named = [{"name": f"rule {index}", **item} for index, item in enumerate(items)]
    return AttributionRules.from_document(AttributionDocument.model_validate({"rules": named, **document}))

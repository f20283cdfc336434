"""`tolerant`: fields of a later version are left out, with any pydantic."""

import json

import pytest
from pydantic import ValidationError

from spendstream_schemas import UsageEvent, tolerant

EVENT = {
    "schema_version": 1,
    "event_id": "e-1",
    "occurred_at": "2026-01-01T00:00:00Z",
    "source": "svc",
    "provider": "openai",
    "model": "gpt-4o",
    "usage": {"kind": "tokens", "input_tokens": 3},
}


@pytest.mark.parametrize("says_ignore", [True, False], ids=["2.12", "before"])
def test_unknown_fields_are_left_out_at_any_depth(says_ignore: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a union's member too; what is wrong otherwise stays wrong."""
    monkeypatch.setattr(tolerant, "_SAYS_IGNORE", says_ignore)
    later = EVENT | {"new": {"a": 1}, "usage": {"kind": "tokens", "input_tokens": 3, "later_tokens": 4}}
    event = tolerant.without_unknown_fields(UsageEvent.model_validate_json, json.dumps(later).encode())
    assert event == UsageEvent.model_validate_json(json.dumps(EVENT))
    with pytest.raises(ValidationError):
        tolerant.without_unknown_fields(UsageEvent.model_validate_json, json.dumps(later | {"source": 7}).encode())

"""The contract between services and the pipeline: the messages, their bounds, and a reason code for every refusal."""

from spendstream_schemas.attribution import ATTRIBUTION_FIELDS, MANDATORY_TAGS, RECOMMENDED_TAGS, Attribution
from spendstream_schemas.event import SCHEMA_VERSION, Conditions, ToolCalls, UsageEvent
from spendstream_schemas.outcome import OutcomeEvent
from spendstream_schemas.parse import (
    InvalidMessageError,
    Parsed,
    invalid_message,
    parse,
    parse_outcome_event,
    parse_usage_event,
)
from spendstream_schemas.reasons import InvalidReason, UnpricedReason
from spendstream_schemas.types import MAX_MESSAGE_BYTES, new_event_id
from spendstream_schemas.usage import DECIMAL_METERS, METERS, ComputeUsage, MeteredUsage, TokenUsage

__all__ = [
    "ATTRIBUTION_FIELDS",
    "DECIMAL_METERS",
    "MANDATORY_TAGS",
    "MAX_MESSAGE_BYTES",
    "METERS",
    "RECOMMENDED_TAGS",
    "SCHEMA_VERSION",
    "Attribution",
    "ComputeUsage",
    "Conditions",
    "InvalidMessageError",
    "InvalidReason",
    "MeteredUsage",
    "OutcomeEvent",
    "Parsed",
    "TokenUsage",
    "ToolCalls",
    "UnpricedReason",
    "UsageEvent",
    "invalid_message",
    "new_event_id",
    "parse",
    "parse_outcome_event",
    "parse_usage_event",
]

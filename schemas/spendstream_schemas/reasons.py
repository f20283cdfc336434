"""Reason codes: one for every way an event can be refused, and one for every way a price can be unknown.

They are part of the contract: dashboards and runbooks refer to them, so a code is never renamed or reused.
"""

from enum import StrEnum


class InvalidReason(StrEnum):
    """Why a message cannot be accepted. The SDK raises them early; the metering job quarantines with them."""

    NOT_JSON = "not_json"  # the bytes are not one JSON document in UTF-8
    NOT_AN_OBJECT = "not_an_object"  # JSON, but not an object
    EMPTY_MESSAGE = "empty_message"  # no value (a tombstone) or zero bytes
    TOO_LARGE = "too_large"  # more than MAX_MESSAGE_BYTES
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    UNKNOWN_FIELD = "unknown_field"  # refused by the SDK; the consumer tolerates and counts them
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"  # a string for a number, a fraction for a count, ...
    TOO_LONG = "too_long"  # a string, a map or a list above its bound
    EMPTY_VALUE = "empty_value"  # a required string that is empty, or holds control characters
    OUT_OF_RANGE = "out_of_range"  # a number above its bound, or what it comes to is more than a column holds
    NEGATIVE_QUANTITY = "negative_quantity"
    NOT_ALLOWED = "not_allowed"  # outside a closed set
    UNKNOWN_USAGE_KIND = "unknown_usage_kind"
    PART_EXCEEDS_WHOLE = "part_exceeds_whole"  # cache_read_tokens > input_tokens, busy > provisioned, ...
    PART_WITHOUT_WHOLE = "part_without_whole"  # a part is given and its whole is absent
    MODEL_MISSING = "model_missing"  # token usage without a model
    ACCELERATOR_MISSING = "accelerator_missing"  # gpu_seconds without saying of what
    DURATION_MISMATCH = "duration_mismatch"  # gpu_seconds are not what so many devices take in duration_s
    NAIVE_TIMESTAMP = "naive_timestamp"  # no UTC offset
    BAD_TIMESTAMP = "bad_timestamp"  # not a timestamp
    OCCURRED_TOO_EARLY = "occurred_too_early"  # before EARLIEST_OCCURRED_AT
    OCCURRED_IN_FUTURE = "occurred_in_future"  # further ahead of the pipeline's clock than it tolerates
    SIGNATURE_MISSING = "signature_missing"  # the source must sign, and the record has no signature
    SIGNATURE_INVALID = "signature_invalid"  # no key of the source made the signature for these bytes, topic and key
    FOREIGN_REVISION = "foreign_revision"  # a higher revision of an event that another source reported
    EVENT_ID_TAKEN = "event_id_taken"  # a signed event whose id another source has used
    PROCESSING_FAILED = "processing_failed"  # valid, but the pipeline itself failed on it: a defect, to be replayed


class UnpricedReason(StrEnum):
    """Why usage was booked without a price. It is visible, counted, and priced once the price arrives."""

    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN_MODEL = "unknown_model"
    MOVING_ALIAS = "moving_alias"  # "-latest" and no response_model to say what was served
    NO_PRICE_AT_TIME = "no_price_at_time"  # the model is known, but not its price at that instant
    UNKNOWN_SERVICE_TIER = "unknown_service_tier"
    NO_PRICE_FOR_TIER = "no_price_for_tier"
    UNKNOWN_CONDITION = "unknown_condition"
    NO_PRICE_FOR_CONDITION = "no_price_for_condition"
    NO_PRICE_FOR_METER = "no_price_for_meter"  # audio on a model without an audio price, ...
    NO_PRICE_FOR_TOOL = "no_price_for_tool"
    UNKNOWN_METER = "unknown_meter"  # the usage holds a field this version does not know
    AMBIGUOUS_USAGE = "ambiguous_usage"  # parts overlap and the price depends on how
    USAGE_UNKNOWN = "usage_unknown"  # the call was cut before the provider reported usage
    UNKNOWN_ACCELERATOR = "unknown_accelerator"
    UNKNOWN_SKU = "unknown_sku"
    UNIT_MISMATCH = "unit_mismatch"  # the SKU is priced in another unit

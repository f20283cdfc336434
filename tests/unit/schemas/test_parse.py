"""Bytes in, a message or one reason code out: no other error, whatever the bytes."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spendstream_schemas import (
    ATTRIBUTION_FIELDS,
    MAX_MESSAGE_BYTES,
    ComputeUsage,
    InvalidMessageError,
    InvalidReason,
    MeteredUsage,
    TokenUsage,
    UsageEvent,
    invalid_message,
    parse_outcome_event,
    parse_usage_event,
)
from spendstream_schemas.parse import MAX_PATH_LENGTH, MAX_UNKNOWN_FIELDS

MINIMAL: dict[str, Any] = {
    "schema_version": 1,
    "event_id": "e",
    "occurred_at": "2026-11-01T12:00:00Z",
    "source": "s",
    "provider": "openai",
    "model": "m",
    "usage": {"kind": "tokens", "input_tokens": 10, "output_tokens": 1},
}


def raw(**changes: Any) -> bytes:
    return json.dumps(MINIMAL | changes).encode()


def metered(quantity: Any) -> dict[str, Any]:
    return {"usage": {"kind": "metered", "sku": "s", "quantity": quantity, "unit": "GB"}}


def refusal(message: bytes | None) -> InvalidMessageError:
    with pytest.raises(InvalidMessageError) as refused:
        parse_usage_event(message)
    return refused.value


# What a producer can build -------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
COUNTS = st.integers(0, 10**9)
QUANTITIES = st.decimals(0, 10**9, places=12) | st.decimals(0, 10**6, places=0)
INSTANTS = st.datetimes(
    datetime(2020, 1, 2),  # noqa: DTZ001 - the zone is drawn
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-5))),
)


@st.composite
def token_usages(draw: st.DrawFn) -> TokenUsage:
    read, write, extra = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return TokenUsage(
        kind="tokens",
        input_tokens=read + write + extra,
        cache_read_tokens=draw(st.none() | st.just(read)),
        cache_write_5m_tokens=draw(st.none() | st.just(write)),
        output_tokens=draw(COUNTS),
        search_units=draw(st.none() | COUNTS),
        input_audio_seconds=draw(st.none() | QUANTITIES),
    )


USAGES = (
    token_usages()
    | st.builds(MeteredUsage, kind=st.just("metered"), sku=TEXT, quantity=QUANTITIES, unit=TEXT)
    | st.builds(
        ComputeUsage,
        kind=st.just("compute"),
        purchase_option=st.sampled_from(["on_demand", "reserved", "spot", "committed"]),
        accelerator=TEXT,
        accelerator_count=st.none() | st.integers(0, 1000),
        instance_type=st.none() | TEXT,
        gpu_seconds=QUANTITIES,
        busy_gpu_seconds=st.none(),
        cpu_seconds=st.none() | QUANTITIES,
        busy_cpu_seconds=st.none(),
    )
)
EVENTS = st.builds(
    lambda usage, occurred_at, texts, labels, latency, flag: UsageEvent.model_validate(
        {
            "schema_version": 1,
            "event_id": texts[0],
            "occurred_at": occurred_at,
            "source": texts[1],
            "provider": texts[2],
            "model": texts[3],
            "usage": usage,
            "attribution": dict.fromkeys(ATTRIBUTION_FIELDS, texts[4]) | {"labels": labels},
            "latency_ms": latency,
            "batchable": flag,
        }
    ),
    USAGES,
    INSTANTS,
    st.lists(TEXT, min_size=5, max_size=5),
    st.none() | st.dictionaries(TEXT, TEXT, max_size=4),
    st.none() | st.floats(0, 10**6),
    st.none() | st.booleans(),
)


@settings(max_examples=150)
@given(EVENTS)
def test_what_a_producer_writes_is_read_back_unchanged(event: UsageEvent) -> None:
    """Also instants with other offsets and quantities with twelve decimals."""
    parsed = parse_usage_event(event.model_dump_json(exclude_none=True).encode())
    assert parsed.message == event
    assert parsed.unknown_fields == ()


# What can arrive -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*UsageEvent.model_fields, "colour"]
USAGE_FIELDS = [*TokenUsage.model_fields, *ComputeUsage.model_fields, *MeteredUsage.model_fields, "colour"]
KIND = {"kind": st.sampled_from(["tokens", "compute", "metered", "?"])}


def either(message: bytes) -> None:
    try:
        parsed = parse_usage_event(message)
    except InvalidMessageError as error:
        refused = error
    else:
        assert isinstance(parsed.message, UsageEvent)
        again = parse_usage_event(parsed.message.model_dump_json(exclude_none=True).encode())
        assert again.message == parsed.message
        return
    assert isinstance(refused.reason, InvalidReason)
    assert len(refused.path) <= MAX_PATH_LENGTH


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(message: bytes) -> None:
    """No exception but InvalidMessageError leaves the parser."""
    either(message)


@pytest.mark.slow
@settings(max_examples=400)
@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    st.fixed_dictionaries(KIND) | st.none(),
    st.dictionaries(st.sampled_from(USAGE_FIELDS), JSON | st.integers(0, 50), max_size=4),
)
def test_any_damage_to_a_message_is_refused_or_harmless(
    changes: dict[str, Any], kind: dict[str, Any] | None, meters: dict[str, Any]
) -> None:
    """What is accepted can be written and read again."""
    usage = {"usage": kind | meters} if kind else {}
    either(json.dumps(MINIMAL | usage | changes).encode())


@settings(max_examples=300)
@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=23)))), st.booleans())
def test_any_timestamp_is_an_instant_or_refused(instant: datetime, aware: bool) -> None:
    """Also at the ends of the calendar, where the same instant does not exist in UTC."""
    either(raw(occurred_at=(instant if aware else instant.replace(tzinfo=None)).isoformat()))


@pytest.mark.parametrize("message", [None, b""])
def test_a_message_without_a_value(message: bytes | None) -> None:
    """A tombstone and zero bytes have the same reason."""
    assert refusal(message).reason is InvalidReason.EMPTY_MESSAGE


def test_the_size_is_checked_before_anything_is_parsed() -> None:
    """At the bound a message passes; one byte more is too large, whatever it holds."""
    at_bound = raw() + b" " * (MAX_MESSAGE_BYTES - len(raw()))
    assert parse_usage_event(at_bound).message.event_id == "e"
    assert refusal(at_bound + b" ").reason is InvalidReason.TOO_LARGE
    assert refusal(b"{" * (100 * 1024 * 1024)).reason is InvalidReason.TOO_LARGE


@pytest.mark.parametrize(
    "message",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"a": [' + b"[" * 5_000 + b"]" * 5_000 + b"]}",
        b"\xef\xbb\xbf" + raw(),
        raw().decode().encode("utf-16"),
        raw() + b"{}",
        b'{"event_id": "\\ud800"}',
        b'{"event_id": "\xff"}',
        raw().replace(b"10", b"1" * 5_000),
        b"{'event_id': 1}",
    ],
    ids=[
        "deep list",
        "deep object",
        "deep and closed",
        "BOM",
        "UTF-16",
        "two",
        "surrogate",
        "latin",
        "digits",
        "python",
    ],
)
def test_what_is_not_one_json_document(message: bytes) -> None:
    """Nesting and digits beyond what the parser takes count as not JSON."""
    assert refusal(message).reason is InvalidReason.NOT_JSON


@pytest.mark.parametrize("value", [b"null", b"1", b'"x"', b"[]", b"true", b"NaN"])
def test_what_is_no_object(value: bytes) -> None:
    """Every JSON value but an object."""
    assert refusal(value).reason is InvalidReason.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("changes", "reason", "path"),
    [
        ({"usage": {"kind": "tokens", "input_tokens": 10**30}}, "out_of_range", "usage.input_tokens"),
        ({"usage": {"kind": "tokens", "input_tokens": -(10**30)}}, "negative_quantity", "usage.input_tokens"),
        ({"usage": {"kind": "tokens", "input_tokens": 1.0}}, "wrong_type", "usage.input_tokens"),
        ({"usage": {"kind": "tokens", "input_tokens": True}}, "wrong_type", "usage.input_tokens"),
        ({"usage": {"kind": "tokens", "input_tokens": float("nan")}}, "wrong_type", "usage.input_tokens"),
        ({"usage": None}, "wrong_type", "usage"),
        ({"usage": {"kind": []}}, "unknown_usage_kind", "usage"),
        (metered(float("nan")), "out_of_range", "usage.quantity"),
        (metered(float("inf")), "out_of_range", "usage.quantity"),
        (metered("Infinity"), "out_of_range", "usage.quantity"),
        (metered(10**40), "out_of_range", "usage.quantity"),
        (metered("1e9999"), "out_of_range", "usage.quantity"),
        (metered("1e99999999999"), "wrong_type", "usage.quantity"),
        (metered("-0.1"), "negative_quantity", "usage.quantity"),
        (metered("1_0"), "wrong_type", "usage.quantity"),
        (metered(" 1"), "wrong_type", "usage.quantity"),
        (metered("\u0661"), "wrong_type", "usage.quantity"),
        (metered(True), "wrong_type", "usage.quantity"),
        ({"latency_ms": "12"}, "wrong_type", "latency_ms"),
        ({"latency_ms": -1}, "negative_quantity", "latency_ms"),
        ({"complexity": 1.1}, "out_of_range", "complexity"),
        ({"cached_response": "yes"}, "wrong_type", "cached_response"),
        ({"batchable": 1}, "wrong_type", "batchable"),
        ({"schema_version": "1"}, "unsupported_schema_version", "schema_version"),
        ({"schema_version": None}, "unsupported_schema_version", "schema_version"),
        ({"occurred_at": "0001-01-01T00:00:00+01:00"}, "bad_timestamp", "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-01:00"}, "bad_timestamp", "occurred_at"),
        ({"occurred_at": "1762075800000"}, "bad_timestamp", "occurred_at"),
        ({"occurred_at": None}, "bad_timestamp", "occurred_at"),
        ({"occurred_at": "2026-11-01"}, "naive_timestamp", "occurred_at"),
        ({"attribution": {"labels": {"a": 1}}}, "wrong_type", "attribution.labels.a"),
        ({"attribution": None}, "wrong_type", "attribution"),
        ({"tool_calls": {"web_search": -1}}, "negative_quantity", "tool_calls.web_search"),
    ],
)  # fmt: skip
def test_reason_and_path(changes: dict[str, Any], reason: str, path: str) -> None:
    """Each way to be wrong has its code, and the path leads to the field."""
    refused = refusal(raw(**changes))
    assert (refused.reason.value, refused.path) == (reason, path)


def test_unknown_fields_are_tolerated_and_named() -> None:
    """At every level, beside a message that is as valid as without them."""
    parsed = parse_usage_event(
        raw(usage=MINIMAL["usage"] | {"x": 1}, attribution={"y": [1]}, conditions={"w": 0}, z={"deep": {}})
    )
    assert set(parsed.unknown_fields) == {"usage.x", "attribution.y", "conditions.w", "z"}
    assert parsed.message.usage == parse_usage_event(raw()).message.usage


def test_unknown_fields_do_not_hide_what_is_wrong() -> None:
    """Rules between fields are still judged."""
    usage = {"kind": "tokens", "input_tokens": 1, "cache_read_tokens": 2, "colour": "red"}
    assert refusal(raw(usage=usage)).reason is InvalidReason.PART_EXCEEDS_WHOLE
    assert refusal(raw(usage=usage, schema_version=2)).reason is InvalidReason.UNSUPPORTED_SCHEMA_VERSION


def test_what_is_reported_about_a_message_stays_short() -> None:
    """A hostile message can neither list thousands of fields nor write its own megabyte into a path."""
    parsed = parse_usage_event(raw(**{f"field_{number}": 1 for number in range(2_000)}))
    assert len(parsed.unknown_fields) == MAX_UNKNOWN_FIELDS
    refused = refusal(raw(attribution={"labels": {"k" * 50_000: "v"}}))
    assert refused.reason is InvalidReason.TOO_LONG
    assert len(refused.path) == MAX_PATH_LENGTH


def test_the_last_of_two_equal_keys_counts() -> None:
    """JSON leaves it open; here it is the same in every version of a message, so identity is stable."""
    assert parse_usage_event(raw()[:-1] + b', "event_id": "second"}').message.event_id == "second"


def test_the_version_explains_everything_else() -> None:
    """A message of a later version is not blamed for what that version may have changed."""
    refused = refusal(raw(schema_version=2, source=5, usage={"kind": "new"}))
    assert refused.reason is InvalidReason.UNSUPPORTED_SCHEMA_VERSION


def test_numbers_keep_their_decimals() -> None:
    """A JSON number and a string give the same exact quantity."""
    for quantity in (0.1, "0.1", "0.100"):
        usage = parse_usage_event(raw(**metered(quantity))).message.usage
        assert isinstance(usage, MeteredUsage)
        assert usage.quantity == Decimal("0.1")


def test_the_sdk_refuses_unknown_fields() -> None:
    """The same rules on the producer's side, where a misspelt field is a bug to be told."""
    with pytest.raises(ValidationError) as refused:
        UsageEvent.model_validate(MINIMAL | {"modle": "x"})
    assert invalid_message(refused.value).reason is InvalidReason.UNKNOWN_FIELD


def test_outcomes_are_parsed_by_the_same_rules() -> None:
    """With bounds of their own: value may be negative."""
    outcome = {
        "schema_version": 1,
        "event_id": "o",
        "occurred_at": "2026-11-01T12:00:00+01:00",
        "source": "s",
        "outcome": "refund",
        "quantity": 1,
        "value_usd": "-0.000000000001",
        "mood": "low",
    }
    parsed = parse_outcome_event(json.dumps(outcome).encode())
    assert parsed.message.value_usd == Decimal("-0.000000000001")
    assert parsed.message.occurred_at == datetime(2026, 11, 1, 11, tzinfo=UTC)
    assert parsed.unknown_fields == ("mood",)


def test_harmless_unknown_fields_cannot_hide_one_that_moves_the_price() -> None:
    """However many fields are unknown, those in usage, conditions and tool_calls are named first."""
    document = {
        "schema_version": 1,
        "event_id": "hidden",
        "occurred_at": "2026-11-01T12:00:00Z",
        "source": "s",
        "provider": "openai",
        "model": "gpt-4o",
        **{f"harmless_{number}": 1 for number in range(MAX_UNKNOWN_FIELDS + 8)},
        "usage": {"kind": "tokens", "input_tokens": 1, "hologram_tokens": 5},
    }
    unknown = parse_usage_event(json.dumps(document).encode()).unknown_fields
    assert unknown[0] == "usage.hologram_tokens"
    assert len(unknown) == MAX_UNKNOWN_FIELDS


# A cost that the provider states -------------------------------------------------------------------------------------


@given(st.decimals(0, 10**6, places=12), st.booleans())
@example(Decimal("99999.123456789012"), True)
@example(Decimal("999999.999999999999"), True)
def test_a_stated_cost_is_read_to_the_last_digit(usd: Decimal, as_number: bool) -> None:
    """As a string and as a number in JSON, of which a double would not hold all digits."""
    text = f"{usd:f}"
    message = raw(stated_cost_usd="@").replace(b'"@"', (text if as_number else f'"{text}"').encode())
    parsed = parse_usage_event(message)
    assert (parsed.message.stated_cost_usd, parsed.unknown_fields) == (usd, ())


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"-0.01", InvalidReason.NEGATIVE_QUANTITY),
        (b'"-1e-30"', InvalidReason.NEGATIVE_QUANTITY),
        (b"1000000.01", InvalidReason.OUT_OF_RANGE),
        (b"1000000.000000000001", InvalidReason.OUT_OF_RANGE),
        (b"1e30", InvalidReason.OUT_OF_RANGE),
        (b'"1e9999"', InvalidReason.OUT_OF_RANGE),
        (b"1e400", InvalidReason.OUT_OF_RANGE),
        (b"NaN", InvalidReason.OUT_OF_RANGE),
        (b'"NaN"', InvalidReason.OUT_OF_RANGE),
        (b'"Infinity"', InvalidReason.OUT_OF_RANGE),
        (b'"0.02 EUR"', InvalidReason.WRONG_TYPE),
        (b'"$1"', InvalidReason.WRONG_TYPE),
        (b'"1,5"', InvalidReason.WRONG_TYPE),
        (b"true", InvalidReason.WRONG_TYPE),
        (b'{"usd": 1}', InvalidReason.WRONG_TYPE),
    ],
)
def test_a_stated_cost_that_is_none_is_refused(said: bytes, reason: InvalidReason) -> None:
    """Negative, huge, no number, another currency: with the reason and the field."""
    refused = refusal(raw(stated_cost_usd="@").replace(b'"@"', said))
    assert (refused.reason, refused.path) == (reason, "stated_cost_usd")


@pytest.mark.parametrize(
    ("said", "usd"),
    [
        (b"0.30000000000000004", "0.300000000000"),
        (b"0.12345678901250000000000000001", "0.123456789013"),
        (b"1e-99999999999999999999", "0"),
        (b'"0.0000000000005"', "0"),
        (b'"0.0000000000015"', "0.000000000002"),
        (b'"0e99"', "0"),
        (b"-0.0", "0"),
        (b"1000000", "1000000"),
        (b'"1E6"', "1000000"),
    ],
)
def test_a_stated_cost_with_more_places_is_rounded(said: bytes, usd: str) -> None:
    """Half to even: providers add up doubles, and say all their digits."""
    event = parse_usage_event(raw(stated_cost_usd="@").replace(b'"@"', said)).message
    assert event.stated_cost_usd == Decimal(usd)
    assert "E" not in json.loads(event.model_dump_json())["stated_cost_usd"]


@pytest.mark.parametrize(
    ("usage", "gpu_seconds"),
    [
        ({"duration_s": "3600", "accelerator_count": 8}, "28800"),
        ({"duration_s": "0.5", "accelerator_count": 3}, "1.5"),
        ({"duration_s": "0", "accelerator_count": 8}, "0"),
        ({"duration_s": "3600", "accelerator_count": 8, "gpu_seconds": "28795"}, "28795"),
        ({"duration_s": "3600", "accelerator_count": 8, "gpu_seconds": "28512"}, "28512"),
        ({"duration_s": "2", "accelerator_count": 8, "gpu_seconds": "8"}, "8"),
        ({"duration_s": "3600", "gpu_seconds": "7"}, "7"),
    ],
)
def test_provisioned_seconds_follow_from_the_duration(usage: dict[str, Any], gpu_seconds: str) -> None:
    """Devices times seconds where they are not said; what is said counts, within 1 % or a second per device. On
    the wire they stand beside the duration, so that who does not know it has them."""
    said = ComputeUsage.model_validate({"kind": "compute", "accelerator": "H100", "purchase_option": "spot", **usage})
    assert said.gpu_seconds == Decimal(gpu_seconds)
    assert json.loads(said.model_dump_json(exclude_none=True))["gpu_seconds"] == gpu_seconds
    assert ComputeUsage.model_validate_json(said.model_dump_json()) == said


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({"duration_s": "3600", "accelerator_count": 8, "gpu_seconds": "28511"}, InvalidReason.DURATION_MISMATCH),
        ({"duration_s": "3600", "accelerator_count": 8, "gpu_seconds": "29089"}, InvalidReason.DURATION_MISMATCH),
        ({"duration_s": "0", "accelerator_count": 8, "gpu_seconds": "9"}, InvalidReason.DURATION_MISMATCH),
        ({"duration_s": "3600", "accelerator_count": 8, "busy_gpu_seconds": "28801"}, InvalidReason.PART_EXCEEDS_WHOLE),
        ({"duration_s": "2678400.000001", "gpu_seconds": "1"}, InvalidReason.OUT_OF_RANGE),
        ({"duration_s": "-1", "gpu_seconds": "1"}, InvalidReason.NEGATIVE_QUANTITY),
        ({"duration_s": "1e9999", "gpu_seconds": "1"}, InvalidReason.OUT_OF_RANGE),
        ({"duration_s": "Infinity", "gpu_seconds": "1"}, InvalidReason.OUT_OF_RANGE),
        ({"duration_s": True, "gpu_seconds": "1"}, InvalidReason.WRONG_TYPE),
        ({"duration_s": "3600"}, InvalidReason.MISSING_FIELD),
    ],
)
def test_a_duration_that_cannot_be_is_refused(usage: dict[str, Any], reason: InvalidReason) -> None:
    """With the reason: what contradicts itself, what is longer than 31 days, what is no number."""
    given = {"kind": "compute", "accelerator": "H100", "purchase_option": "spot", **usage}
    assert refusal(raw(usage=given)).reason is reason

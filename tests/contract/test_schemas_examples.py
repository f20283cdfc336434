"""The golden messages: what producers write, what consumers accept, and what they refuse with which reason."""

import json
from pathlib import Path

import jsonschema
import pytest

from spendstream_schemas import InvalidMessageError, InvalidReason, parse
from spendstream_schemas.jsonschema import MESSAGES, generate
from spendstream_schemas.types import Message

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "examples"
VALID = sorted(path for path in EXAMPLES.glob("*/*.json") if path.parent.name in MESSAGES)
INVALID = sorted(path for topic in MESSAGES for path in (EXAMPLES / topic / "invalid").iterdir() if path.is_file())
NOT_GIVEN_BY_PARSE = {
    InvalidReason.OCCURRED_IN_FUTURE: "judged by the pipeline's clock, which the bytes alone do not hold",
    InvalidReason.UNKNOWN_FIELD: "consumers tolerate and count unknown fields; only the SDK refuses them",
    InvalidReason.SIGNATURE_MISSING: "judged by the record's header and the operator's setting",
    InvalidReason.SIGNATURE_INVALID: "judged by the record's header and the source's keys",
    InvalidReason.FOREIGN_REVISION: "judged by what is booked already",
    InvalidReason.EVENT_ID_TAKEN: "judged by what is booked already",
    InvalidReason.PROCESSING_FAILED: "says that the pipeline failed on a valid message",
}
UNKNOWN_FIELDS = {"consumer_unknown_fields": ("mood", "usage.thinking_budget", "attribution.squad")}


def topic_of(path: Path) -> str:
    return path.relative_to(EXAMPLES).parts[0]


def label(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def written_by_a_producer(path: Path) -> bool:
    """The others are messages that consumers accept although our own SDK would write them differently."""
    return not path.stem.startswith(("consumer_", "minimal"))


def accepted(path: Path) -> Message:
    parsed = parse(MESSAGES[topic_of(path)], path.read_bytes())
    assert sorted(parsed.unknown_fields) == sorted(UNKNOWN_FIELDS.get(path.stem, ()))
    return parsed.message


@pytest.mark.parametrize("path", VALID, ids=label)
def test_a_consumer_accepts_every_valid_example(path: Path) -> None:
    """And what the producer writes of it is read back as the same message."""
    message = accepted(path)
    again = parse(type(message), message.model_dump_json(exclude_none=True).encode())
    assert again.message == message
    assert again.unknown_fields == ()


@pytest.mark.parametrize("path", [path for path in VALID if written_by_a_producer(path)], ids=label)
def test_a_producer_writes_exactly_the_example(path: Path) -> None:
    """The same fields, the same values, in the same order: nothing is added or lost on the way."""
    written = json.loads(accepted(path).model_dump_json(exclude_none=True))
    assert json.dumps(written) == json.dumps(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", VALID, ids=label)
def test_the_json_schema_agrees(path: Path) -> None:
    """Valid examples are valid by the generated schema, except that it is as strict on unknown fields as the SDK."""
    validator = jsonschema.Draft202012Validator(generate(topic_of(path)))
    errors = [error.validator for error in validator.iter_errors(json.loads(path.read_bytes()))]
    assert bool(errors) == (path.stem in UNKNOWN_FIELDS)


@pytest.mark.parametrize("path", INVALID, ids=label)
def test_a_consumer_refuses_with_the_reason_the_file_is_named_after(path: Path) -> None:
    """`<reason>[-what].json`, or .bin for what is not JSON."""
    expected = path.stem.split("-")[0]
    with pytest.raises(InvalidMessageError) as refused:
        parse(MESSAGES[topic_of(path)], path.read_bytes())
    assert refused.value.reason.value == expected
    assert refused.value.detail


def test_every_reason_has_an_example() -> None:
    """A reason code without a message that shows it would be untested and unexplained."""
    shown = {InvalidReason(path.stem.split("-")[0]) for path in INVALID if topic_of(path) == "usage.events.v1"}
    assert shown == set(InvalidReason) - set(NOT_GIVEN_BY_PARSE)

"""The golden records of the feeds that our own jobs write: states of budgets, and what becomes alerts."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from spendstream_schemas.alert_feed import AlertAck, AlertSignal, Silence, alert_record_key
from spendstream_schemas.budget_feed import BudgetPolicy, BudgetState, Heartbeat, record_key
from spendstream_schemas.jsonschema import FEEDS, file_name, generate
from stream_jobs.base.yaml_files import load_yaml
from stream_jobs.runtime.topics import TOPICS_DIR

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
EXAMPLES = SCHEMAS / "examples"
VALID = sorted(path for topic in FEEDS for path in (EXAMPLES / topic).glob("*.json"))
INVALID = sorted(path for topic in FEEDS for path in (EXAMPLES / topic / "invalid").glob("*.json"))


def label(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


def topic_of(path: Path) -> str:
    return path.relative_to(EXAMPLES).parts[0]


@pytest.mark.parametrize("topic", FEEDS)
def test_one_name_joins_everything(topic: str) -> None:
    """The topic file, the schema and the examples are found by the topic's name."""
    assert load_yaml(TOPICS_DIR / f"{topic}.yaml")["name"] == topic
    assert (SCHEMAS / "json" / file_name(topic)).is_file()


def test_every_type_of_record_has_an_example() -> None:
    """One that is not shown would be untested and unexplained."""
    shown = {type(FEEDS[topic_of(path)].validate_json(path.read_bytes())) for path in VALID}
    assert shown == {BudgetPolicy, BudgetState, Heartbeat, AlertSignal, AlertAck, Silence}


@pytest.mark.parametrize("path", VALID, ids=label)
def test_a_reader_takes_every_valid_example_and_a_writer_writes_it(path: Path) -> None:
    """The same fields and values; amounts stay texts, to the last digit."""
    raw = path.read_bytes()
    record = FEEDS[topic_of(path)].validate_json(raw)
    assert json.loads(record.model_dump_json(exclude_unset=True)) == json.loads(raw)
    assert FEEDS[topic_of(path)].validate_json(record.model_dump_json()) == record
    assert record_key(record) if topic_of(path).startswith("budget") else alert_record_key(record)


@pytest.mark.parametrize("path", VALID, ids=label)
def test_the_json_schema_agrees_with_valid_examples(path: Path) -> None:
    """For whoever reads the feed in another language."""
    jsonschema.Draft202012Validator(generate(topic_of(path))).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", INVALID, ids=label)
def test_an_invalid_example_is_refused(path: Path) -> None:
    """By the models, and where it can say so by the JSON Schema."""
    with pytest.raises(ValidationError):
        FEEDS[topic_of(path)].validate_json(path.read_bytes())

"""One name joins a topic's file, its schema and its examples; schemas match the models and stay compatible."""

from pathlib import Path
from typing import Any, get_args

import pytest

from spendstream_schemas import MAX_MESSAGE_BYTES, SCHEMA_VERSION
from spendstream_schemas.budget_feed import BudgetPolicy
from spendstream_schemas.compat import check_against_released
from spendstream_schemas.jsonschema import FEEDS, MESSAGES, drifted, file_name
from stream_jobs.base.yaml_files import load_yaml
from stream_jobs.series.delta import VERSION as DELTA_VERSION

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
CLEANUP_POLICIES = {"delete", "compact"}


def declared(topic: str) -> dict[str, Any]:
    document = load_yaml(SCHEMAS / "topics" / f"{topic}.yaml")
    assert isinstance(document, dict)
    return document


def test_committed_schemas_match_the_models() -> None:
    """Otherwise run `make schemas` and commit."""
    assert drifted(SCHEMAS / "json") == []


def test_no_released_schema_is_broken() -> None:
    """A message that a released SDK sends stays valid and keeps its meaning."""
    released = SCHEMAS / "json" / "released"
    assert {path.name for path in released.glob("*/*.schema.json")} >= {file_name(topic) for topic in MESSAGES}
    assert check_against_released(SCHEMAS / "json") == []


@pytest.mark.parametrize("topic", MESSAGES)
def test_one_name_joins_everything(topic: str) -> None:
    """The topic file, the schema and the examples of a message are found by the topic's name."""
    assert declared(topic)["name"] == topic
    assert (SCHEMAS / "json" / file_name(topic)).is_file()
    assert list((SCHEMAS / "examples" / topic).glob("*.json"))
    assert list((SCHEMAS / "examples" / topic / "invalid").iterdir())


def test_nothing_is_left_without_a_model() -> None:
    """Every folder of examples belongs to a message."""
    assert {path.name for path in (SCHEMAS / "examples").iterdir() if path.is_dir()} == {*MESSAGES, *FEEDS}


def test_feeds_say_every_version_that_their_readers_take() -> None:
    """Whoever updates readers before writers looks it up in the topic's file."""
    policies = get_args(BudgetPolicy.model_fields["schema_version"].annotation)
    assert declared("budget.state.v1")["schema_versions"] == list(policies)
    assert declared("cost.deltas.v1")["schema_versions"] == list(range(1, DELTA_VERSION + 1))


@pytest.mark.parametrize("topic", MESSAGES)
def test_a_topic_file_says_what_an_operator_needs(topic: str) -> None:
    """Key, owner, versions, partitions, retention and bounds, with values that Kafka accepts."""
    document = declared(topic)
    assert document["model"] == MESSAGES[topic].__name__
    assert document["key"] in MESSAGES[topic].model_fields
    assert document["schema_versions"] == [SCHEMA_VERSION]
    assert document["owner"]
    assert document["partitions"] >= 1
    assert document["replication"] >= 1
    assert document["max_message_bytes"] == MAX_MESSAGE_BYTES
    config = document["config"]
    assert config["cleanup.policy"] in CLEANUP_POLICIES
    assert config["retention.ms"] > 0
    assert config["max.message.bytes"] >= MAX_MESSAGE_BYTES
    assert config["min.insync.replicas"] <= document["replication"]

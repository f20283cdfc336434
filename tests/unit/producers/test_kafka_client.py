"""What a broker's refusal means to a service, in its log."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from spendstream import GuardConfig
from spendstream.guard.feed import Feed
from spendstream.kafka_client import in_words, user_of
from spendstream.lane import InFlightLimit, Lane, Record
from spendstream.stats import Counters
from tests.unit.producers.support import config

REFUSED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


def test_a_refused_topic_is_told_with_the_right_that_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """For whom, and on what; other errors are told as they are."""
    login = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "checkout"}
    settings = config("kafka:1", tmp_path, **login, sasl_password="secret")
    lane = Lane("usage.events.v1", None, InFlightLimit(10, 1000), Counters(), None, False, user=user_of(settings))
    lane._failure(Record(lane, b"key", b"value"), REFUSED)
    assert "User:checkout lacks the Kafka ACL that allows Write on topic usage.events.v1" in caplog.text
    assert "ACL" not in in_words(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), "Write", "t", "User:checkout")


def test_a_refused_guard_says_that_it_may_not_read() -> None:
    """A service that connects without a name is told so."""
    settings = GuardConfig(bootstrap_servers="kafka:1", source="test")
    feed = Feed(settings, intake=None, counters=Counters())  # type: ignore[arg-type]
    said = feed._text(KafkaException(REFUSED))
    assert "the user of this connection lacks the Kafka ACL that allows Read on topic budget.state.v1" in said
    assert feed._text(ValueError("else")) == "ValueError('else')"

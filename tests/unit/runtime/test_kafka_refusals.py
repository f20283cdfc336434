"""What Kafka's refusals mean, in words."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from pydantic import SecretStr

from stream_jobs.runtime import kafka_refusals
from stream_jobs.runtime.kafka_refusals import connection_refused, listener, reason
from stream_jobs.runtime.kafka_settings import KafkaSettings


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    """Servers of this test's own: what is heard of a connection is kept by them."""
    return KafkaSettings(
        bootstrap_servers=f"{request.node.name.replace('[', '-').strip(']')}:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="checkout",
        sasl_password=SecretStr("secret"),
    )


def test_a_refusal_names_the_right_the_user_the_role_and_the_remedy(kafka: KafkaSettings) -> None:
    """For topics and groups; of a right that no role has it says so."""
    refused = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert reason(refused, kafka, operation="Write", name="budget.control.v1").endswith(
        "User:checkout lacks the right to Write topic budget.control.v1, which the role operator has "
        "(infra/kafka/acls.yaml). OPERATOR_USERS=User:checkout sh infra/kafka/acls.sh grants it"
    )
    group = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    said = reason(group, kafka, operation="Read", kind="group", name="spendstream-alerts")
    assert "Read group spendstream-alerts, which the role watching has" in said
    assert "which no role has" in reason(refused, kafka, operation="Write", name="weather")


def test_who_comes_without_a_password(tmp_path: Path) -> None:
    """By certificate, or not at all."""
    (tmp_path / "me.crt").touch()
    (tmp_path / "me.key").touch()
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    certificate = KafkaSettings(
        bootstrap_servers="a:1",
        security_protocol="SSL",
        ssl_certificate_location=tmp_path / "me.crt",
        ssl_key_location=tmp_path / "me.key",
    )
    assert f"the user of the certificate {tmp_path / 'me.crt'} lacks" in reason(
        refused, certificate, operation="Read", name="alerts.v1"
    )
    nobody = KafkaSettings(bootstrap_servers="a:1")
    assert "User:ANONYMOUS lacks" in reason(refused, nobody, operation="Read", name="alerts.v1")


def test_a_call_that_waited_in_vain_says_why_the_connection_failed(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only of a login or of TLS, only lately, only of this user, and never in place of another error."""
    waited = KafkaError(KafkaError._TIMED_OUT)
    hear = listener(kafka)
    hear(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
    assert connection_refused(kafka) is None
    hear(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error"))
    said = reason(waited, kafka, operation="Read", name="alerts.v1")
    assert "SASL authentication error. Look at SPENDSTREAM_KAFKA_SASL_USERNAME" in said
    assert "SASL" not in reason(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), kafka, operation="Read", name="t")
    assert connection_refused(kafka.model_copy(update={"sasl_username": "other"})) is None
    hear(KafkaError(KafkaError._SSL, "certificate verify failed"))
    assert "SPENDSTREAM_KAFKA_SSL_CA_LOCATION" in reason(waited, kafka, operation="Read", name="alerts.v1")
    monkeypatch.setattr(kafka_refusals, "_HEARD_S", -1.0)
    assert connection_refused(kafka) is None

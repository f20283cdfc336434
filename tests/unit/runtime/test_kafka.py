"""One description of the broker for both clients."""

from pathlib import Path

import pytest
from faust import SASLCredentials
from pydantic import SecretStr

from stream_jobs.base.errors import BrokerUnavailableError, ConfigError
from stream_jobs.runtime.kafka import broker_urls, faust_credentials, librdkafka_config, topic_start
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port

PLAIN = KafkaSettings(bootstrap_servers="a:1, b:2")
SASL = KafkaSettings(
    bootstrap_servers="a:1",
    security_protocol="SASL_PLAINTEXT",
    sasl_mechanism="SCRAM-SHA-512",
    sasl_username="user",
    sasl_password=SecretStr("secret"),
)


def test_a_plain_connection_has_no_credentials() -> None:
    """And nothing is passed to librdkafka that was not set."""
    assert faust_credentials(PLAIN) is None
    config = librdkafka_config(PLAIN)
    assert config["bootstrap.servers"] == "a:1, b:2"
    assert not any(key.startswith(("sasl", "ssl")) for key in config)


def test_faust_gets_every_server() -> None:
    """Spaces after commas are a habit."""
    assert broker_urls(PLAIN) == ["kafka://a:1", "kafka://b:2"]


def test_both_clients_log_in_alike() -> None:
    """The same mechanism, user and password."""
    config = librdkafka_config(SASL)
    assert (config["sasl.mechanism"], config["sasl.username"], config["sasl.password"]) == (
        "SCRAM-SHA-512",
        "user",
        "secret",
    )
    credentials = faust_credentials(SASL)
    assert isinstance(credentials, SASLCredentials)
    assert (str(credentials.mechanism.value), credentials.username, credentials.password) == (
        "SCRAM-SHA-512",
        "user",
        "secret",
    )


def test_tls_files_that_cannot_be_read_are_a_config_error(tmp_path: Path) -> None:
    """Not a traceback of the ssl module."""
    (tmp_path / "ca.pem").write_text("not a certificate")
    kafka = KafkaSettings(bootstrap_servers="a:1", security_protocol="SSL", ssl_ca_location=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match="TLS files of Kafka"):
        faust_credentials(kafka)


def test_a_broker_that_is_away_is_something_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """BrokerUnavailableError names the topic that could not be described."""
    monkeypatch.setattr("stream_jobs.runtime.kafka.ADMIN_TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailableError, match="cannot describe topic t:"):
        topic_start(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"), "t")

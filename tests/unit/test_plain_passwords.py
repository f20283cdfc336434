"""Passwords that go to another machine without TLS are warned of, wherever a connection is made."""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from spendstream import Guard, GuardConfig, ProducerConfig, UsageProducer
from stream_jobs.base.environment import from_environment
from stream_jobs.config_check import check_config
from stream_jobs.runtime.kafka import librdkafka_config
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from stream_jobs.store.client import connect
from stream_jobs.store.settings import ClickHouseSettings
from tests.unit.producers.support import wait_for


def kafka(servers: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="me",
        sasl_password=SecretStr("hunter2"),
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://me:hunter2@ch:8123", True),
        ("http://me:hunter2@127.0.0.1.example.com:8123", True),
        ("ch:8123", False),
        ("https://me:hunter2@ch:8443", False),
        ("http://me:hunter2@localhost:8123", False),
        ("http://me:hunter2@[::1]:8123", False),
    ],
)
def test_of_clickhouse(url: str, told: bool) -> None:
    """Whose password goes with every request."""
    text = from_environment(ClickHouseSettings, url=url).password_in_the_clear
    assert (text is not None) == told
    assert "hunter2" not in (text or "")


def test_the_log_says_it_once_and_without_the_password(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Of Kafka and ClickHouse, when a connection is made; nothing of what stays here."""
    (tmp_path / "password").write_text("hunter2")
    store = ClickHouseSettings(host="192.0.2.1", port=1, password_file=tmp_path / "password", connect_timeout_s=0.1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            librdkafka_config(kafka("once.example:1"))
            librdkafka_config(kafka(f"localhost:{free_port()}"))
            with pytest.raises(Exception, match="does not answer"):
                connect(store)
    messages = [record.getMessage() for record in caplog.records if "without TLS" in record.getMessage()]
    assert len(messages) == 2
    assert "'me' goes to once.example without TLS" in messages[0]
    assert "192.0.2.1" in messages[1]
    assert "hunter2" not in caplog.text


def test_check_config_warns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is no problem that stops a deployment."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "kafka-1:9092,localhost:9092",
        "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "SPENDSTREAM_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "SPENDSTREAM_KAFKA_SASL_USERNAME": "me",
        "SPENDSTREAM_KAFKA_SASL_PASSWORD": "hunter2",
        "SPENDSTREAM_CLICKHOUSE_URL": "http://me:hunter2@ch:8123",
    }.items():
        monkeypatch.setenv(name, value)
    report = check_config()
    assert report.problems == []
    told = [text for text in report.warnings if "without TLS" in text]
    assert len(told) == 2
    assert "kafka-1 without TLS" in told[0]
    assert "to ch without TLS" in told[1]


def test_the_sdk_warns_when_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    """Producer and guard, in their own log, without the password."""
    values = {
        "bootstrap_servers": f"127.0.0.1:{free_port()},192.0.2.1:1",
        "source": "test",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "me",
        "sasl_password": "hunter2",
    }
    with caplog.at_level(logging.WARNING, logger="spendstream"):
        with UsageProducer(ProducerConfig(**values, spool_dir=None, close_timeout_s=0.1)):  # type: ignore[arg-type]
            wait_for(lambda: "'me' goes to 192.0.2.1 without TLS" in caplog.text, "the producer's warning")
        caplog.clear()
        with Guard(GuardConfig(**values)):  # type: ignore[arg-type]
            wait_for(lambda: "'me' goes to 192.0.2.1 without TLS" in caplog.text, "the guard's warning")
    assert "hunter2" not in caplog.text

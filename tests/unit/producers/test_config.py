"""`config`: settings from the environment, every problem named at once, secrets never shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from spendstream import ProducerConfig, ProducerConfigError
from spendstream.config import default_spool_dir, variable
from spendstream.kafka_client import client_settings

BASE = {"SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "SPENDSTREAM_SOURCE": "checkout"}


def test_the_environment_sets_every_field(tmp_path: Path) -> None:
    """Kafka settings carry the KAFKA_ prefix, the producer's own do not; values are converted."""
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    config = ProducerConfig.from_env(
        BASE
        | {
            "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "SPENDSTREAM_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "SPENDSTREAM_KAFKA_SASL_USERNAME": "user",
            "SPENDSTREAM_KAFKA_SASL_PASSWORD": "hunter2",
            "SPENDSTREAM_KAFKA_SSL_CA_LOCATION": str(ca),
            "SPENDSTREAM_SPOOL_DIR": str(tmp_path),
            "SPENDSTREAM_SPOOL_MAX_BYTES": "1048576",
            "SPENDSTREAM_SPOOL_SEGMENT_BYTES": "65536",
            "SPENDSTREAM_MEMORY_MAX_EVENTS": "500",
            "SPENDSTREAM_DURABLE": "true",
        }
    )
    assert (config.spool_max_bytes, config.memory_max_events, config.durable) == (1_048_576, 500, True)
    settings = client_settings(config, queue_events=10)
    assert settings["sasl.password"] == "hunter2"
    assert settings["ssl.ca.location"] == str(ca)
    assert (settings["acks"], settings["enable.idempotence"], settings["compression.type"]) == ("all", True, "lz4")


def test_everything_wrong_is_reported_at_once() -> None:
    """One start shows every problem, by the variable's name."""
    with pytest.raises(ProducerConfigError) as caught:
        ProducerConfig.from_env(
            {
                "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL": "TLS",
                "SPENDSTREAM_MEMORY_MAX_EVENTS": "many",
                "SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE": "/nowhere/secret",
            }
        )
    text = str(caught.value)
    for name in (
        "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS",
        "SPENDSTREAM_SOURCE",
        "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL",
        "SPENDSTREAM_MEMORY_MAX_EVENTS",
        "SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE",
    ):
        assert name in text
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"security_protocol": "SASL_SSL"}, "needs sasl_mechanism"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "needs sasl_username"),
        ({"sasl_username": "u"}, "security_protocol is not SASL"),
        ({"ssl_certificate_location": "/etc/hostname"}, "belong together"),
        ({"ssl_ca_location": "/nowhere/ca.pem"}, "does not exist"),
        ({"durable": True, "spool_dir": None}, "durable needs spool_dir"),
        ({"spool_max_bytes": 100_000}, "larger than spool_max_bytes"),
    ],
)
def test_combinations_that_cannot_work_are_refused(fields: dict[str, object], said: str) -> None:
    """Settings that contradict each other say so before anything connects."""
    with pytest.raises(ProducerConfigError, match=said):
        ProducerConfig.from_env(BASE, **fields)


def test_a_secret_comes_from_a_file_without_its_newline(tmp_path: Path) -> None:
    """As mounted by orchestrators; given twice it is ambiguous and refused."""
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    environ = BASE | {
        "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "SPENDSTREAM_KAFKA_SASL_MECHANISM": "PLAIN",
        "SPENDSTREAM_KAFKA_SASL_USERNAME": "user",
        "SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE": str(secret),
    }
    config = ProducerConfig.from_env(environ)
    assert config.sasl_password is not None
    assert config.sasl_password.get_secret_value() == "hunter2"
    with pytest.raises(ProducerConfigError, match="both set"):
        ProducerConfig.from_env(environ | {"SPENDSTREAM_KAFKA_SASL_PASSWORD": "other"})


def test_secrets_never_show() -> None:
    """Neither in a repr nor in the error that refuses them."""
    config = ProducerConfig(
        bootstrap_servers="k:1",
        source="s",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="user",
        sasl_password="hunter2",  # type: ignore[arg-type]
    )
    assert "hunter2" not in repr(config) + str(config) + config.model_dump_json()
    with pytest.raises(ValidationError) as caught:
        ProducerConfig(bootstrap_servers="k:1", source="s", sasl_password="hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ProducerConfigError) as refused:
        ProducerConfig.from_env(BASE | {"SPENDSTREAM_KAFKA_SASL_PASSWORD": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_overrides_win_and_an_empty_spool_dir_means_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tool can fix its source; a read-only container can go without a spool; the default outlives a restart."""
    config = ProducerConfig.from_env(BASE | {"SPENDSTREAM_SPOOL_DIR": ""}, source="replay")
    assert (config.source, config.spool_dir) == ("replay", None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_spool_dir() == tmp_path / "spendstream" / "spool"
    assert variable("ssl_key_password") == "SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD"

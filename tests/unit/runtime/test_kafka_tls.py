"""The files of TLS for Kafka, keys with passphrases among them, for both clients and for the SDK."""

import asyncio
import ssl
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from faust import SSLCredentials
from pydantic import SecretStr, ValidationError

from spendstream import ProducerConfig
from spendstream.kafka_client import connection_settings
from stream_jobs.base.errors import ConfigError
from stream_jobs.config_check import check_config
from stream_jobs.runtime import kafka_access
from stream_jobs.runtime.jobs import METERING
from stream_jobs.runtime.kafka import faust_credentials, librdkafka_config
from stream_jobs.runtime.kafka_access import check_access
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.ports import free_port
from tests.tls import Authority, Certificate, encrypted, tls_in_front_of

PASSPHRASE = "correct horse: ключ"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    """Its key has a passphrase."""
    made = authority.certificate("worker", "DNS:localhost")
    return Certificate(made.file, encrypted(made.key, PASSPHRASE, made.key.with_suffix(".enc")))


def settings(authority: Authority, certificate: Certificate, passphrase: str | None, **more: object) -> KafkaSettings:
    values: dict[str, object] = {
        "bootstrap_servers": "localhost:1",
        "security_protocol": "SSL",
        "ssl_ca_location": authority.file,
        "ssl_certificate_location": certificate.file,
        "ssl_key_location": certificate.key,
        "ssl_key_password": None if passphrase is None else SecretStr(passphrase),
    }
    return KafkaSettings(**(values | more))  # type: ignore[arg-type]


def test_a_key_with_a_passphrase_opens_for_both_clients(authority: Authority, certificate: Certificate) -> None:
    """From the setting, and from a file with a line break at its end."""
    kafka = settings(authority, certificate, PASSPHRASE)
    assert faust_credentials(kafka) is not None
    AdminClient(librdkafka_config(kafka))
    secret = certificate.key.with_name("passphrase")
    secret.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    from_file = settings(authority, certificate, None, ssl_key_password_file=secret)
    assert from_file.ssl_key_password == SecretStr(PASSPHRASE)
    AdminClient(librdkafka_config(from_file))
    assert PASSPHRASE not in repr(from_file)


@pytest.mark.parametrize(
    ("passphrase", "told"),
    [
        ("wrong", "SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD is wrong for the key"),
        (None, "SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD is not set"),
        ("x" * 2000, "SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD is wrong for the key"),
    ],
)
def test_without_the_right_passphrase_it_is_a_config_error(
    authority: Authority, certificate: Certificate, passphrase: str | None, told: str
) -> None:
    """From both clients alike, at once: nobody is asked for a passphrase in the terminal."""
    kafka = settings(authority, certificate, passphrase)
    for attempt in (faust_credentials, librdkafka_config):
        with pytest.raises(ConfigError, match=told) as caught:
            attempt(kafka)
        assert "x" * 20 not in str(caught.value)


def test_files_that_do_not_fit_are_a_config_error(
    authority: Authority, certificate: Certificate, tmp_path: Path
) -> None:
    """Another certificate's key; a CA file that is none, or empty; a certificate in place of the key."""
    other = authority.certificate("other", "DNS:localhost")
    (tmp_path / "empty.pem").touch()
    (tmp_path / "noise.pem").write_bytes(bytes(range(256)))
    cases: list[tuple[dict[str, object], str]] = [
        ({"ssl_key_location": other.key}, "does not belong to the certificate"),
        ({"ssl_key_location": certificate.file}, "TLS files of Kafka cannot be used"),
        ({"ssl_key_location": tmp_path / "noise.pem"}, r"noise\.pem"),
        ({"ssl_ca_location": tmp_path / "empty.pem"}, r"empty\.pem"),
        ({"ssl_ca_location": tmp_path / "noise.pem"}, r"noise\.pem"),
    ]
    for changes, told in cases:
        kafka = settings(authority, certificate, PASSPHRASE, **changes)
        for attempt in (faust_credentials, librdkafka_config):
            with pytest.raises(ConfigError, match=told):
                attempt(kafka)


def test_check_config_opens_the_files(
    authority: Authority, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong passphrase is found before the first connection."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SSL_CERTIFICATE_LOCATION", str(certificate.file))
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SSL_KEY_LOCATION", str(certificate.key))
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD", "wrong")
    assert any("SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD is wrong" in problem for problem in check_config().problems)
    monkeypatch.setenv("SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD", PASSPHRASE)
    assert check_config().problems == []


def test_a_passphrase_without_a_key_is_refused() -> None:
    """It was meant for something."""
    with pytest.raises(ValidationError, match="there is no ssl_key_location"):
        KafkaSettings(bootstrap_servers="a:1", security_protocol="SSL", ssl_key_password=SecretStr("x"))


def test_the_sdk_opens_the_same_key(authority: Authority, certificate: Certificate) -> None:
    """With the passphrase; without, its client is not made, and asks nobody."""
    values = {
        "bootstrap_servers": "localhost:1",
        "source": "test",
        "security_protocol": "SSL",
        "ssl_ca_location": authority.file,
        "ssl_certificate_location": certificate.file,
        "ssl_key_location": certificate.key,
    }
    Producer(connection_settings(ProducerConfig(**values, ssl_key_password=SecretStr(PASSPHRASE))))  # type: ignore[arg-type]
    for wrong in ({}, {"ssl_key_password": SecretStr("wrong")}):
        with pytest.raises(KafkaException, match=r"ssl\.key\.location"):
            Producer(connection_settings(ProducerConfig(**values, **wrong)))  # type: ignore[arg-type]


def test_a_broker_by_another_name_or_of_another_authority_is_refused(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both clients, before anything is said to it; the worker says what to look at."""
    monkeypatch.setattr(kafka_access, "ADMIN_TIMEOUT_S", 2.0)
    made = authority.certificate("broker", "DNS:kafka.example.com")
    stranger = Authority(tmp_path, "stranger").certificate("broker", "DNS:localhost")
    for certificate in (made, stranger):
        with tls_in_front_of(free_port(), certificate) as port:
            kafka = KafkaSettings(
                bootstrap_servers=f"localhost:{port}", security_protocol="SSL", ssl_ca_location=authority.file
            )
            with pytest.raises(
                ConfigError, match=r"Kafka does not let us in.*Look at SPENDSTREAM_KAFKA_SSL_CA_LOCATION"
            ):
                check_access(kafka, [METERING])
            with pytest.raises(ssl.SSLCertVerificationError):
                asyncio.run(handshake(kafka, port))


async def handshake(kafka: KafkaSettings, port: int) -> None:
    """As aiokafka opens a connection, with the context that Faust hands it."""
    credentials = faust_credentials(kafka)
    assert isinstance(credentials, SSLCredentials)
    _, writer = await asyncio.open_connection("localhost", port, ssl=credentials.context)
    writer.close()

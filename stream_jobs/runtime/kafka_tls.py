"""The files of TLS for Kafka, opened and checked."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime.kafka_settings import KafkaSettings


def ssl_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Raises ConfigError that names the file and what is wrong with it."""
    authorities = kafka.ssl_ca_location
    with _files_of_tls(authorities or "the system's authorities"):
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    certificate, key = kafka.ssl_certificate_location, kafka.ssl_key_location
    if certificate is None or key is None:
        return context
    with _files_of_tls(certificate):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)  # holds certificates at all
    # Without a passphrase OpenSSL would ask for one in the terminal, and a worker would wait for it for ever.
    passphrase = kafka.ssl_key_password.get_secret_value() if kafka.ssl_key_password else ""
    with _files_of_tls(key, kafka):
        context.load_cert_chain(certificate, key, lambda: passphrase)
    return context


@contextmanager
def _files_of_tls(path: Path | str, of_key: KafkaSettings | None = None) -> Iterator[None]:
    """Turns what OpenSSL says, which is not for people, into what to do about the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a passphrase may be too long
        said = f"{path}: {error}"
        if "KEY_VALUES_MISMATCH" in str(error):
            said = f"the key {path} does not belong to the certificate"
        elif of_key is not None and b"ENCRYPTED" in Path(path).read_bytes():
            wrong = "is wrong for" if of_key.ssl_key_password else "is not set, and there is a passphrase on"
            said = f"SPENDSTREAM_KAFKA_SSL_KEY_PASSWORD {wrong} the key {path} ({error})"
        raise ConfigError(f"the TLS files of Kafka cannot be used: {said}") from None

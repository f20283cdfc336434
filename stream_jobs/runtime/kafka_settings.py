"""How to reach Kafka: SPENDSTREAM_KAFKA_*."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from spendstream_schemas.hosts import HOST, password_in_the_clear
from stream_jobs.base.environment import variables
from stream_jobs.base.files import checked_content
from stream_jobs.runtime.ports import LOOPBACK


class KafkaSettings(BaseSettings):
    """Read from SPENDSTREAM_KAFKA_*. Secrets can come from files."""

    model_config = variables("SPENDSTREAM_KAFKA_")

    bootstrap_servers: Annotated[str, Field(description="Brokers to start from: host:port,host:port.")] = (
        f"{LOOPBACK}:9092"
    )
    client_id: Annotated[
        str, Field(min_length=1, max_length=255, description="Name under which brokers know our connections.")
    ] = "spendstream"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
        Field(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; with a SASL protocol only."),
    ] = None
    sasl_username: Annotated[str | None, Field(description="User of the SASL login.")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="Password of the SASL login.")] = None
    sasl_password_file: Annotated[Path | None, Field(description="File that holds the password instead.")] = None
    ssl_ca_location: Annotated[Path | None, Field(description="PEM file of the authorities to trust.")] = None
    ssl_certificate_location: Annotated[Path | None, Field(description="PEM file of our own certificate.")] = None
    ssl_key_location: Annotated[Path | None, Field(description="PEM file of its private key.")] = None
    ssl_key_password: Annotated[SecretStr | None, Field(description="Passphrase of the private key.")] = None
    ssl_key_password_file: Annotated[Path | None, Field(description="File that holds the passphrase instead.")] = None

    @field_validator("bootstrap_servers")
    @classmethod
    def _servers_have_ports(cls, value: str) -> str:
        for server in value.split(","):
            host, _, port = server.strip().rpartition(":")
            if (
                HOST.fullmatch(host) is None
                or not port.isascii()
                or not port.isdigit()
                or len(port) > 5
                or not 1 <= int(port) <= 65_535
            ):
                raise ValueError(f"{server.strip()!r} is not host:port")
        return value

    @field_validator(
        *("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"),
        *("sasl_password_file", "ssl_key_password_file"),
    )
    @classmethod
    def _file_is_readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            checked_content(path)
        return path

    @model_validator(mode="after")
    def _combinations_make_sense(self) -> Self:
        problems = []
        for name in ("sasl_password", "ssl_key_password"):
            file: Path | None = getattr(self, f"{name}_file")
            if file is not None:
                if getattr(self, name) is not None:
                    problems.append(f"{name} and {name}_file are both set; keep one")
                # The model is frozen for its users; this is still its construction.
                secret = checked_content(file).decode(errors="replace").rstrip("\r\n")
                object.__setattr__(self, name, SecretStr(secret))
        if self.security_protocol.startswith("SASL"):
            if self.sasl_mechanism is None:
                problems.append(f"security_protocol {self.security_protocol} needs sasl_mechanism")
            if not self.sasl_username or not self.sasl_password:
                problems.append(f"security_protocol {self.security_protocol} needs sasl_username and sasl_password")
        elif self.sasl_mechanism or self.sasl_username or self.sasl_password:
            problems.append("SASL settings are given, but security_protocol is not SASL_SSL or SASL_PLAINTEXT")
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            problems.append("ssl_certificate_location and ssl_key_location belong together")
        if self.ssl_key_password is not None and self.ssl_key_location is None:
            problems.append("ssl_key_password is set, but there is no ssl_key_location")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def password_in_the_clear(self) -> str | None:
        """A sentence when our login goes to another machine without TLS."""
        return password_in_the_clear(
            self.bootstrap_servers, self.security_protocol, self.sasl_username, self.sasl_mechanism
        )

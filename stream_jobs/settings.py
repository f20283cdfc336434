"""Settings of the application: SPENDSTREAM_* environment variables, checked together at start.

Each variable is a field's name in capitals behind the group's prefix. An empty variable counts as not set. Secrets can
come from files: SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from spendstream_schemas.hosts import password_in_the_clear
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import checked_content, is_folder
from stream_jobs.data_quality.settings import ENV_PREFIX as DATA_QUALITY_PREFIX
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.embedded.settings import ENV_PREFIX as EMBEDDED_PREFIX
from stream_jobs.embedded.settings import EmbeddedSettings
from stream_jobs.origin.settings import ENV_PREFIX as ORIGIN_PREFIX
from stream_jobs.origin.settings import OriginSettings
from stream_jobs.reconciliation.settings import ENV_PREFIX as RECONCILIATION_PREFIX
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.runtime.browsers.names import parse_patterns
from stream_jobs.store.retention import ENV_PREFIX as RETENTION_PREFIX
from stream_jobs.store.retention import RetentionSettings, load_retention_settings
from stream_jobs.store.settings import ENV_PREFIX as CLICKHOUSE_PREFIX
from stream_jobs.store.settings import HOST, ClickHouseSettings, load_clickhouse_settings

PREFIX: Final = "SPENDSTREAM_"
KAFKA_PREFIX: Final = "SPENDSTREAM_KAFKA_"
SDK_VARIABLES: Final = frozenset(
    PREFIX + name
    for name in (
        "SOURCE",
        "MEMORY_MAX_EVENTS",
        "MEMORY_MAX_BYTES",
        "SPOOL_DIR",
        "SPOOL_MAX_BYTES",
        "SPOOL_SEGMENT_BYTES",
        "DURABLE",
        "DELIVERY_TIMEOUT_S",
        "CLOSE_TIMEOUT_S",
        "LINGER_MS",
        "SIGNING_KEY",
        "SIGNING_KEY_FILE",
        "SIGNING_KEY_ID",
    )
)
"""Variables that only the producer in the services reads; they are no typos here."""
_TYPO_CUTOFF: Final = 0.8


def _config(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class KafkaSettings(BaseSettings):
    """How to reach Kafka."""

    model_config = _config(KAFKA_PREFIX)

    bootstrap_servers: Annotated[str, Field(description="Brokers to start from: host:port,host:port.")] = (
        "127.0.0.1:9092"
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


class PipelineSettings(BaseSettings):
    """How the jobs work."""

    model_config = _config(PREFIX)

    data_dir: Annotated[
        Path, Field(description="Folder of the embedded mode, and of what a worker keeps for a restart.")
    ] = Path(".spendstream")
    config_dir: Annotated[
        Path | None,
        Field(
            description="Folder with attribution.yaml, overlays/, rate_cards/ and corrections/. "
            "Default: config in the data folder, if there is one."
        ),
    ] = None
    max_block_rows: Annotated[
        int, Field(ge=1, le=1_000_000, description="Most events that one insert into the ledger carries.")
    ] = 20_000
    max_queued_records: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Records that wait in a worker's memory before it stops reading."),
    ] = 60_000
    future_tolerance_s: Annotated[
        float,
        Field(ge=0, le=86_400, allow_inf_nan=False, description="How far ahead of our clock an event may claim to be."),
    ] = 300.0
    session_timeout_s: Annotated[
        float,
        Field(
            ge=1,
            le=1_800,
            allow_inf_nan=False,
            description="A worker that Kafka has not heard of for this long loses its partitions.",
        ),
    ] = 30.0
    held_up_after_s: Annotated[
        float,
        Field(
            ge=1,
            le=3_600,
            allow_inf_nan=False,
            description="Seconds without a booked block, while records wait, after which /readyz says no.",
        ),
    ] = 10.0
    http_host: Annotated[
        str,
        Field(min_length=1, description="Address that /healthz, /readyz and /metrics listen on; 0.0.0.0 for probes."),
    ] = "127.0.0.1"
    http_allowed_hosts: Annotated[
        str,
        Field(
            description="Names by which /healthz, /readyz and /metrics may be asked for, beside the address, names "
            "without a dot and those that public DNS does not hold: metrics.example.com,*.prod.example.com; * for any."
        ),
    ] = ""
    http_port: Annotated[
        int, Field(ge=0, le=65_535, description="Port of /healthz, /readyz and /metrics; 0 takes a free one.")
    ] = 0
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO"

    @field_validator("http_allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, value: str) -> str:
        parse_patterns(value)
        return value

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """`http_allowed_hosts`, one by one."""
        return parse_patterns(self.http_allowed_hosts)

    @model_validator(mode="after")
    def _find_config_dir(self) -> Self:
        if self.config_dir is None and is_folder(self.data_dir / "config"):
            object.__setattr__(self, "config_dir", self.data_dir / "config")
        elif self.config_dir is not None and not is_folder(self.config_dir):
            raise ValueError(f"config_dir: {self.config_dir} is not a folder")
        return self


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the application."""

    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    pipeline: PipelineSettings
    retention: RetentionSettings
    origin: OriginSettings
    reconciliation: ReconciliationSettings
    data_quality: DataQualitySettings
    embedded: EmbeddedSettings


GROUPS: Final[Mapping[str, tuple[str, type[BaseSettings]]]] = {
    "pipeline": (PREFIX, PipelineSettings),
    "kafka": (KAFKA_PREFIX, KafkaSettings),
    "clickhouse": (CLICKHOUSE_PREFIX, ClickHouseSettings),
    "retention": (RETENTION_PREFIX, RetentionSettings),
    "origin": (ORIGIN_PREFIX, OriginSettings),
    "reconciliation": (RECONCILIATION_PREFIX, ReconciliationSettings),
    "data_quality": (DATA_QUALITY_PREFIX, DataQualitySettings),
    "embedded": (EMBEDDED_PREFIX, EmbeddedSettings),
}


def load_settings() -> Settings:
    """Everything from the environment. Raises ConfigError with every problem of every group at once."""
    problems: list[str] = []
    groups: dict[str, Any] = {}
    for name in GROUPS:
        try:
            groups[name] = load_group(name)
        except ConfigError as error:
            problems += error.problems
    problems += unknown_variables(os.environ)[0]
    if problems:
        raise ConfigError(problems)
    return Settings(**groups)


def load_kafka_settings(**arguments: Any) -> KafkaSettings:
    """Kafka's settings from environment and arguments; arguments win. Raises ConfigError like `load_group`."""
    settings = load_group("kafka", **arguments)
    assert isinstance(settings, KafkaSettings)
    return settings


def load_embedded_settings() -> EmbeddedSettings:
    """From the environment. Raises ConfigError like `load_group`."""
    settings = load_group("embedded")
    assert isinstance(settings, EmbeddedSettings)
    return settings


def load_reconciliation_settings() -> ReconciliationSettings:
    """From the environment. Raises ConfigError like `load_group`."""
    settings = load_group("reconciliation")
    assert isinstance(settings, ReconciliationSettings)
    return settings


def load_origin_settings() -> OriginSettings:
    """From the environment. Raises ConfigError like `load_group`."""
    settings = load_group("origin")
    assert isinstance(settings, OriginSettings)
    return settings


def load_group(name: str, **arguments: Any) -> BaseSettings:
    """One group of `GROUPS`. Raises ConfigError with every problem, each by its variable's name."""
    prefix, model = GROUPS[name]
    try:
        if name == "clickhouse":
            return load_clickhouse_settings()
        if name == "retention":
            return load_retention_settings()
        return model(**arguments)
    except UnicodeEncodeError:  # before anything is validated
        raise ConfigError(_not_text(prefix, model)) from None
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            variable = prefix + (str(item["loc"][0]).upper() if item["loc"] else "*")
            problems.append(f"{variable}: {item['msg'].removeprefix('Value error, ')}")
        raise ConfigError(problems) from None


def _not_text(prefix: str, model: type[BaseSettings]) -> list[str]:
    """Which variables of a group hold bytes that are not UTF-8."""
    names = {prefix + field.upper() for field in model.model_fields}
    found = [name for name, text in sorted(os.environ.items()) if name.upper() in names and not _is_text(text)]
    return [f"{name}: is not UTF-8" for name in found] or [f"{prefix}*: a value is not UTF-8"]


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def known_variables() -> frozenset[str]:
    """Every variable that means something, to the application or to the SDK."""
    ours = {prefix + field.upper() for prefix, model in GROUPS.values() for field in model.model_fields}
    return SDK_VARIABLES | ours


def unknown_variables(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """SPENDSTREAM_* variables that nothing reads: (problems: those that look like a typo, warnings: the others)."""
    problems, warnings = [], []
    known = sorted(known_variables())
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_TYPO_CUTOFF)
        # All names share the prefix, so it says nothing about how alike two of them are.
        if nearest and _alike(name.upper(), nearest[0]):
            problems.append(f"{name}: there is no such setting; did you mean {nearest[0]}?")
        else:
            warnings.append(f"{name}: nothing reads this variable")
    return problems, warnings


def _alike(name: str, other: str) -> bool:
    matcher = difflib.SequenceMatcher(None, name.removeprefix(PREFIX), other.removeprefix(PREFIX))
    return matcher.ratio() >= _TYPO_CUTOFF

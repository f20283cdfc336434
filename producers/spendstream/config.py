"""Settings of the SDK: from code, or from environment variables with all problems reported at once.

`KafkaConfig` is what everything that speaks to Kafka needs; `ProducerConfig` and the guard's settings build on it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from spendstream.errors import ProducerConfigError, SettingsError
from spendstream_schemas import MAX_MESSAGE_BYTES
from spendstream_schemas.signature import KEY_ID, MIN_SECRET_BYTES

_MIB: Final = 1024 * 1024
_PREFIX: Final = "SPENDSTREAM_"
_KAFKA_FIELDS: Final = (
    "bootstrap_servers",
    "security_protocol",
    "sasl_mechanism",
    "sasl_username",
    "sasl_password",
    "ssl_ca_location",
    "ssl_certificate_location",
    "ssl_key_location",
    "ssl_key_password",
)
_SECRET_FIELDS: Final = ("sasl_password", "ssl_key_password")

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


def default_spool_dir() -> Path:
    """Per user, and not in a temporary folder: what is spooled must outlive a restart of the machine."""
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path("~/.local/state").expanduser()
    return base / "spendstream" / "spool"


class KafkaConfig(BaseModel):
    """Where Kafka is, and how to get in. Immutable; secrets never show in a repr or an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    error_type: ClassVar[type[SettingsError]] = SettingsError
    section: ClassVar[str] = ""  # goes before the names of the variables that are neither Kafka's nor `source`

    bootstrap_servers: Annotated[str, Field(min_length=1)]  # "host:port,host:port"
    source: Annotated[str, Field(min_length=1, max_length=128)]  # this service's name

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None

    @model_validator(mode="after")
    def _combinations_make_sense(self) -> Self:
        problems = self._problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> list[str]:
        """What is wrong with values that are each right by themselves."""
        problems = []
        if self.security_protocol.startswith("SASL"):
            if self.sasl_mechanism is None:
                problems.append(f"security_protocol {self.security_protocol} needs sasl_mechanism")
            elif self.sasl_mechanism.startswith(("PLAIN", "SCRAM")) and not (self.sasl_username and self.sasl_password):
                problems.append(f"sasl_mechanism {self.sasl_mechanism} needs sasl_username and sasl_password")
        elif self.sasl_mechanism or self.sasl_username or self.sasl_password:
            problems.append("SASL settings are given, but security_protocol is not SASL_SSL or SASL_PLAINTEXT")
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            problems.append("ssl_certificate_location and ssl_key_location belong together")
        for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.exists():
                problems.append(f"{name}: {path} does not exist")
        return problems

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read SPENDSTREAM_KAFKA_* and SPENDSTREAM_* variables; `overrides` win over them.

        Each variable is the field's name in capitals: SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS, SPENDSTREAM_SOURCE,
        SPENDSTREAM_SPOOL_DIR (empty: no spool), ... Secrets may be given as a file:
        SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE.
        Raises ProducerConfigError (or the class's own `error_type`) that lists everything wrong by the variable's name.
        """
        environ = os.environ if environ is None else environ
        problems: list[str] = []
        values: dict[str, Any] = {}
        for field in cls.model_fields:
            text = environ.get(variable(field, cls.section))
            if field in _SECRET_FIELDS:
                text = _secret(environ, field, text, problems)
            if text is None or field in overrides:
                continue
            if field == "spool_dir" and not text:
                values[field] = None
            elif text:
                values[field] = text
        values.update(overrides)
        config: Self | None = None
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            problems += [
                _problem(item, overrides, cls.section) for item in error.errors(include_url=False, include_input=False)
            ]
        if problems or config is None:
            raise cls.error_type(problems)
        return config


class ProducerConfig(KafkaConfig):
    """How one service publishes. `source` is on every tracked call.

    Memory: `memory_max_events` and `memory_max_bytes` bound what is accepted and not yet acknowledged or spooled.
    The bytes count serialised messages; events that wait for serialisation (at most half of `memory_max_events`)
    are bounded by number only.
    """

    error_type = ProducerConfigError

    memory_max_events: Annotated[int, Field(ge=100, le=10_000_000)] = 20_000
    memory_max_bytes: Annotated[int, Field(ge=4 * MAX_MESSAGE_BYTES)] = 32 * _MIB
    spool_dir: Path | None = Field(default_factory=default_spool_dir)  # None: nothing is kept on disk
    spool_max_bytes: Annotated[int, Field(ge=64 * 1024)] = 256 * _MIB  # per topic and process
    spool_segment_bytes: Annotated[int, Field(ge=4 * 1024)] = 4 * _MIB
    durable: bool = False  # write every event to the spool before emit() returns: survives kill -9
    delivery_timeout_s: Seconds = 15.0  # an unacknowledged message is taken back after this long
    close_timeout_s: Seconds = 5.0  # how long close() tries to deliver before it spools the rest
    linger_ms: Annotated[float, Field(ge=0, le=1000)] = 5.0
    signing_key: SecretStr | None = None  # signs every record; with `signing_key_id`, or the pipeline cannot tell which
    signing_key_file: Path | None = None  # holds the key instead
    signing_key_id: Annotated[str, Field(pattern=f"^{KEY_ID}$")] | None = None

    def _problems(self) -> list[str]:
        problems = super()._problems()
        problems += self._read_signing_key()
        key = self.signing_key.get_secret_value() if self.signing_key is not None else ""
        if self.signing_key is not None and len(key.encode("utf-8", "replace")) < MIN_SECRET_BYTES:
            problems.append(f"signing_key has fewer than {MIN_SECRET_BYTES} bytes")
        if (self.signing_key is None) != (self.signing_key_id is None):
            problems.append("signing_key and signing_key_id belong together")
        if self.durable and self.spool_dir is None:
            problems.append("durable needs spool_dir")
        if self.spool_segment_bytes > self.spool_max_bytes:
            problems.append("spool_segment_bytes is larger than spool_max_bytes")
        return problems

    def _read_signing_key(self) -> list[str]:
        path = self.signing_key_file
        if path is None:
            return []
        if self.signing_key is not None:
            return ["signing_key and signing_key_file are both set; keep one"]
        try:
            secret = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            return [f"signing_key_file: {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"]
        # The model is frozen for its users; this is still its construction.
        object.__setattr__(self, "signing_key", SecretStr(secret))
        object.__setattr__(self, "signing_key_file", None)
        return []


def variable(field: str, section: str = "") -> str:
    """The environment variable of a field: 'source' -> 'SPENDSTREAM_SOURCE'."""
    if field in _KAFKA_FIELDS:
        section = "KAFKA_"
    return f"{_PREFIX}{'' if field == 'source' else section}{field.upper()}"


def _secret(environ: Mapping[str, str], field: str, text: str | None, problems: list[str]) -> str | None:
    file_variable = f"{variable(field)}_FILE"
    path = environ.get(file_variable)
    if not path:
        return text
    if text:
        problems.append(f"{variable(field)} and {file_variable} are both set; keep one")
        return text
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file_variable}: {path} cannot be read: {getattr(error, 'strerror', None) or error}")
        return None


def _problem(item: Any, overrides: Mapping[str, Any], section: str) -> str:
    if not item["loc"]:
        return str(item["msg"]).removeprefix("Value error, ")
    field = str(item["loc"][0])
    name = field if field in overrides else variable(field, section)
    return f"{name}: is not set" if item["type"] == "missing" else f"{name}: {item['msg']}"

"""What all receivers of alerts.yaml have in common, and how they find their secrets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from spendstream_schemas.types import Flag, Text64
from stream_jobs.alerts.secret_source import SecretSource
from stream_jobs.base.errors import ConfigError


def checked_url(value: str) -> str:
    """An http(s) address without user, password, blanks and fragment. Raises ValueError, which does not quote it."""
    try:
        parts = urlsplit(value)
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_number:
        raise ValueError("must be a URL that begins with http:// or https:// and names a host")
    if not value.isprintable() or " " in value or parts.fragment:
        raise ValueError("must be a URL without blanks, control characters and #fragment")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: the file is no place for secrets")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone of the IANA database, such as UTC or Europe/Berlin") from None
    return value


Url = Annotated[str, Field(strict=True, min_length=1, max_length=2000), AfterValidator(checked_url)]

SecretNeeds = Mapping[str, Literal["required", "optional"]]


class BaseReceiver(BaseModel):
    """What all receivers have."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    # By name of the secret: whether the receiver works without it. Each has the fields NAME_env and NAME_file; where
    # there is a field NAME too, it may be given in the file itself.
    SECRETS: ClassVar[SecretNeeds] = {}
    SECRET_URL_IS_HTTP: ClassVar[bool] = True

    name: Text64 = Field(description="Name by which routes and budgets use it; unique in the file.")
    send_resolved: Flag = Field(default=True, description="Also tell it when all alerts of a group are over.")
    max_per_minute: int = Field(default=20, ge=1, le=600, description="Notifications a minute at most; the rest wait.")
    timeout_s: float = Field(
        default=10.0, ge=0.1, le=120, description="Seconds to wait for an answer before trying again."
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone that people read times in, such as Europe/Berlin."
    )

    @model_validator(mode="after")
    def _secrets_are_given_once(self) -> Self:
        for name, need in self.SECRETS.items():
            options = [option for option in (name, f"{name}_env", f"{name}_file") if option in type(self).model_fields]
            given = [option for option in options if getattr(self, option) is not None]
            if len(given) > 1:
                raise ValueError(f"{' and '.join(given)} are given; keep one")
            if not given and need == "required":
                raise ValueError(f"give one of {', '.join(options)}")
        return self

    def secret_sources(self) -> tuple[SecretSource, ...]:
        """Those that are given."""
        sources = (
            SecretSource(name, getattr(self, f"{name}_env"), getattr(self, f"{name}_file")) for name in self.SECRETS
        )
        return tuple(source for source in sources if source.given)

    def resolve(self, environ: Mapping[str, str]) -> dict[str, SecretStr]:
        """The secrets by name, read from variables and files. Raises ConfigError with all that is missing."""
        secrets: dict[str, SecretStr] = {}
        problems: list[str] = []
        for source in self.secret_sources():
            try:
                secrets[source.name] = source.resolve(environ)
                if source.name == "url" and self.SECRET_URL_IS_HTTP:
                    checked_url(secrets["url"].get_secret_value())
            except ConfigError as error:
                problems.extend(f"receiver {self.name!r}: {problem}" for problem in error.problems)
            except ValueError as error:
                problems.append(f"receiver {self.name!r}: what {source.env or source.file} holds {error}")
        if problems:
            raise ConfigError(problems)
        return secrets


class HttpReceiver(BaseReceiver):
    """What receivers over HTTP have."""

    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust, in place of the system's."
    )
    use_proxy_variables: Flag = Field(
        default=False, description="Go through the proxy of HTTP_PROXY, HTTPS_PROXY, NO_PROXY."
    )

"""Where ClickHouse is and how to get in. The same settings for the embedded store and a cluster."""

import ssl
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from spendstream_schemas.hosts import HOST, is_loopback
from stream_jobs.base.environment import variables
from stream_jobs.base.files import checked_content, read_file
from stream_jobs.runtime.ports import LOOPBACK

MAX_CA_BYTES = 4 * 1024 * 1024  # the authorities of a whole system have half a megabyte
_IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


class ClickHouseSettings(BaseSettings):
    """Read from SPENDSTREAM_CLICKHOUSE_*; arguments win. `url` stands for host, port, secure, user and password."""

    model_config = variables("SPENDSTREAM_CLICKHOUSE_")

    url: str | None = None
    host: Annotated[str, Field(pattern=f"^{HOST.pattern}$")] = LOOPBACK
    port: Annotated[int, Field(ge=1, le=65535)] = 8123
    secure: bool = False
    user: Annotated[str, Field(min_length=1)] = "default"
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    ca_file: Path | None = None
    database: Annotated[str, Field(pattern=_IDENTIFIER)] = "spendstream"
    connect_timeout_s: Annotated[float, Field(gt=0, le=3_600, allow_inf_nan=False)] = 5.0
    query_timeout_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 300.0

    @model_validator(mode="before")
    @classmethod
    def _url_fills_its_parts(cls, values: Any) -> Any:
        url = values.get("url") if isinstance(values, dict) else None
        if not url:
            return values
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("not a URL like http://host:8123")
            found = {"host": parts.hostname, "port": parts.port or (8443 if parts.scheme == "https" else 8123)}
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        filled = dict(values) | found | {"secure": parts.scheme == "https"}
        if parts.username:
            filled["user"] = unquote(parts.username)
        if parts.password:
            filled["password"] = unquote(parts.password)
        return filled

    @field_validator("password_file")
    @classmethod
    def _password_file_is_readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            checked_content(path).decode()
        return path

    @field_validator("ca_file")
    @classmethod
    def _ca_file_holds_certificates(cls, path: Path | None) -> Path | None:
        if path is not None:
            content = checked_content(path, MAX_CA_BYTES)
            try:
                # Nothing at all would mean the system's own authorities.
                ssl.create_default_context(cadata=content.decode("ascii") or "nothing")
            except (ssl.SSLError, ValueError):  # what they say is not for people
                raise ValueError(f"{path} cannot be used: it is no PEM file of certificates") from None
        return path

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_file is not None and self.password.get_secret_value():
            raise ValueError("give password or password_file, not both")
        return self

    def secret(self) -> str:
        """The password, read anew from its file, so that a rotated secret works at the next connection. Raises
        ConfigError when it cannot be read any more."""
        if self.password_file is not None:
            return read_file(self.password_file).decode(errors="replace").strip()
        return self.password.get_secret_value()

    @property
    def password_in_the_clear(self) -> str | None:
        """A sentence when our password goes to another machine without TLS."""
        has_password = self.password_file is not None or bool(self.password.get_secret_value())
        if self.secure or not has_password or is_loopback(self.host):
            return None
        return (
            f"the password of ClickHouse's user {self.user!r} goes to {self.host} without TLS and is readable on the "
            "way there; use https:// (SPENDSTREAM_CLICKHOUSE_URL, SPENDSTREAM_CLICKHOUSE_CA_FILE)"
        )

    @property
    def address(self) -> str:
        """The base URL of the HTTP interface, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

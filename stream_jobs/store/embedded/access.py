"""Who may ask what: two users, and only programs on this machine.

`default` has no password and may read. `spendstream` may write; its password is made once and lies beside the data,
readable by the owner alone. Web pages are kept out before that (`stream_jobs/runtime/browsers/`).
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.embedded.errors import refusal

READ_USER: Final = "default"
WRITE_USER: Final = "spendstream"


@dataclass(frozen=True, slots=True)
class User:
    """Whoever passed `authenticate`."""

    name: str
    may_write: bool


def read_or_make_password(path: Path) -> str:
    """The write user's password; made at the first start, mode 0600. Raises ConfigError."""
    try:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                raise ConfigError(f"{path}: others can read the store's password; run: chmod 600 {path}") from None
            password = path.read_text(encoding="utf-8").strip()
            if len(password) < 16:
                raise ConfigError(f"{path}: holds no usable password; delete it to have a new one made") from None
            return password
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            password = secrets.token_urlsafe(32)
            file.write(password + "\n")
        return password
    except OSError as error:
        raise ConfigError(f"{path}: the store's password cannot be kept there: {error.strerror}") from None


def authenticate(headers: Mapping[str, str], query: Mapping[str, str], password: str) -> User:
    """The user of a request: X-ClickHouse-User/Key, Basic, or user/password in the URL. Raises EngineError (516)."""
    name, given = _credentials(headers, query)
    if name == READ_USER and given == "":
        return User(READ_USER, may_write=False)
    if name == WRITE_USER and hmac.compare_digest(given.encode(), password.encode()):
        return User(WRITE_USER, may_write=True)
    raise refusal(
        516,
        "AUTHENTICATION_FAILED",
        f"{name}: Authentication failed: password is incorrect, or there is no user with such name. "
        f"'{READ_USER}' reads without a password; '{WRITE_USER}' writes with the one in the credentials file",
    )


def _credentials(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return headers.get("X-ClickHouse-User", READ_USER), headers.get("X-ClickHouse-Key", "")
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, given = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise refusal(516, "AUTHENTICATION_FAILED", "The Authorization header cannot be read") from None
        return name or READ_USER, given
    return query.get("user", READ_USER), query.get("password", "")

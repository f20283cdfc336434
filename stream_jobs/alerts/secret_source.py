"""Secrets of receivers: the file says where they are, never what they are.

A receiver that needs a routing key has the fields `routing_key_env` (a variable's name) and `routing_key_file` (a
path); at start the secret is read from whichever is given.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import read_file

MAX_SECRET_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}").fullmatch


def _variable_name(value: str) -> str:
    if not _NAME(value):
        # The value isn't quoted: it may be the secret itself, put where its variable's name belongs.
        raise ValueError("must be the name of an environment variable (letters, digits, _), not the secret itself")
    return value


EnvName = Annotated[str, Field(strict=True), AfterValidator(_variable_name)]


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where one secret is."""

    name: str  # of the secret: "routing_key"
    env: str | None
    file: Path | None

    @property
    def given(self) -> bool:
        return self.env is not None or self.file is not None

    def resolve(self, environ: Mapping[str, str]) -> SecretStr:
        """The secret without the line break at its end. Raises ConfigError that names the variable or the file."""
        if self.env is not None:
            where = f"the environment variable {self.env}"
            text = environ.get(self.env)
            if text is None:
                raise ConfigError(f"{self.name}: {where} is not set")
        elif self.file is not None:
            where = f"the file {self.file}"
            text = self._read(self.file)
        else:
            raise ConfigError(f"{self.name}: give {self.name}_env or {self.name}_file")
        text = text.strip("\r\n")
        if not text.strip():
            raise ConfigError(f"{self.name}: {where} is empty")
        if any((character < " " and character not in "\r\n") or character == "\x7f" for character in text):
            raise ConfigError(f"{self.name}: {where} holds control characters")
        return SecretStr(text)

    def _read(self, file: Path) -> str:
        try:
            content = read_file(file, MAX_SECRET_BYTES)
        except ConfigError as error:
            raise ConfigError(f"{self.name}: the file {error}") from None
        try:
            return content.decode()
        except UnicodeDecodeError:
            # Not from this error: it carries the content.
            problem = ConfigError(f"{self.name}: the file {file} is not UTF-8")
        raise problem

"""SPENDSTREAM_ORIGIN_*: who may correct whose entries, and who must sign."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from stream_jobs.base.environment import split_list, variables
from stream_jobs.base.files import checked_content
from stream_jobs.origin.judge import Origin
from stream_jobs.origin.keys import KeyRing
from stream_jobs.origin.rules import SenderRules, matches

_PATTERN: Final = frozenset("*?[")


def _text_of(path: Path) -> str:
    try:
        return checked_content(path).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} cannot be read: it is no text in UTF-8") from None


class OriginSettings(BaseSettings):
    """Who an event is from, and what that allows."""

    model_config = variables("SPENDSTREAM_ORIGIN_")

    correctors: Annotated[
        str,
        Field(
            max_length=4096,
            description="Which sources may correct the entries of others, beside their own: corrector=corrected, names "
            "or patterns of sources, such as billing-backfill=checkout,audit=*. With *=* everybody corrects everybody.",
        ),
    ] = ""
    signed_sources: Annotated[
        str,
        Field(
            max_length=4096,
            description="Sources (names or patterns) whose records count only with a signature in the header "
            "spendstream-signature.",
        ),
    ] = ""
    keys: Annotated[
        SecretStr | None,
        Field(
            description="The keys they sign with, as JSON: {source: {key id: secret}}; a secret has at least 32 bytes."
        ),
    ] = None
    keys_file: Annotated[Path | None, Field(description="File that holds the keys instead; read at start.")] = None

    @field_validator("keys_file")
    @classmethod
    def _file_is_readable(cls, path: Path | None) -> Path | None:
        if path is not None:
            _text_of(path)
        return path

    @field_validator("correctors")
    @classmethod
    def _correctors_are_pairs(cls, text: str) -> str:
        SenderRules.of(text, "")
        return text

    @field_validator("signed_sources")
    @classmethod
    def _sources_have_names(cls, text: str) -> str:
        split_list(text)
        return text

    @model_validator(mode="after")
    def _whoever_must_sign_has_a_key(self) -> Self:
        if self.keys_file is not None:
            if self.keys is not None:
                raise ValueError("keys and keys_file are both set; keep one")
            # The model is frozen for its users; this is still its construction.
            object.__setattr__(self, "keys", SecretStr(_text_of(self.keys_file)))
        ring = self._ring()
        signed = split_list(self.signed_sources)
        if signed and not ring.sources:
            raise ValueError("signed_sources needs keys or keys_file: nobody could be believed")
        without = [name for name in signed if not _PATTERN & set(name) and not matches(name, ring.sources)]
        if without:
            raise ValueError(f"signed_sources: there is no key of {', '.join(map(repr, without))} in keys")
        return self

    def _ring(self) -> KeyRing:
        if self.keys is None:
            return KeyRing()
        try:
            return KeyRing.parse(self.keys.get_secret_value())
        except ValueError as error:
            where = "keys" if self.keys_file is None else f"keys_file {self.keys_file}"
            raise ValueError(f"{where}: {error}") from None

    def origin(self) -> Origin:
        """What the jobs judge by."""
        return Origin(SenderRules.of(self.correctors, self.signed_sources), self._ring())

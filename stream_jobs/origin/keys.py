"""The keys that sources sign with."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Self

from spendstream_schemas.signature import KEY_ID, MIN_SECRET_BYTES, key_id_of, verify

_KEY_ID: Final = re.compile(KEY_ID)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """By source (or pattern of sources) and key id the secret. Several per source, so that a key can be replaced while
    services run."""

    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON: {"checkout": {"2026-11": "secret", "2026-12": "secret"}}. Raises ValueError, without a secret in
        its text, with everything that is wrong."""
        try:
            document = json.loads(text, object_pairs_hook=_no_name_twice)
        except RecursionError:
            raise ValueError("is not JSON like {source: {key id: secret}}") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON: line {error.lineno} column {error.colno}") from None
        if not isinstance(document, dict) or not document:
            raise ValueError("expected a JSON object like {source: {key id: secret}}")
        problems = [problem for source, keys in document.items() for problem in _problems(source, keys)]
        if problems:
            raise ValueError("; ".join(problems))
        return cls({source: {name: key.encode() for name, key in keys.items()} for source, keys in document.items()})

    @property
    def sources(self) -> Sequence[str]:
        return tuple(self.secrets)

    def signed_by(self, source: str, header: bytes, topic: str, key: bytes | None, value: bytes) -> bool:
        """Whether one of the source's keys made the signature for exactly these bytes, this topic and this key."""
        key_id = key_id_of(header)
        if key_id is None:
            return False
        candidates = [
            keys[key_id]
            for pattern, keys in self.secrets.items()
            if key_id in keys and (pattern == source or fnmatchcase(source, pattern))
        ]
        return any(verify(header, secret, topic, key, value) for secret in candidates)


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{twice[0]!r} is there twice; the keys of one source belong together")
    return dict(pairs)


def _problems(source: str, keys: Any) -> list[str]:
    if not source.strip():
        return ["a source has no name"]
    if not isinstance(keys, dict) or not keys:
        return [f"{source!r}: expected its keys, like {{key id: secret}}"]
    found = []
    for key_id, secret in keys.items():
        if not _KEY_ID.fullmatch(key_id):
            found.append(f"{source!r}: a key id has 1 to 64 letters, digits, dots, dashes and underscores")
        elif not isinstance(secret, str) or len(secret.encode("utf-8", "replace")) < MIN_SECRET_BYTES:
            found.append(f"{source!r}: key {key_id!r} is no text of at least {MIN_SECRET_BYTES} bytes")
    return found

"""The signature that the pipeline may demand of a source; see `spendstream_schemas.signature`."""

import json
from typing import Final, Self

from spendstream.config import ProducerConfig
from spendstream_schemas.signature import SIGNATURE_HEADER, sign

UNSIGNED: Final = b""


class Signer:
    """Signs what one service sends. Thread-safe; without a key it signs nothing."""

    def __init__(self, source: str, secret: bytes, key_id: str) -> None:
        self._source = source
        self._secret = secret
        self._key_id = key_id

    @classmethod
    def of(cls, config: ProducerConfig) -> Self:
        secret = config.signing_key.get_secret_value() if config.signing_key is not None else ""
        return cls(config.source, secret.encode(), config.signing_key_id or "")

    def sign(self, topic: str, key: bytes, value: bytes) -> bytes:
        """The header's value, or UNSIGNED when there is no key."""
        return sign(self._secret, self._key_id, topic, key, value) if self._secret else UNSIGNED

    def sign_left_over(self, topic: str, key: bytes, value: bytes) -> bytes:
        """The same for a message that an earlier process left in the spool without a signature.

        Processes of several services may share a spool, so only what names our own source is signed: a signature of
        ours on another's message would be refused.
        """
        if not self._secret:
            return UNSIGNED
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return UNSIGNED
        ours = isinstance(document, dict) and document.get("source") == self._source
        return self.sign(topic, key, value) if ours else UNSIGNED


def headers(signature: bytes) -> list[tuple[str, str | bytes | None]]:
    """What goes to the client."""
    return [(SIGNATURE_HEADER, signature)] if signature else []

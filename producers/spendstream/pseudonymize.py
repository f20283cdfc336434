"""Keyed pseudonyms: the pipeline can count and group by them; without the key nobody can turn them back.

HMAC-SHA256 (RFC 2104). The key is the service's secret; changing it starts new pseudonyms.
"""

import hashlib
import hmac
import unicodedata
from typing import Final

MIN_KEY_BYTES: Final = 16
_USER: Final = b"spendstream/user\x00"
_PROMPT: Final = b"spendstream/prompt\x00"


def pseudonym(user_id: str, key: bytes) -> str:
    """32 hex digits for `Attribution.user_id`, equal for equal users and keys. Raises ValueError on a short key."""
    return _keyed_hash(_USER, user_id.encode("utf-8", "surrogatepass"), key)


def prompt_fingerprint(prompt: str | bytes, key: bytes) -> str:
    """32 hex digits that are equal for equal prompts (text is compared in Unicode NFC), for `prompt_fingerprint`.

    It tells how often the same prompt comes again, which is what a cache could save; the prompt itself stays here.
    Raises ValueError on a short key.
    """
    if isinstance(prompt, str):
        prompt = unicodedata.normalize("NFC", prompt).encode("utf-8", "surrogatepass")
    return _keyed_hash(_PROMPT, prompt, key)


def _keyed_hash(purpose: bytes, data: bytes, key: bytes) -> str:
    """The purpose keeps a user id and a prompt of the same text apart."""
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"the key has {len(key)} bytes; use at least {MIN_KEY_BYTES} random ones (secrets.token_bytes)"
        )
    return hmac.new(key, purpose + data, hashlib.sha256).hexdigest()[:32]

"""Signed records: who wrote a message, told by a key instead of by the message itself.

    spendstream-signature: v1:<key id>:<HMAC-SHA256 in lower-case hexadecimal>

What is signed is the topic, the record's key and the value, each with its length before it, and the key id: a signature
says nothing about the same bytes in another topic or under another key. The partition, the offset and the record's own
timestamp are the broker's and the client's, and are not signed.
"""

import hashlib
import hmac
import re
from typing import Final

SIGNATURE_HEADER: Final = "spendstream-signature"
MAX_SIGNATURE_BYTES: Final = 192
"""Longer headers are no signatures. A whole one has at most 3 + 64 + 1 + 64 bytes."""
MIN_SECRET_BYTES: Final = 32
KEY_ID: Final = r"[A-Za-z0-9._-]{1,64}"
_VERSION: Final = b"spendstream-signature:v1"
_HEADER: Final = re.compile(rb"v1:(" + KEY_ID.encode() + rb"):([0-9a-f]{64})")


def sign(secret: bytes, key_id: str, topic: str, key: bytes | None, value: bytes) -> bytes:
    """The header's value. A record without a key is signed as one with an empty key."""
    return b"v1:%b:%b" % (key_id.encode(), _mac(secret, key_id, topic, key, value).hex().encode())


def key_id_of(header: bytes | None) -> str | None:
    """Which key a signature says it was made with. None: it is not a signature of a known form."""
    found = _HEADER.fullmatch(header) if header else None
    return found[1].decode() if found else None


def verify(header: bytes | None, secret: bytes, topic: str, key: bytes | None, value: bytes) -> bool:
    """Whether the holder of `secret` signed these bytes for this topic and key. Compares in constant time."""
    found = _HEADER.fullmatch(header) if header else None
    if found is None:
        return False
    mac = _mac(secret, found[1].decode(), topic, key, value)
    return hmac.compare_digest(mac, bytes.fromhex(found[2].decode()))


def _mac(secret: bytes, key_id: str, topic: str, key: bytes | None, value: bytes) -> bytes:
    parts = (_VERSION, key_id.encode(), topic.encode(), key or b"", value)
    return hmac.digest(secret, b"".join([len(part).to_bytes(4, "big") + part for part in parts]), hashlib.sha256)

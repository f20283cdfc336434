"""The first question of clickhouse-go over HTTP, on which Grafana's plugin stands: which Native format do we speak?

It says `client_protocol_version` with every request and reads the answer to `HELLO` in the Native format of that
revision; what follows, in the format of the revision that the answer names. The engine in this process writes revision
0 and nothing else (no setting changes it), so we say so, once, in the format that the client reads then.
"""

import struct
from typing import Final

HELLO: Final = b"SELECT displayName(), version(), revision(), timezone()"
FACTS: Final = b"SELECT version(), timezone()"
OUR_REVISION: Final = 0
DISPLAY_NAME: Final = "spendstream"
_WITH_BLOCK_INFO: Final = 1  # any revision but 0
_WITH_SERIALIZATION_KINDS: Final = 54454
# Field 1: is_overflows = 0. Field 2: bucket_num = -1. No more fields.
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def hello_answer(facts: bytes, client_revision: int) -> bytes:
    """One Native block of `client_revision`. `facts` is the engine's answer to FACTS, tab-separated."""
    version, zone = facts.decode().removesuffix("\n").split("\t")
    columns = [
        ("displayName()", "String", _text(DISPLAY_NAME)),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", struct.pack("<I", OUR_REVISION)),
        ("timezone()", "String", _text(zone)),
    ]
    kind = b"\x00" if client_revision >= _WITH_SERIALIZATION_KINDS else b""
    block = bytes([len(columns), 1]) + b"".join(
        _text(name) + _text(column_type) + kind + value for name, column_type, value in columns
    )
    return (_BLOCK_INFO if client_revision >= _WITH_BLOCK_INFO else b"") + block


def _text(text: str) -> bytes:
    """Length and bytes; all that is said here is shorter than 128 bytes, whose length is one byte."""
    data = text.encode()[:127]
    return bytes([len(data)]) + data

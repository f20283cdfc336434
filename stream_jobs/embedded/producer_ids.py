"""Producer ids that no earlier broker has given out.

An idempotent producer numbers its records under an id that the broker gave it. The embedded broker starts at id 1
whenever it starts. A producer that is still alive goes on with its old id; if the new broker has given the same id to
somebody else in the meantime, it takes the producer's next records for repetitions of the other's, acknowledges them
and drops them (seen with Tansu 0.6). So every broker passes over the ids of those before it: a producer with an old id
is refused, which it notices.
"""

import struct
import time
from pathlib import Path
from socket import create_connection
from typing import Final

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.ports import LOOPBACK

CYCLE: Final = 1_000
"""Then it starts at 1 again: the first 1,000 ids take the broker 0.2 s, the first 10,000 already 20 s. One broker gives
out about as many as there are producers, so an id is not given again before all producers have lost theirs."""
RESERVE: Final = 100
"""Ids that a broker is taken to have given out when it could not be asked any more."""

_INIT_PRODUCER_ID: Final = 22
_VERSION: Final = 4
_CLIENT_ID: Final = b"spendstream"
_REQUEST: Final = struct.Struct(f">hhih{len(_CLIENT_ID)}sbbiqhb")
_RESPONSE: Final = struct.Struct(">ibihqh")  # correlation id, no tags, throttle time, error, producer id, epoch
_TIMEOUT_S: Final = 30.0
_AT_ONCE: Final = 250


class ProducerIds:
    """Remembers in `path` where the next broker begins."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def skip_used(self, port: int) -> None:
        """Make a fresh broker pass over the ids of its predecessors. Raises BrokerUnavailableError."""
        first = self._read()
        if first > 1:
            _take(port, first - 1)
        self._write(first + RESERVE)

    def note_used(self, port: int) -> None:
        """Ask a broker that is about to stop how far it has come; without an answer the reserve counts."""
        try:
            self._write(_take(port, 1) + 1)
        except BrokerUnavailableError:
            return

    def _read(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 1

    def _write(self, following: int) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(f"{following if following < CYCLE else 1}\n", encoding="ascii")
        temporary.replace(self._path)


def _take(port: int, count: int) -> int:
    """Let the broker give out so many ids; returns the last one."""
    last = 0
    deadline = time.monotonic() + _TIMEOUT_S
    try:
        with (
            create_connection((LOOPBACK, port), timeout=_TIMEOUT_S) as connection,
            connection.makefile("rb") as answers,
        ):
            while count > 0:
                batch = min(count, _AT_ONCE)
                connection.sendall(b"".join(request_for_id(number) for number in range(batch)))
                for _ in range(batch):
                    (size,) = struct.unpack(">i", answers.read(4))
                    last = id_in(answers.read(size))
                count -= batch
                if time.monotonic() > deadline:
                    raise BrokerUnavailableError("the embedded broker takes too long to give out producer ids")
    except (OSError, struct.error, ValueError) as error:
        raise BrokerUnavailableError(f"the embedded broker gives out no producer id: {error!r}") from error
    return last


def request_for_id(number: int) -> bytes:
    """With its size and this correlation id."""
    body = _REQUEST.pack(
        _INIT_PRODUCER_ID, _VERSION, number, len(_CLIENT_ID), _CLIENT_ID, 0, 0, 60_000, -1, -1, 0
    )  # no tags, no transaction, its timeout, no id yet, no epoch yet, no tags
    return struct.pack(">i", len(body)) + body


def id_in(answer: bytes) -> int:
    """What the broker gave, in its answer without its size. Raises ValueError where that is none."""
    try:
        _, _, _, error, found, _ = _RESPONSE.unpack_from(answer)
    except struct.error as problem:
        raise ValueError(str(problem)) from None
    if error:
        raise ValueError(f"error {error}")
    return int(found)

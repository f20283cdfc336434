"""Which versions of ApiVersions a broker knows, and the answer to a request of one that it does not know.

It is the first that a client asks, in the newest version that it knows itself. A broker that does not know it answers
in the format of version 0 that it is not supported, with those that are; the client asks again (KIP-511). Tansu reads
on instead, as if it were the newest that it knows, and closes the connection when that goes wrong: franz-go's
version 5 fits into version 4 until it names the cluster.
"""

import struct
from typing import Final

from stream_jobs.embedded.one_question import ask

API_VERSIONS: Final = 18
_UNSUPPORTED_VERSION: Final = 35
_REQUEST: Final = struct.Struct(">ihhih")  # size, api key, version, correlation id, length of the client id: null
_SIZE: Final = struct.Struct(">i")
_ANSWER: Final = struct.Struct(">ihi")  # correlation id, error, number of apis
_API: Final = struct.Struct(">hhh")  # key, first and last version
_MAX_ANSWER_BYTES: Final = 64 * 1024
_CORRELATION_ID: Final = 1


async def known_versions(port: int) -> range:
    """The versions of ApiVersions that the broker on this loopback port says it knows.

    Raises OSError when it is away, does not answer, or gives no such answer.
    """
    request = _REQUEST.pack(_REQUEST.size - _SIZE.size, API_VERSIONS, 0, _CORRELATION_ID, -1)
    answer = await ask(port, request, "which versions it knows", max_bytes=_MAX_ANSWER_BYTES)
    if len(answer) < _ANSWER.size:
        raise OSError(f"an answer to ApiVersions of {len(answer)} bytes")
    correlation_id, error, count = _ANSWER.unpack_from(answer)
    if (correlation_id, error) != (_CORRELATION_ID, 0) or len(answer) != _ANSWER.size + count * _API.size:
        raise OSError(f"an answer to ApiVersions with error {error} and {count} apis in {len(answer)} bytes")
    for key, first, last in _API.iter_unpack(answer[_ANSWER.size :]):
        if key == API_VERSIONS:
            return range(first, last + 1)
    raise OSError("an answer to ApiVersions that does not name itself")


def unsupported(correlation_id: int, known: range) -> bytes:
    """The whole answer, with its size, as Apache Kafka gives it: of all APIs it names this one."""
    answer = _ANSWER.pack(correlation_id, _UNSUPPORTED_VERSION, 1)
    answer += _API.pack(API_VERSIONS, known.start, known.stop - 1)
    return _SIZE.pack(len(answer)) + answer

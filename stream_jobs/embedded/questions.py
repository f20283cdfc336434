"""Requests of one connection that the broker is not asked as they came, and what their answers become.

A broker answers in turn. So a request that it must not be given has another one go in its place, and when the answer to
that comes, the client is given its own.
"""

import struct
from collections.abc import Callable
from typing import Final

from stream_jobs.embedded import producer_id_versions
from stream_jobs.embedded.api_versions import API_VERSIONS

MAX_QUESTION_BYTES: Final = 64 * 1024
MAX_AWAITED: Final = 1_000
"""Of one connection. No client sends as many without reading an answer."""
_IN_PLACE: Final = struct.Struct(">hhih")  # api key, version, correlation id, no client id


class Questions:
    """Those of one connection, on their way to the broker and back. All without their sizes."""

    def __init__(self) -> None:
        self._awaited: dict[int, Callable[[bytes], bytes]] = {}

    def asked(self, request: bytes) -> bytes:
        """What the broker is to be asked in place of this request for an id.

        Raises ConnectionAbortedError when too many answers are awaited.
        """
        refused = producer_id_versions.refused(request)
        if refused is not None:
            return self.refused(producer_id_versions.correlation_id(request), refused)
        made = producer_id_versions.newer(request)
        if made is None:
            return request
        if producer_id_versions.is_classic(request):
            self._await(producer_id_versions.correlation_id(request), producer_id_versions.older)
        return made

    def refused(self, correlation_id: int, answer: bytes) -> bytes:
        """What the broker is to be asked in place of a request that is answered with `answer`.

        Raises ConnectionAbortedError when too many answers are awaited.
        """
        self._await(correlation_id, lambda _: answer)
        return _IN_PLACE.pack(API_VERSIONS, 0, correlation_id, -1)

    def awaits(self, correlation_id: int) -> bool:
        """Whether the answer with this correlation id is for `answered`."""
        return correlation_id in self._awaited

    def answered(self, correlation_id: int, answer: bytes) -> bytes:
        """What the client is to be told. Raises ValueError when the broker gave no answer to `asked`."""
        return self._awaited.pop(correlation_id)(answer)

    def _await(self, correlation_id: int, become: Callable[[bytes], bytes]) -> None:
        if len(self._awaited) >= MAX_AWAITED:
            raise ConnectionAbortedError(f"more than {MAX_AWAITED} requests that are not the broker's to answer")
        self._awaited[correlation_id] = become

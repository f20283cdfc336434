"""Raw responses of SDKs (`with_raw_response`, `with_streaming_response`): their bodies, as the service reads them.

The SDKs read every body through the HTTP response's `iter_bytes` or `aiter_bytes`, whether the service calls `parse()`,
`json()`, `iter_lines()` or iterates the parsed stream. So a body that is not read yet is seen there, once, and neither
is `parse()` called for the service nor awaited. JSON, JSON lines and server-sent events are understood.
"""

import contextlib
import functools
import inspect
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Protocol

from spendstream.stream_taps import StreamListener

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_EVENTS: Final = "text/event-stream"
_LINES: Final = ("application/x-ndjson", "application/jsonl", "application/stream+json")
_LAST: Final = b"[DONE]"


class BodyListener(StreamListener, Protocol):
    """What a body reports to: its events as chunks, or all of it."""

    def add_whole(self, body: object) -> None: ...

    def body_lost(self, detail: str) -> None: ...


def is_raw(response: Any) -> bool:
    """Whether this is an SDK's raw response: it has the HTTP response, and parses it."""
    kind: Any = type(response)
    return _parses(kind) and hasattr(response, "http_response")


@functools.lru_cache(maxsize=1024)
def _parses(kind: Any) -> bool:
    return callable(getattr(kind, "parse", None))


def whole(response: Any) -> Any:
    """What a raw response holds whose body is there already, by its own (cached) `parse()`, or as JSON where that is a
    coroutine; None where the body is still to come. Raises what parsing raises."""
    http = response.http_response
    if not hasattr(http, "_content") and not getattr(http, "is_closed", True):
        return None
    if inspect.iscoroutinefunction(type(response).parse):
        return json.loads(http.content)
    return response.parse()


def parsed_stream(response: Any) -> Any:
    """The stream of a raw response whose form only its SDK knows (Bedrock's events); None where that is not so."""
    streams = getattr(response, "_is_sse_stream", False) or getattr(response, "_stream", False)
    if not streams or _readable(_kind(response.http_response)) or inspect.iscoroutinefunction(type(response).parse):
        return None
    return response.parse()


def tap_body(response: Any, listener: BodyListener) -> None:
    """See the body of a raw response as the service reads it. Raises where the HTTP response cannot be tapped."""
    http = response.http_response
    kind = type(http)
    tap = _BodyTap(_kind(http), listener)
    of = weakref.ref(http)  # no circle: a response that is forgotten ends its call at once

    def iter_bytes(*arguments: Any, **named: Any) -> Iterator[bytes]:
        return tap.read(kind.iter_bytes(of(), *arguments, **named))

    def aiter_bytes(*arguments: Any, **named: Any) -> AsyncIterator[bytes]:
        return tap.aread(kind.aiter_bytes(of(), *arguments, **named))

    if not hasattr(kind, "iter_bytes") or not hasattr(kind, "aiter_bytes"):
        raise TypeError(f"expected an HTTP response that is read by iter_bytes, got {kind.__name__}")
    http.iter_bytes, http.aiter_bytes = iter_bytes, aiter_bytes


def _kind(http: Any) -> str:
    return str(http.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _readable(kind: str) -> bool:
    return kind == _EVENTS or kind in _LINES or kind.endswith("json")


class _BodyTap:
    """Understands the bytes on their way. Only the first reading counts: a second one is of the same body."""

    def __init__(self, kind: str, listener: BodyListener) -> None:
        self._kind = kind
        self._listener = listener
        self._begun = False
        self._ended = False
        self._held = bytearray()
        self._data: list[bytes] = []

    def read(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        with self._reading() as first:
            for part in parts:
                if first:
                    self._take(part)
                yield part

    async def aread(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        with self._reading() as first:
            async for part in parts:
                if first:
                    self._take(part)
                yield part

    @contextlib.contextmanager
    def _reading(self) -> Iterator[bool]:
        """One reading of the body, from its begin to its end; gives whether it is the first."""
        first, self._begun = not self._begun, True
        try:
            yield first
        except BaseException as error:
            self._end(type(error) if first else None, first)
            raise
        self._end(None, first)

    def _take(self, part: bytes) -> None:
        if self._ended or not _readable(self._kind):
            return
        if len(self._held) + len(part) > _MAX_BODY_BYTES:
            self._held.clear()
            self._kind = "too long"
            self._listener.body_lost(
                f"a body of more than {_MAX_BODY_BYTES} bytes is not held: record what it parses to"
            )
            return
        self._held += part
        if self._kind == _EVENTS or self._kind in _LINES:
            self._lines(last=False)

    def _lines(self, last: bool) -> None:
        """Take the lines that are complete; a carriage return at the end may be half a line break."""
        held = bytes(self._held)
        if b"\r" in held:
            half = held.endswith(b"\r") and not last
            held = (held[:-1] if half else held).replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (
                b"\r" if half else b""
            )
        *lines, rest = held.split(b"\n")
        self._held = bytearray(rest)
        if last:
            lines.append(rest)
            self._held.clear()
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if self._kind in _LINES:
            self._event(line)
        elif line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            self._event(data)

    def _event(self, data: bytes) -> None:
        if data.startswith(_LAST):
            self._end(None, True)
        elif data.strip() and not self._ended:
            try:
                chunk = json.loads(data)
            except (ValueError, RecursionError):
                self._listener.body_lost(f"an event of {len(data)} bytes is no JSON")
                return
            self._listener.add_chunk(chunk)

    def _end(self, kind: type[BaseException] | None, first: bool) -> None:
        if self._ended or not first:
            return
        if kind is None:
            self._finish()
        if not self._ended:
            self._ended = True
            self._listener.stream_ended(kind)

    def _finish(self) -> None:
        if self._kind == _EVENTS or self._kind in _LINES:
            self._lines(last=True)
            if self._data:
                self._line(b"")
        elif self._held:
            try:
                body = json.loads(self._held)
            except (ValueError, RecursionError):
                self._listener.body_lost(f"a body of {len(self._held)} bytes is no JSON")
            else:
                self._listener.add_whole(body)
            self._held.clear()
        elif not _readable(self._kind):
            self._listener.body_lost(
                f"a body of the type {self._kind or 'unknown'} is not read here: record what the SDK parses it to, or "
                "say the usage with record_usage"
            )

    def __del__(self) -> None:
        # Forgotten together with its response: nobody will read the rest.
        with contextlib.suppress(Exception):
            if not self._ended:
                self._listener.stream_ended(GeneratorExit)

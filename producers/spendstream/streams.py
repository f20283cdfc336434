"""What stands in a provider's stream's place: hands everything through, and tells the tracked call how it ended."""

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping
from io import IOBase
from types import TracebackType
from typing import Any, Final, Self

from pydantic import BaseModel

from spendstream.raw_responses import BodyListener, is_raw, parsed_stream, tap_body, whole
from spendstream.stream_taps import async_step, step, tap

_NO_STREAMS: Final = (Mapping, str, bytes, bytearray, list, tuple, set, frozenset, BaseModel, IOBase)
"""They can be iterated, or entered, and are whole."""


def wrap(stream: Any, listener: BodyListener) -> Any:
    """The stand-in for a stream, by what it can do: iterated (sync, async, both), entered, awaited.

    A dict with the stream in it (Bedrock's `converse_stream`) gets the stand-in in its place; a raw response stays
    itself, and its body is seen as it is read. What is whole (a model, a mapping, a list, text, a file) is told to the
    listener and stays itself. Raises TypeError for what is none of these.
    """
    name = _place_in(stream)
    if name is not None:
        return {**stream, name: wrap(stream[name], listener)}
    body = data_of(stream)
    if body is not stream and is_stream(body):
        stream._data = wrap(body, listener)
        return stream
    if body is stream and is_raw(stream):
        read_raw(stream, listener)
        return stream
    if body is not stream or isinstance(stream, _NO_STREAMS):
        if isinstance(stream, list | tuple):  # responses, or the chunks of one that were collected
            for item in stream:
                listener.add_chunk(item)
        else:
            listener.add_whole(stream)
        listener.stream_ended(None)
        return stream
    return _stand_in(stream, listener)


def is_stream(response: Any) -> bool:
    """Whether this is a stream, holds one in a known place, or gives one when it is entered: for `wrap`, not for
    `record`."""
    if isinstance(response, _NO_STREAMS):
        return _place_in(response) is not None
    body = data_of(response)
    if body is not response:
        return is_stream(body)
    kind: Any = type(response)
    return not is_raw(response) and _streams(kind)


def data_of(response: Any) -> Any:
    """What a raw response of SDKs made by Fern (Cohere) holds as `data`; anything else is itself."""
    kind: Any = type(response)
    return response.data if _holds_data(kind) else response


@functools.lru_cache(maxsize=1024)
def _holds_data(kind: Any) -> bool:
    return hasattr(kind, "data") and hasattr(kind, "headers") and "_data" in getattr(kind, "__annotations__", {})


@functools.lru_cache(maxsize=1024)
def _streams(kind: Any) -> bool:
    names = ("__iter__", "__next__", "__aiter__", "__anext__", "__enter__", "__aenter__")
    return any(hasattr(kind, name) for name in names)


def _place_in(response: Any) -> str | None:
    """Where boto3's answers have their stream: `converse_stream`, `invoke_model_with_response_stream`."""
    if isinstance(response, dict):
        for name in ("stream", "body"):
            if name in response and is_stream(response[name]):
                return name
    return None


class OneStream:
    """One of the streams that a listener hears one after another: it ends once, and not those that come after it."""

    def __init__(self, listener: BodyListener) -> None:
        self.listener = listener
        self.add_chunk, self.add_whole, self.body_lost = listener.add_chunk, listener.add_whole, listener.body_lost
        self.add_returned = listener.add_returned
        self._ended = False

    def stream_ended(self, kind: type[BaseException] | None) -> None:
        """The first word counts: a stand-in that is forgotten says it again."""
        if not self._ended:
            self._ended = True
            self.listener.stream_ended(kind)


class PartOf:
    """A stream within a stream: its chunks are the whole's, its end is not."""

    def __init__(self, listener: BodyListener) -> None:
        self._listener = listener

    def add_chunk(self, chunk: object) -> object:
        """As one of the whole's."""
        return self._listener.add_chunk(chunk)

    def add_returned(self, value: object) -> None:
        """As one of the whole's."""
        self._listener.add_returned(value)

    def add_whole(self, body: object) -> None:
        """As one of the whole's."""
        self._listener.add_chunk(body)

    def body_lost(self, detail: str) -> None:
        """As of the whole."""
        self._listener.body_lost(detail)

    def stream_ended(self, kind: type[BaseException] | None) -> None:
        """The whole goes on."""


def _stand_in(stream: Any, listener: BodyListener) -> Any:
    kind = type(stream)
    is_sync = hasattr(kind, "__iter__") or hasattr(kind, "__next__")
    is_async = hasattr(kind, "__aiter__") or hasattr(kind, "__anext__")
    if is_sync or is_async:
        if is_sync and is_async:
            return TrackedDualStream(stream, listener)
        tapped = tap(stream, listener)
        if is_async:
            generated = isinstance(stream, AsyncGenerator)
            return (TrackedAsyncGenerator if generated else TrackedAsyncStream)(stream, listener, tapped)
        return (TrackedGenerator if isinstance(stream, Generator) else TrackedStream)(stream, listener, tapped)
    if hasattr(kind, "__enter__") or hasattr(kind, "__aenter__"):
        return TrackedManager(stream, listener)
    if inspect.isawaitable(stream):
        return _awaited(stream, listener)
    raise TypeError(f"expected a stream or what gives one, got {kind.__name__}")


def is_wrapped(stream: Any, listener: BodyListener) -> bool:
    """Whether this stands in a stream's place already, for the same listener."""
    if not isinstance(stream, _Wrapped):
        return False
    told = stream._listener
    return told is listener or (isinstance(told, OneStream) and told.listener is listener)


def read_raw(response: Any, listener: BodyListener) -> None:
    """Tell the listener what a raw response holds: at once, or as the service reads the body."""
    body = whole(response)
    if body is not None:
        listener.add_whole(body)
        listener.stream_ended(None)
        return
    stream = parsed_stream(response)
    if stream is None or not tap(stream, listener):
        tap_body(response, listener)


@functools.lru_cache(maxsize=1024)
def iterates(kind: Any) -> bool:
    """Whether such an object is a stream. Asked once for each type: classes of pydantic's are slow to say no."""
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


async def _awaited(stream: Awaitable[Any], listener: BodyListener) -> Any:
    try:
        found = await stream
    except BaseException as error:
        listener.stream_ended(type(error))
        raise
    return _wrapped_or_same(found, listener)


def _wrapped_or_same(found: Any, listener: BodyListener) -> Any:
    try:
        return wrap(found, listener)
    except TypeError:
        return found  # not a stream after all: the service records what it makes of it


class _Wrapped:
    """Everything that is not iteration (headers, `response`, helper methods) is the wrapped stream's own, and so is its
    class, for whoever asks with `isinstance`."""

    _stream: Any = None  # what was made without `__init__` has no stream, and says so

    def __init__(self, stream: Any, listener: BodyListener, tapped: bool = False) -> None:
        self._stream = stream
        self._listener = listener
        self._tapped = tapped
        self._handed_out = False

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stream, name)
        if self._tapped and (callable(value) or hasattr(value, "__next__") or hasattr(value, "__anext__")):
            self._handed_out = True  # `text_stream` goes on reading without us: the tap sees its end
        return value

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._stream)

    def __copy__(self) -> Self:
        """There is one place in a stream: what is read here is gone there."""
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As generators and connections say it. Raises TypeError."""
        raise TypeError(f"cannot copy or pickle {type(self._stream).__name__!r} object: a stream that is being read")

    def __del__(self) -> None:
        # Forgotten before its end: nobody will read the rest.
        with contextlib.suppress(Exception):
            if not self._handed_out:
                self._listener.stream_ended(GeneratorExit)


class TrackedStream(_Wrapped):
    """A synchronous stream."""

    _reading: Any = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._tapped:
            return next(self._stream)
        return step(self._listener, self._next)

    def _next(self) -> Any:
        if self._reading is None:
            self._reading = iter(self._stream) if hasattr(type(self._stream), "__iter__") else self._stream
        return next(self._reading)

    def close(self) -> Any:
        """End the stream early; the provider's connection is closed too."""
        self._listener.stream_ended(GeneratorExit)
        try:
            return self._reading.close() if hasattr(self._reading, "close") else None
        finally:
            # A generator that reads a connection closes itself only.
            if self._stream is not self._reading and hasattr(self._stream, "close"):
                self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.stream_ended(kind or GeneratorExit)
        self.close()


class TrackedGenerator(TrackedStream):
    """A generator: what is sent and thrown into it arrives."""

    def send(self, value: Any) -> Any:
        """As a generator's `send`."""
        return step(self._listener, self._stream.send, value)

    def throw(self, *error: Any) -> Any:
        """As a generator's `throw`."""
        return step(self._listener, self._stream.throw, *error)


async def _closed(target: Any) -> None:
    for name in ("aclose", "close"):
        if hasattr(target, name):
            closed = getattr(target, name)()
            if inspect.isawaitable(closed):
                await closed
            return


class TrackedAsyncStream(_Wrapped):
    """An asynchronous stream."""

    _async_iterator: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._tapped:
            return await anext(self._stream)
        return await async_step(self._listener, self._async_next)

    async def _async_next(self) -> Any:
        if self._async_iterator is None:
            self._async_iterator = aiter(self._stream) if hasattr(type(self._stream), "__aiter__") else self._stream
        return await anext(self._async_iterator)

    async def aclose(self) -> None:
        """End the stream early; the provider's connection is closed too."""
        self._listener.stream_ended(GeneratorExit)
        try:
            await _closed(self._async_iterator)
        finally:
            # A generator that reads a connection closes itself only.
            if self._stream is not self._async_iterator:
                await _closed(self._stream)

    def close(self) -> Any:
        """The name the providers' SDKs use for `aclose`; await it."""
        return self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.stream_ended(kind or GeneratorExit)
        await self.aclose()


class TrackedAsyncGenerator(TrackedAsyncStream):
    """An asynchronous generator: what is sent and thrown into it arrives."""

    async def asend(self, value: Any) -> Any:
        """As an asynchronous generator's `asend`."""
        return await async_step(self._listener, self._stream.asend, value)

    async def athrow(self, *error: Any) -> Any:
        """As an asynchronous generator's `athrow`."""
        return await async_step(self._listener, self._stream.athrow, *error)


class TrackedDualStream(TrackedStream, TrackedAsyncStream):
    """A stream that can be read either way, such as LiteLLM's; `close` is the stream's own."""

    def __next__(self) -> Any:
        return step(self._listener, self._next)

    async def __anext__(self) -> Any:
        return await async_step(self._listener, self._async_next)


class TrackedManager(_Wrapped):
    """What gives a stream when it is entered (`client.messages.stream(...)`), sync or async."""

    def __enter__(self) -> Any:
        try:
            found = self._stream.__enter__()
        except BaseException as error:
            self._listener.stream_ended(type(error))
            raise
        return _wrapped_or_same(found, self._listener)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        self._listener.stream_ended(kind or GeneratorExit)
        return self._stream.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Any:
        try:
            found = await self._stream.__aenter__()
        except BaseException as error:
            self._listener.stream_ended(type(error))
            raise
        return _wrapped_or_same(found, self._listener)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        self._listener.stream_ended(kind or GeneratorExit)
        return await self._stream.__aexit__(kind, error, traceback)

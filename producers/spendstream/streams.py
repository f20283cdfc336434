"""Iterators that hand a provider's stream through and tell the tracked call what passed and how it ended."""

import contextlib
from types import TracebackType
from typing import Any, Protocol, Self


class StreamListener(Protocol):
    """What a wrapped stream reports to."""

    def add_chunk(self, chunk: object) -> None: ...

    def stream_ended(self, kind: type[BaseException] | None) -> None: ...


class _Wrapped:
    """Everything that is not iteration (headers, `response`, helper methods) is the wrapped stream's own."""

    def __init__(self, stream: Any, listener: StreamListener) -> None:
        self._stream = stream
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __del__(self) -> None:
        # Forgotten before its end: nobody will read the rest.
        with contextlib.suppress(Exception):
            self._listener.stream_ended(GeneratorExit)


class TrackedStream(_Wrapped):
    """A synchronous stream."""

    def __init__(self, stream: Any, listener: StreamListener) -> None:
        super().__init__(stream, listener)
        self._iterator: Any = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            if self._iterator is None:
                self._iterator = iter(self._stream)
            chunk = next(self._iterator)
        except StopIteration:
            self._listener.stream_ended(None)
            raise
        except BaseException as error:
            self._listener.stream_ended(type(error))
            raise
        self._listener.add_chunk(chunk)
        return chunk

    def close(self) -> None:
        """End the stream early; the provider's connection is closed too."""
        self._listener.stream_ended(GeneratorExit)
        for target in (self._iterator, self._stream):
            if hasattr(target, "close"):
                target.close()
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.stream_ended(kind or GeneratorExit)
        self.close()


class TrackedAsyncStream(_Wrapped):
    """An asynchronous stream."""

    def __init__(self, stream: Any, listener: StreamListener) -> None:
        super().__init__(stream, listener)
        self._iterator: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            if self._iterator is None:
                self._iterator = aiter(self._stream)
            chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self._listener.stream_ended(None)
            raise
        except BaseException as error:
            self._listener.stream_ended(type(error))
            raise
        self._listener.add_chunk(chunk)
        return chunk

    async def aclose(self) -> None:
        """End the stream early; the provider's connection is closed too."""
        self._listener.stream_ended(GeneratorExit)
        for target in (self._iterator, self._stream):
            for name in ("aclose", "close"):
                if hasattr(target, name):
                    await getattr(target, name)()
                    return

    close = aclose  # the name the providers' SDKs use

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.stream_ended(kind or GeneratorExit)
        await self.aclose()

"""A recording iterator inside a provider's stream, where the stream's own helpers pass too.

The SDKs of OpenAI and Anthropic (and those generated like them) read everything from the stream's `_iterator`:
`for`, `text_stream`, `until_done`, `get_final_message`, `get_final_response`, `get_final_completion`. A stream is only
tapped where its `__next__` is seen to read that attribute; any other is recorded as it is iterated.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self


class StreamListener(Protocol):
    """What a wrapped stream reports to."""

    def add_chunk(self, chunk: object) -> object: ...

    def add_returned(self, value: object) -> None: ...

    def stream_ended(self, kind: type[BaseException] | None) -> None: ...


def step(listener: StreamListener, advance: Callable[..., Any], *arguments: Any) -> Any:
    """One step of a stream: its chunk, or how it ended, is told to the listener."""
    try:
        chunk = advance(*arguments)
    except StopIteration as end:
        if end.value is not None:
            listener.add_returned(end.value)
        listener.stream_ended(None)
        raise
    except BaseException as error:
        listener.stream_ended(type(error))
        raise
    return listener.add_chunk(chunk)


async def async_step(listener: StreamListener, advance: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """`step` of an asynchronous stream."""
    try:
        chunk = await advance(*arguments)
    except StopAsyncIteration:
        listener.stream_ended(None)
        raise
    except BaseException as error:
        listener.stream_ended(type(error))
        raise
    return listener.add_chunk(chunk)


class _Tap:
    _inner: Any = None  # what was made without `__init__` has none, and says so

    def __init__(self, iterator: Any, listener: StreamListener) -> None:
        self._inner = iterator
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As the generator that it stands for. Raises TypeError."""
        raise TypeError(f"cannot copy or pickle {type(self._inner).__name__!r} object: a stream that is being read")

    def __del__(self) -> None:
        # Forgotten together with its stream: nobody will read the rest.
        with contextlib.suppress(Exception):
            self._listener.stream_ended(GeneratorExit)


class SyncTap(_Tap):
    """In place of a synchronous `_iterator`."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return step(self._listener, next, self._inner)


class AsyncTap(_Tap):
    """In place of an asynchronous `_iterator`."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await async_step(self._listener, anext, self._inner)


def tap(stream: Any, listener: StreamListener) -> bool:
    """Put a tap into the stream; False where it is not made like that. Raises nothing."""
    for method, kind in (("__next__", SyncTap), ("__anext__", AsyncTap)):
        code = getattr(getattr(type(stream), method, None), "__code__", None)
        if code is None or "_iterator" not in code.co_names:
            continue
        try:
            iterator = stream._iterator
            if not hasattr(type(iterator), method):
                return False
            stream._iterator = kind(iterator, listener)
        except Exception:  # noqa: BLE001 - a foreign object; it is recorded from outside then
            return False
        return True
    return False

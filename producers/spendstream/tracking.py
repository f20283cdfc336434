"""Times one AI call and emits its event when the call ends, however it ends.

    with producer.track(provider="openai", model="gpt-4o", feature="search") as call:
        call.record(client.chat.completions.create(...))

    @producer.track(provider="anthropic", model="claude-sonnet-4-5")
    async def answer(question): return await client.messages.create(...)

Nothing here raises into the service: what cannot be read becomes an event without usage, which is booked as unpriced
and seen, and the problem is counted and logged.
"""

import asyncio
import contextlib
import functools
import gc
import inspect
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any, Final, TypeVar

from spendstream.context import check_fields
from spendstream.decorated import Way, decorated
from spendstream.open_calls import OpenCalls
from spendstream.stats import Counters
from spendstream.streams import is_stream
from spendstream.tracked_call import SHARED, Reporter, TrackedCall
from spendstream_schemas import Conditions, OutcomeEvent, UsageEvent

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Tracker:
    """What `track` returns: a context manager (sync and async) or a decorator, for any number of calls, also at once.

    Each `with` block ends the call that it began: blocks of threads, tasks and interleaved generators may overlap.
    An `event_id` that was given belongs to the first call; the calls after it get ids of their own.
    """

    def __init__(
        self,
        producer: Reporter,
        provider: str,
        model: str,
        fields: dict[str, Any],
        attribution: dict[str, Any],
    ) -> None:
        event_id = fields.get("event_id")
        if type(event_id) is not str and event_id is not None:
            fields = {**fields, "event_id": _plain(event_id)}
        self._arguments = (producer, _plain(provider), _plain(model), fields, attribution)
        self._open = OpenCalls()
        self._began = False

    def begin(self) -> TrackedCall:
        """A call of its own; whoever began it says `leave` when it ends."""
        producer, provider, model, fields, attribution = self._arguments
        with SHARED:
            first, self._began = not self._began, True
        if not first and fields.get("event_id"):
            fields = {**fields, "event_id": None}
        call = TrackedCall(producer, provider, model, fields)
        call.attribute(**attribution)
        return call

    def __enter__(self) -> TrackedCall:
        return self._enter(sys._getframe(1))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit(sys._getframe(1), kind)

    # Plain functions that return a coroutine: so the frame that calls them is the one of the block.
    def __aenter__(self) -> Coroutine[Any, Any, TrackedCall]:
        return _ready(self._enter(sys._getframe(1)))

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Coroutine[Any, Any, None]:
        self._exit(sys._getframe(1), kind)
        return _ready(None)

    def _enter(self, frame: FrameType) -> TrackedCall:
        call = self.begin()
        with SHARED:
            self._open.add(call, frame)
        return call

    def _exit(self, frame: FrameType, kind: type[BaseException] | None) -> None:
        with SHARED:
            call, guessed = self._open.pop(frame)
        if guessed and call is not None:
            self._arguments[0].count_trouble(
                "ambiguous_block",
                f"{call.provider} {call.model}: several calls of one tracker are open, and what ends one does not say "
                "which; make a tracker with `track` for each call",
            )
        if call is not None:
            call.leave(kind)

    def __call__(self, function: F) -> F:
        """Track every call of a function (plain, async, generator, async generator; a static or class method) that
        returns or yields responses. Raises TypeError for a class or a property.

        A returned stream is tracked to its end. What a generator yields are whole responses or the chunks of some.
        """
        return decorated(function, _Tracked(self))


class _Unprintable:
    """In the place of what raises when it is looked at."""


def _plain(value: Any) -> Any:
    """A string of a class of its own is its text, whatever its methods do; anything else has to have one."""
    kind = type(value)
    if kind is str:
        return value
    if issubclass(kind, str):
        return str.__str__(value)
    try:
        _ = f"{value}{value!r}", bool(value)  # what a log line and a condition do with it
    except Exception:  # noqa: BLE001 - whatever it does
        return _Unprintable()
    return value


async def _ready(value: R) -> R:
    return value


class _Tracked(Way):
    """Every call of a decorated function is tracked."""

    def __init__(self, tracker: Tracker) -> None:
        self._begin = tracker.begin

    def call(self) -> AbstractContextManager[TrackedCall]:
        return _ended(self._begin())

    def result(self, _inside: TrackedCall, result: Any) -> Any:
        return _recorded(_inside, result)

    def steps(self, generator: Any) -> Any:
        """What a generator yields are the chunks of a stream, and the call ends with it."""
        call = self._begin()
        stream = call.wrap_stream(generator)
        call.leave(None)
        return stream

    def plain(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = self._begin()
        try:
            response = function(*args, **kwargs)
        except BaseException as error:
            call.leave(type(error))
            raise
        if isinstance(response, asyncio.Future):
            response.add_done_callback(functools.partial(_future_done, call))
            return response
        if inspect.isawaitable(response):
            return _awaited(call, response)
        with _ended(call):
            return _recorded(call, response)


@contextlib.contextmanager
def _ended(call: TrackedCall) -> Generator[TrackedCall, None, None]:
    """The call ends with the block, as the block does."""
    try:
        yield call
    except BaseException as error:
        call.leave(type(error))
        raise
    call.leave(None)


async def _awaited(call: TrackedCall, response: Awaitable[Any]) -> Any:
    """What a function that is not a coroutine function promised: the call ends when it comes."""
    with _ended(call):
        return _recorded(call, await response)


def _future_done(call: TrackedCall, future: "asyncio.Future[Any]") -> None:
    """A task or future stays what it is: whoever cancels or awaits it finds the same object."""
    if future.cancelled():
        call.leave(asyncio.CancelledError)
    elif (error := future.exception()) is not None:
        call.leave(type(error))
    else:
        call.record(future.result())
        call.leave(None)


def _recorded(call: TrackedCall, response: Any) -> Any:
    return call.wrap_stream(response) if is_stream(response) else call.record(response)


def end_open_calls() -> None:
    """The process ends: calls that are still open (a stream or generator that a global holds) get their events, as
    those that are dropped do. They are looked for only here: a list of them would cost every call. What was open before
    a fork is the parent's to end."""
    for one in gc.get_objects():
        if type(one) is TrackedCall:
            with contextlib.suppress(Exception):
                if one._began >= _LIFE.began:
                    one.stream_ended(GeneratorExit)
                    one.leave(GeneratorExit)


class _Life:
    began = 0.0  # of this process, by `perf_counter`, where it was forked

    def forked(self) -> None:
        self.began = time.perf_counter()


_LIFE: Final = _Life()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LIFE.forked)


class TrackingMixin:
    """The tracking side of the producer."""

    _counters: Counters

    @property
    def source(self) -> str:
        raise NotImplementedError

    def emit(self, event: UsageEvent | OutcomeEvent) -> bool:
        raise NotImplementedError

    def track(
        self,
        *,
        provider: str,
        model: str,
        operation: str | None = None,
        region: str | None = None,
        service_tier: str | None = None,
        conditions: Conditions | Mapping[str, Any] | None = None,
        event_id: str | None = None,
        trace_id: str | None = None,
        session_id: str | None = None,
        retry_of: str | None = None,
        cached_response: bool | None = None,
        complexity: float | None = None,
        batchable: bool | None = None,
        prompt_fingerprint: str | None = None,
        labels: dict[str, str] | None = None,
        **attribution: str | None,
    ) -> Tracker:
        """Time a call and emit its event when it ends: `with`, `async with`, or as a decorator.

        `provider` is who sends the bill (`spendstream.adapters.PROVIDERS`, or any name: then the form of the response
        says how it is read), `model` the one that is asked for.
        The keywords are fields of `UsageEvent`; the rest are attribution fields, on top of the context's.
        """
        check_fields(attribution)
        fields = {
            "operation": operation,
            "region": region,
            "service_tier": service_tier,
            "conditions": conditions,
            "event_id": event_id,
            "trace_id": trace_id,
            "session_id": session_id,
            "retry_of": retry_of,
            "cached_response": cached_response,
            "complexity": complexity,
            "batchable": batchable,
            "prompt_fingerprint": prompt_fingerprint,
        }
        return Tracker(self, provider, model, fields, {"labels": labels, **attribution})

    def count_trouble(self, kind: str, detail: str) -> None:
        """Something about a tracked call could not be read; its event goes out with less."""
        self._counters.error(kind, detail)

    def count_rejected(self, reason: str, detail: str) -> None:
        """A tracked call gave no valid event."""
        self._counters.reject(reason, detail)

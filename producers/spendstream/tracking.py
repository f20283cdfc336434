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
import inspect
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

from spendstream.context import check_fields, current_attribution, merge
from spendstream.stats import Counters
from spendstream.stream_taps import tap
from spendstream.streams import iterates, parsed, wrap
from spendstream_schemas import (
    ComputeUsage,
    Conditions,
    MeteredUsage,
    OutcomeEvent,
    TokenUsage,
    UsageEvent,
    new_event_id,
)

if TYPE_CHECKING:
    from spendstream.adapters import ExtractedUsage, StreamAccumulator

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
Status = Literal["ok", "error", "cancelled"]

_CUT: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


def status_of(kind: type[BaseException] | None) -> Status:
    """How a call ended, by the exception that left it."""
    if kind is None:
        return "ok"
    return "cancelled" if issubclass(kind, _CUT) else "error"


def prepare() -> None:
    """Load what a call needs, so that the first one takes no longer than the others."""
    from spendstream.adapters import usage_events

    example = {"object": "chat.completion", "usage": {"prompt_tokens": 1}}
    usage_events("openai", example, source="prepared", model="none")


class TrackedCall:
    """One call to a provider. `event_id` can be passed on, for instance as `retry_of` of the next attempt."""

    def __init__(self, producer: "TrackingMixin", provider: str, model: str, fields: Mapping[str, Any]) -> None:
        self.provider = provider
        self.model = model
        self.event_id: str = fields.get("event_id") or new_event_id()
        self._producer = producer
        self._attribution = current_attribution()
        self._fields = {name: value for name, value in fields.items() if value is not None and name != "event_id"}
        self._found: ExtractedUsage | None = None
        self._usage: TokenUsage | ComputeUsage | MeteredUsage | None = None
        self._accumulator: StreamAccumulator | None = None
        self._streaming = False
        self._status: Status = "ok"
        self._left = False
        self._emitted = False
        self._occurred_at = datetime.now(UTC)
        self._began = time.perf_counter()

    def set(self, **fields: Any) -> None:
        """Further fields of `UsageEvent` that become known during the call; they win over what the response says."""
        self._fields.update(fields)

    def attribute(self, *, labels: dict[str, str] | None = None, **fields: str | None) -> None:
        """Attribution of this call alone, on top of the context's."""
        self._attribution = merge(self._attribution, fields, labels)

    def record(self, response: R) -> R:
        """Take usage, served model, tier and ids from a provider's response (SDK object or dict), and return it.

        A raw response (`client.with_raw_response`) is parsed, as its own `parse()` does; one with a stream in it is
        recorded as that stream is read.
        """
        try:
            from spendstream import adapters

            body = parsed(response)
            kind: Any = type(body)
            if body is not response and iterates(kind):
                self._accumulator = adapters.StreamAccumulator(self.provider)
                self._streaming = tap(body, self)
            else:
                self._found = adapters.extract(self.provider, body)
        except Exception as error:  # noqa: BLE001 - the call itself went well; its event says what is known
            self._trouble("unreadable_response", error)
        return response

    def record_usage(self, usage: TokenUsage | ComputeUsage | MeteredUsage, **fields: Any) -> None:
        """State the usage yourself, where there is no adapter. `fields` as in `set`."""
        self._usage = usage
        self._fields.update(fields)

    def wrap_stream(self, stream: Any) -> Any:
        """The same stream (sync, async, both, or a manager that gives one), with each chunk recorded on the way.

        The helpers of the stream (`text_stream`, `get_final_message`, ...) are recorded too. A stream that is left
        before its end makes the call `cancelled`, with the usage known by then; it is `ok` where the provider had said
        its last word. A stream that outlives the `with` block keeps the call open until its end, close or loss.
        What `record` is given afterwards wins over the chunks, if it has usage.
        """
        try:
            from spendstream.adapters import StreamAccumulator

            self._accumulator = StreamAccumulator(self.provider)
        except Exception as error:  # noqa: BLE001 - the chunks still pass; the event will have no usage
            self._trouble("unreadable_response", error)
        self._streaming = True
        try:
            return wrap(stream, self)
        except Exception as error:  # noqa: BLE001 - the service gets what it passed
            self._streaming = False
            self._accumulator = None
            self._trouble("unreadable_response", error)
            return stream

    def add_chunk(self, chunk: object) -> None:
        """One chunk of the stream has passed."""
        if self._accumulator is None:
            return
        try:
            self._accumulator.add(chunk)
        except Exception as error:  # noqa: BLE001 - what was known before stays known
            self._trouble("unreadable_response", error)

    def stream_ended(self, kind: type[BaseException] | None) -> None:
        """The stream is over: at its end (None), by an exception, or cut (GeneratorExit)."""
        if not self._streaming:
            return
        self._streaming = False
        if kind is not None and not (kind is GeneratorExit and self._complete()):
            self._status = status_of(kind)
        if self._left:
            self._emit()

    def _complete(self) -> bool:
        """Whether everything billed is known, though the stream was not read to its very end."""
        if self._found is not None and self._found.usage is not None:
            return True
        return self._accumulator is not None and self._accumulator.complete

    def leave(self, kind: type[BaseException] | None) -> None:
        """The block or function has ended."""
        self._left = True
        if kind is not None:
            self._status = status_of(kind)
            self._streaming = False
        if not self._streaming:
            self._emit()

    def _emit(self) -> None:
        if self._emitted:
            return
        self._emitted = True
        try:
            latency_ms = round((time.perf_counter() - self._began) * 1000, 3)
            for event in self._events(latency_ms):
                self._producer.emit(event)
        except Exception as error:  # noqa: BLE001 - the service's call is over; its event must not break it
            self._producer.count_rejected("invalid_event", str(error))

    def _events(self, latency_ms: float) -> list[UsageEvent]:
        """Everything that is known; where that breaks the contract, as much of it as does not."""
        from spendstream.adapters import AdapterError, ExtractedUsage

        found = self._known() or ExtractedUsage()
        if found.stated_cost_refused is not None:
            self._producer.count_trouble(
                "stated_cost_refused", f"{self.provider} {self.model}: {found.stated_cost_refused}"
            )
        status = found.status or "ok" if self._status == "ok" else self._status
        fields: dict[str, Any] = {"status": status, "latency_ms": latency_ms}
        stated = {"usage": self._usage} if self._usage is not None else {}
        for more in ({**fields, **stated, **self._fields}, {**fields, **stated}):
            try:
                return self._events_with(found, more)
            except (AdapterError, TypeError) as error:
                self._trouble("invalid_fields", error)
        return self._events_with(ExtractedUsage(), fields)

    def _events_with(self, found: "ExtractedUsage", more: Mapping[str, Any]) -> list[UsageEvent]:
        from spendstream.adapters import usage_events

        return usage_events(
            self.provider,
            found,
            source=self._producer.source,
            model=self.model,
            event_id=self.event_id,
            occurred_at=self._occurred_at,
            attribution=self._attribution,
            **more,
        )

    def _known(self) -> "ExtractedUsage | None":
        if self._accumulator is None or (self._found is not None and self._found.usage is not None):
            return self._found
        try:
            streamed = self._accumulator.result()
            if streamed.usage is None and streamed.status is None and self._status == "ok" and self._usage is None:
                self._producer.count_trouble(
                    "stream_without_usage",
                    f"{self.provider} {self.model}: the stream brought no usage, so the call cannot be priced; with "
                    'OpenAI\'s API pass stream_options={"include_usage": True}',
                )
            return streamed
        except Exception as error:  # noqa: BLE001 - numbers that contradict each other are not repaired
            self._trouble("unreadable_response", error)
            return None

    def _trouble(self, kind: str, error: Exception) -> None:
        self._producer.count_trouble(kind, f"{self.provider} {self.model}: {error}")


class Tracker:
    """What `track` returns: a context manager (sync and async) or a decorator, for any number of calls, also at once.

    Each `with` block ends the call that it began: blocks of threads, tasks and interleaved generators may overlap.
    An `event_id` that was given belongs to the first call; the calls after it get ids of their own.
    """

    def __init__(
        self,
        producer: "TrackingMixin",
        provider: str,
        model: str,
        fields: dict[str, Any],
        attribution: dict[str, Any],
    ) -> None:
        self._arguments = (producer, provider, model, fields, attribution)
        self._open: list[tuple[_Opener, TrackedCall]] = []
        self._began = False
        self._lock = threading.Lock()

    def begin(self) -> TrackedCall:
        """A call of its own; whoever began it says `leave` when it ends."""
        producer, provider, model, fields, attribution = self._arguments
        with self._lock:
            first, self._began = not self._began, True
        if not first and fields.get("event_id"):
            fields = {**fields, "event_id": None}
        call = TrackedCall(producer, provider, model, fields)
        call.attribute(**attribution)
        return call

    def __enter__(self) -> TrackedCall:
        return self._enter(_opener())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit(_opener(), kind)

    # Plain functions that return an awaitable: so the frame that calls them is the one of the block.
    def __aenter__(self) -> Awaitable[TrackedCall]:
        return _Done(self._enter(_opener()))

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Awaitable[None]:
        self._exit(_opener(), kind)
        return _Done(None)

    def _enter(self, opener: "_Opener") -> TrackedCall:
        call = self.begin()
        with self._lock:
            self._open.append((opener, call))
        return call

    def _exit(self, opener: "_Opener", kind: type[BaseException] | None) -> None:
        with self._lock:
            place = _place(self._open, opener)
            call = None if place is None else self._open.pop(place)[1]
        if call is not None:
            call.leave(kind)

    def __call__(self, function: F) -> F:
        """Track every call of a function (plain, async, generator, async generator) that returns or yields responses.

        A returned stream is tracked to its end. What a generator yields are taken as the chunks of one stream.
        """
        return cast("F", _decorated(self, function))


_Opener: TypeAlias = tuple[int, CodeType, int]
"""Who opened a block: the frame (by id), its code, the thread."""


def _opener() -> _Opener:
    frame = sys._getframe(2)
    return id(frame), frame.f_code, threading.get_ident()


def _place(entered: list[tuple[_Opener, TrackedCall]], opener: _Opener) -> int | None:
    """Which open call a block ends: the frame's last one; for an exit stack (no frame of its own) the thread's last."""
    if len(entered) == 1:
        return 0
    backwards = range(len(entered) - 1, -1, -1)
    same_frame = next((place for place in backwards if entered[place][0] == opener), None)
    if same_frame is not None:
        return same_frame
    same_thread = next((place for place in backwards if entered[place][0][2] == opener[2]), None)
    return len(entered) - 1 if same_thread is None and entered else same_thread


class _Done(Generic[R]):
    """An awaitable that is ready."""

    def __init__(self, value: R) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, R]:
        return self._value
        yield  # a generator, as `await` asks for


def _decorated(tracker: Tracker, function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            chunks = function(*args, **kwargs)
            with _ended(tracker.begin()) as call:
                async with call.wrap_stream(chunks) as stream:
                    async for chunk in stream:
                        yield chunk

        return async_generator
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            chunks = function(*args, **kwargs)
            with _ended(tracker.begin()) as call, call.wrap_stream(chunks) as stream:
                return (yield from stream)

        return generator
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with _ended(tracker.begin()) as call:
                return _recorded(call, await function(*args, **kwargs))

        return coroutine

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        call = tracker.begin()
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

    return plain


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
    streams = any(hasattr(type(response), name) for name in ("__next__", "__anext__", "__enter__", "__aenter__"))
    return call.wrap_stream(response) if streams else call.record(response)


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

"""One call to a provider: what is recorded of it, and the event that it becomes.

Nothing here raises into the service: what cannot be read becomes an event without usage, which is booked as unpriced
and seen, and the problem is counted and logged.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar
from uuid import UUID

from spendstream.call_events import adapters, events_of
from spendstream.context import current_attribution, merge
from spendstream.native import process_lock
from spendstream.raw_responses import is_raw, whole
from spendstream.responses import Responses, is_final_of
from spendstream.streams import OneStream, PartOf, data_of, is_wrapped, iterates, read_raw, wrap
from spendstream_schemas import (
    ComputeUsage,
    MeteredUsage,
    OutcomeEvent,
    TokenUsage,
    UsageEvent,
    new_event_id,
)
from spendstream_schemas.types import UNREADABLE

if TYPE_CHECKING:
    from spendstream.adapters import ExtractedUsage, StreamAccumulator

R = TypeVar("R")
Status = Literal["ok", "error", "cancelled"]

SHARED: Final = process_lock()
"""Held while a call is added to the open ones of its tracker, or taken out, and while a response or stream finds its
place: threads may share a block."""
_LONGEST_STEM: Final = 120  # so that a number fits behind it
_CUT: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


_OF_ONE_RESPONSE: Final = frozenset(
    {"usage", "response_id", "response_model", "tool_calls", "stated_cost_usd", "operation", "retry_of"}
)
"""Fields that the service says of the block's last response, not of those before it."""


def status_of(kind: type[BaseException] | None) -> Status:
    """How a call ended, by the exception that left it."""
    if kind is None:
        return "ok"
    return "cancelled" if issubclass(kind, _CUT) else "error"


def _event_id(given: object, producer: "Reporter") -> str:
    """What can be said as an id; else a new one, and the counter says so."""
    if isinstance(given, UUID | str) and str(given):
        return str(given)
    if given is not None and given != "":
        producer.count_trouble("invalid_fields", f"event_id: expected text or a UUID, got {type(given).__name__}")
    return new_event_id()


def _stem(event_id: str) -> str:
    """What the ids of a block's other calls begin with: the call's own, or as much of a long one and a digest of it."""
    if len(event_id) <= _LONGEST_STEM:
        return event_id
    return f"{event_id[:100]}-{hashlib.sha256(event_id.encode('utf-8', 'replace')).hexdigest()[:16]}"


def prepare() -> None:
    """Load what a call needs, so that the first one takes no longer than the others."""
    example = {"object": "chat.completion", "usage": {"prompt_tokens": 1}}
    adapters().usage_events("openai", example, source="prepared", model="none")


class Reporter(Protocol):
    """The producer, as far as a call needs it."""

    @property
    def source(self) -> str: ...

    def emit(self, event: UsageEvent | OutcomeEvent) -> bool: ...

    def count_trouble(self, kind: str, detail: str) -> None: ...

    def count_rejected(self, reason: str, detail: str) -> None: ...


class TrackedCall:
    """One call to a provider. `event_id` can be passed on, for instance as `retry_of` of the next attempt."""

    def __init__(self, producer: Reporter, provider: str, model: str, fields: Mapping[str, Any]) -> None:
        usable = isinstance(provider, str) and provider.strip()
        self.provider = provider if usable else UNREADABLE  # the form of the response says how it is read
        self.model = model
        if not usable:
            producer.count_trouble("invalid_fields", f"expected the name of a provider, got {provider!r}"[:200])
        event_id = fields.get("event_id")
        self.event_id: str = event_id if type(event_id) is str and event_id else _event_id(event_id, producer)
        self._producer = producer
        self._attribution = current_attribution()
        self._fields = {name: value for name, value in fields.items() if value is not None and name != "event_id"}
        self._responses = Responses()
        self._siblings: list[TrackedCall] | None = None  # of streams that were open at once
        self._parent: TrackedCall | None = None
        self._booked: set[str] | None = None  # ids of responses that have their event, where there are siblings
        self._usage: TokenUsage | ComputeUsage | MeteredUsage | None = None
        self._accumulator: StreamAccumulator | None = None
        self._streaming = False
        self._status: Status = "ok"
        self._left = False
        self._emitted = False
        self._occurred_at = datetime.now(UTC)
        self._began = time.perf_counter()

    def set(self, /, **fields: Any) -> None:
        """Further fields of `UsageEvent` that become known during the call; they win over what the response says."""
        self._too_late("set")
        self._fields.update(fields)

    def attribute(self, *, labels: dict[str, str] | None = None, **fields: str | None) -> None:
        """Attribution of this call alone, on top of the context's."""
        self._too_late("attribute")
        self._attribution = merge(self._attribution, fields, labels)

    def record(self, response: R) -> R:
        """Take usage, served model, tier and ids from a provider's response (SDK object or dict), and return it.

        A raw response (`client.with_raw_response`, `with_streaming_response`) is parsed, as its own `parse()` does; one
        whose body is still to come is recorded as that is read. Several responses in one block are an event each, the
        last with the call's `event_id`; the same response again (by the provider's id) replaces what it said before.
        Of a list or tuple the responses are recorded; other things in it (text, numbers, exceptions) are passed over.
        """
        if self._emitted:
            self._too_late("record")
        try:
            body: Any = data_of(response)
            if body is response and is_raw(response):
                body = whole(response)
                kind: Any = type(body)
                if body is None or iterates(kind):
                    read_raw(response, OneStream(self._listening()))
                    return response
            messages = adapters().messages_in(body)
            if not messages and isinstance(body, list | tuple) and self._take_those_in(body):
                return response
            for one in messages or (body,):
                self._take(adapters().extract(self.provider, one, salvage=True), one)
        except Exception as error:  # noqa: BLE001 - the call itself went well; its event says what is known
            self._trouble("unreadable_response", error)
        return response

    def _take_those_in(self, items: Iterable[object]) -> bool:
        """The responses among other things (text that goes with one, a number), also in lists in it. False where there
        are none."""
        taken = False
        for one in adapters().items_in(items):
            body = data_of(one)
            if is_raw(body):
                self.record(one)
                taken = True
                continue
            for answer in adapters().messages_in(body) or (body,):
                found = adapters().found_in(self.provider, answer)
                if found is not None:
                    self._take(found, answer)
                    taken = True
        return taken

    def _too_late(self, what: str) -> bool:
        if self._emitted:
            self._producer.count_trouble(
                "recorded_too_late", f"{self.provider} {self.model}: {what} after the block has ended changes nothing"
            )
        return self._emitted

    def _take(self, found: "ExtractedUsage", source: object) -> None:
        """What a further response says. It replaces the one before where both are of the same call to the provider: a
        response that was asked for again until it was done, or the final one of a stream. Otherwise both count."""
        with SHARED:
            if self._accumulator is not None and not self._streaming:
                self._keep_streamed(found)
            self._responses.take(found, source)

    def _take_event(self, event: Mapping[str, Any]) -> None:
        """Of an agent's events the ends of model calls have the usage, each of a call of its own."""
        data = event.get("data")
        answer = data.get("output") if event["event"] == "on_chat_model_end" and isinstance(data, Mapping) else None
        if answer is not None:
            self._take(adapters().extract(self.provider, answer, salvage=True), answer)

    def _streamed(self) -> "ExtractedUsage":
        nothing: ExtractedUsage = adapters().ExtractedUsage()
        try:
            return nothing if self._accumulator is None else self._accumulator.result(salvage=True)
        except adapters().AdapterError:  # said when the call ends
            return nothing

    def _keep_streamed(self, final: "ExtractedUsage | None" = None) -> None:
        """Another response follows in the same block: what the stream said is a call of its own, with the status that
        is its own, unless the response is what this stream came to."""
        if self._accumulator is None:
            return
        streamed, status = self._streamed(), self._status
        said_nothing = streamed == adapters().ExtractedUsage()
        ours = replace(streamed, status="error") if status == "error" else streamed
        if final is not None and is_final_of(ours, final):
            if final.usage is not None:
                self._status, self._accumulator = "ok", None
            return
        if not said_nothing or status == "error":
            self._responses.keep(streamed, status)
        self._accumulator = None
        self._status = "ok"

    def record_usage(self, usage: TokenUsage | ComputeUsage | MeteredUsage, **fields: Any) -> None:
        """State the usage yourself, where there is no adapter. `fields` as in `set`.

        Once a block: what was stated before is replaced, and counted as `recorded_again` where it differs.
        """
        self._too_late("record_usage")
        if self._usage is not None and self._usage != usage:
            self._producer.count_trouble(
                "recorded_again",
                f"{self.provider} {self.model}: record_usage twice in one block, so the last counts; "
                "give each call a block of its own",
            )
        self._usage = usage
        self._fields.update(fields)

    def wrap_stream(self, stream: Any) -> Any:
        """The same stream (sync, async, both, or a manager that gives one), with each chunk recorded on the way.

        The helpers of the stream (`text_stream`, `get_final_message`, ...) are recorded too. A stream that is left
        before its end makes the call `cancelled`, with the usage known by then; it is `ok` where the provider had said
        its last word. A stream that outlives the `with` block keeps the call open until its end, close or loss.
        What `record` is given afterwards wins over the chunks, if it has usage.
        """
        if is_wrapped(stream, self) or self._too_late("wrap_stream"):
            return stream
        listener = self
        try:
            listener = self._listening()
            return wrap(stream, OneStream(listener))
        except Exception as error:  # noqa: BLE001 - the service gets what it passed
            listener._streaming = False
            listener._accumulator = None
            self._trouble("unreadable_response", error)
            return stream

    def _listening(self) -> "TrackedCall":
        """Who a stream is to report to: this call, or, while another stream of it is open, one of its own."""
        with SHARED:
            if self._streaming:
                return self._sibling()
            self._keep_streamed()
            self._responses.close_last()
            self._accumulator = adapters().StreamAccumulator(self.provider)
            self._streaming = True
            return self

    def _sibling(self) -> "TrackedCall":
        """A call of its own for one more stream. What is said of this call is said of it too, also later."""
        if self._siblings is None:
            self._siblings, self._booked = [], set()
        other = TrackedCall(self._producer, self.provider, self.model, {})
        self._siblings.append(other)
        other.event_id = f"{_stem(self.event_id)}-s{len(self._siblings)}"
        other._attribution, other._parent, other._left = self._attribution, self, self._left
        other._booked = self._booked
        return other._listening()

    def add_chunk(self, chunk: object) -> object:
        """One chunk of the stream has passed; returns what the service gets, which is the chunk itself unless that is
        a stream of its own (an agent's turns)."""
        if self._accumulator is None:
            return chunk
        kind: Any = type(chunk)
        try:
            if isinstance(chunk, dict) and str(chunk.get("event")).startswith("on_"):  # LangChain's astream_events
                self._take_event(chunk)
            elif iterates(kind):
                return wrap(chunk, PartOf(self))
            elif isinstance(chunk, list | tuple):
                self._add_those_in(chunk)
            elif adapters().is_whole(chunk):
                self._take(adapters().extract(self.provider, chunk, salvage=True), chunk)
            else:
                before = self._accumulator.add(chunk)
                if before is not None:
                    self._responses.keep(before)
        except Exception as error:  # noqa: BLE001 - what was known before stays known
            self._trouble("unreadable_response", error)
        return chunk

    def _add_those_in(self, chunk: Iterable[object]) -> None:
        """What LangChain gives with its place (`batch_as_completed`) or its origin (LangGraph's `messages`)."""
        parts = [one for one in adapters().items_in(chunk) if adapters().is_message_chunk(one)]
        for part in parts:
            self.add_chunk(part)
        if not parts and not self._take_those_in(chunk):
            adapters().extract(self.provider, chunk)  # which says what was expected

    def add_returned(self, value: object) -> None:
        """A generator has returned something: the responses in it are further ones."""
        try:
            self._take_those_in((value,))
        except Exception as error:  # noqa: BLE001 - what was known before stays known
            self._trouble("unreadable_response", error)

    def add_whole(self, body: object) -> None:
        """The body of a raw response, which is no stream."""
        self._accumulator = None
        self.record(body)

    def body_lost(self, detail: str) -> None:
        """The body of a raw response, or a part of it, cannot be understood."""
        self._producer.count_trouble("unreadable_response", f"{self.provider} {self.model}: {detail}")

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
        last = self._responses.last
        if last is not None and last.usage is not None:
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
        if self._siblings is not None:
            for other in self._siblings:  # one that comes later finds this call left
                other._left = True
                if not other._streaming:
                    other._emit()

    def _emit(self) -> None:
        if self._emitted or (self._parent is not None and not self._is_first_to_emit()):
            return
        self._emitted = True
        try:
            latency_ms = round((time.perf_counter() - self._began) * 1000, 3)
            if self._parent is not None:  # what was said of the block until now
                said = self._parent._fields.items()
                self._fields = {name: value for name, value in said if name not in _OF_ONE_RESPONSE}
                self._attribution = self._parent._attribution
            last = self._known()
            for number, found in self._responses.before(last):
                if self._first(found):
                    self._emit_earlier(number, found)
            if self._first(last):
                for event in self._events(last, latency_ms):
                    self._producer.emit(event)
        except Exception as error:  # noqa: BLE001 - the service's call is over; its event must not break it
            self._producer.count_rejected("invalid_event", str(error))

    def _is_first_to_emit(self) -> bool:
        """The block and its stream may end in two threads at once."""
        with SHARED:
            first, self._emitted = not self._emitted, True
        return first

    def _first(self, found: "ExtractedUsage | None") -> bool:
        """Whether none of the block's streams has booked this response yet."""
        if self._booked is None or found is None or not found.response_id or found.usage is None:
            return True
        with SHARED:
            first = found.response_id not in self._booked
            self._booked.add(found.response_id)
        return first

    def _emit_earlier(self, number: int, found: "ExtractedUsage") -> None:
        """The event of a response before the last one: its id is the call's with its number, so that the same block
        that runs again with the same id gives the same ids."""
        said = {name: value for name, value in self._fields.items() if name not in _OF_ONE_RESPONSE}
        said |= {"status": found.status or "ok", "event_id": f"{_stem(self.event_id)}-{number}"}
        for event in self._mended(found, said):
            self._producer.emit(event)

    def _events(self, last: "ExtractedUsage | None", latency_ms: float) -> list[UsageEvent]:
        """Everything that is known; where that breaks the contract, as much of it as does not."""
        found: ExtractedUsage = last or adapters().ExtractedUsage()
        status = found.status or "ok" if self._status == "ok" else self._status
        fields: dict[str, Any] = {"status": status, "latency_ms": latency_ms}
        stated = {"usage": self._usage} if self._usage is not None else {}
        events = self._mended(found, {**fields, **stated, **self._fields})
        self.event_id = events[0].event_id
        return events

    def _mended(self, found: "ExtractedUsage", said: dict[str, Any]) -> list[UsageEvent]:
        known = {
            "source": self._producer.source,
            "model": self.model,
            "event_id": self.event_id,
            "occurred_at": self._occurred_at,
            "attribution": self._attribution,
        }
        return events_of(self.provider, found, known, said, self._say)

    def _known(self) -> "ExtractedUsage | None":
        last = self._responses.last
        if last is not None and last.usage is not None:
            if self._accumulator is not None:
                status = self._status
                self._keep_streamed(last)
                self._status = status
            return last
        if self._accumulator is None:
            return last
        try:
            streamed = self._accumulator.result(salvage=True)
            if last is not None and streamed == adapters().ExtractedUsage():
                return last
            if streamed.usage is None and streamed.status is None and self._status == "ok" and self._usage is None:
                self._producer.count_trouble(
                    "stream_without_usage",
                    f"{self.provider} {self.model}: the stream brought no usage, so the call cannot be priced"
                    + self._accumulator.advice,
                )
            return streamed
        except Exception as error:  # noqa: BLE001 - numbers that contradict each other are not repaired
            self._trouble("unreadable_response", error)
            return None

    def _trouble(self, kind: str, error: Exception) -> None:
        self._say(kind, str(error))

    def _say(self, kind: str, detail: str) -> None:
        self._producer.count_trouble(kind, f"{self.provider} {self.model}: {detail}")

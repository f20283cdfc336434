"""One call to a provider: what is recorded of it, and the event that it becomes.

Nothing here raises into the service: what cannot be read becomes an event without usage, which is booked as unpriced
and seen, and the problem is counted and logged.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

from spendstream.context import current_attribution, merge
from spendstream.mending import KNOWN, mended
from spendstream.raw_responses import is_raw, whole
from spendstream.streams import is_wrapped, iterates, read_raw, wrap
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

_MENDINGS: Final = 4  # what was put in a bad field's place may lead to another; each time fewer are left
_CUT: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


_OF_ONE_RESPONSE: Final = frozenset(
    {"usage", "response_id", "response_model", "tool_calls", "stated_cost_usd", "operation", "retry_of"}
)
"""Fields that the service says of the block's last response, not of those before it."""


def _same_call(one: "ExtractedUsage", other: "ExtractedUsage") -> bool:
    """Whether two responses are of one call to the provider: by its id; without ids, where they say the same, or one of
    them says nothing of its usage."""
    if one.response_id and other.response_id:
        return one.response_id == other.response_id
    return one == other or one.usage is None or other.usage is None


def _ids(*found: "ExtractedUsage | None") -> set[str | None]:
    return {one.response_id for one in found if one is not None}


def status_of(kind: type[BaseException] | None) -> Status:
    """How a call ended, by the exception that left it."""
    if kind is None:
        return "ok"
    return "cancelled" if issubclass(kind, _CUT) else "error"


@cache
def _adapters() -> Any:
    """Loaded at the first call or by `prepare`; an import statement in each call takes longer than looking here."""
    from spendstream import adapters

    return adapters


def prepare() -> None:
    """Load what a call needs, so that the first one takes no longer than the others."""
    example = {"object": "chat.completion", "usage": {"prompt_tokens": 1}}
    _adapters().usage_events("openai", example, source="prepared", model="none")


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
        self.event_id: str = fields.get("event_id") or new_event_id()
        self._producer = producer
        self._attribution = current_attribution()
        self._fields = {name: value for name, value in fields.items() if value is not None and name != "event_id"}
        self._found: ExtractedUsage | None = None
        self._streams = 0
        self._earlier: list[ExtractedUsage] = []
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
        self._fields.update(fields)

    def attribute(self, *, labels: dict[str, str] | None = None, **fields: str | None) -> None:
        """Attribution of this call alone, on top of the context's."""
        self._attribution = merge(self._attribution, fields, labels)

    def record(self, response: R) -> R:
        """Take usage, served model, tier and ids from a provider's response (SDK object or dict), and return it.

        A raw response (`client.with_raw_response`, `with_streaming_response`) is parsed, as its own `parse()` does; one
        whose body is still to come is recorded as that is read. Several responses in one block are an event each, the
        last with the call's `event_id`; the same response again (by the provider's id) replaces what it said before.
        """
        try:
            body: Any = response
            if is_raw(response):
                body = whole(response)
                kind: Any = type(body)
                if body is None or iterates(kind):
                    read_raw(response, self._listening())
                    return response
            for one in _adapters().messages_in(body) or (body,):
                self._take(_adapters().extract(self.provider, one, salvage=True))
        except Exception as error:  # noqa: BLE001 - the call itself went well; its event says what is known
            self._trouble("unreadable_response", error)
        return response

    def _take(self, found: "ExtractedUsage") -> None:
        """What a further response says. It replaces the one before where both are of the same call to the provider: a
        response that was asked for again until it was done, or the final one of a stream. Otherwise both count."""
        before = self._found
        if before is not None and not _same_call(before, found):
            self._earlier.append(before)
        elif before == found and not found.response_id:
            self._producer.count_trouble(
                "recorded_again",
                f"{self.provider} {self.model}: two responses without ids in one block say the same, so one counts; "
                "give each a block of its own",
            )
        if self._accumulator is not None and not self._streaming and not _same_call(self._streamed(), found):
            self._keep_streamed()
        self._found = found

    def _take_event(self, event: Mapping[str, Any]) -> None:
        """Of an agent's events the ends of model calls have the usage, each of a call of its own."""
        data = event.get("data")
        answer = data.get("output") if event["event"] == "on_chat_model_end" and isinstance(data, Mapping) else None
        if answer is not None:
            self._take(_adapters().extract(self.provider, answer, salvage=True))

    def _streamed(self) -> "ExtractedUsage":
        nothing: ExtractedUsage = _adapters().ExtractedUsage()
        try:
            return nothing if self._accumulator is None else self._accumulator.result(salvage=True)
        except _adapters().AdapterError:  # said when the call ends
            return nothing

    def _keep_streamed(self) -> None:
        """Another response follows in the same block: what this stream said is a call of its own."""
        streamed = self._streamed()
        if streamed.usage is not None:
            self._earlier.append(streamed)
            self._accumulator = None

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
        if is_wrapped(stream, self):
            return stream
        listener = self
        try:
            listener = self._listening()
            return wrap(stream, listener)
        except Exception as error:  # noqa: BLE001 - the service gets what it passed
            listener._streaming = False
            listener._accumulator = None
            self._trouble("unreadable_response", error)
            return stream

    def _listening(self) -> "TrackedCall":
        """Who a stream is to report to: this call, or, while another stream of it is open, one of its own."""
        if self._streaming:
            self._streams += 1
            other = TrackedCall(self._producer, self.provider, self.model, self._fields)
            other.event_id = f"{self.event_id[:120]}-s{self._streams}"
            other._attribution, other._left = self._attribution, True
            return other._listening()
        self._keep_streamed()
        if self._found is not None and self._found.usage is not None:
            self._earlier.append(self._found)
            self._found = None
        self._accumulator = _adapters().StreamAccumulator(self.provider)
        self._streaming = True
        return self

    def add_chunk(self, chunk: object) -> None:
        """One chunk of the stream has passed."""
        if self._accumulator is None:
            return
        try:
            if isinstance(chunk, dict) and str(chunk.get("event")).startswith("on_"):  # LangChain's astream_events
                self._take_event(chunk)
            else:
                self._accumulator.add(chunk)
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
            last = self._known()
            for number, found in enumerate(self._earlier, start=1):
                if not found.response_id or found.response_id not in _ids(last, *self._earlier[number:]):
                    self._emit_earlier(number, found)
            for event in self._events(last, latency_ms):
                self._producer.emit(event)
        except Exception as error:  # noqa: BLE001 - the service's call is over; its event must not break it
            self._producer.count_rejected("invalid_event", str(error))

    def _emit_earlier(self, number: int, found: "ExtractedUsage") -> None:
        """The event of a response before the last one: its id is the call's with its number, so that the same block
        that runs again with the same id gives the same ids."""
        said = {name: value for name, value in self._fields.items() if name not in _OF_ONE_RESPONSE}
        said |= {"status": found.status or "ok", "event_id": f"{self.event_id[:120]}-{number}"}
        for event in self._mended(found, said):
            self._producer.emit(event)

    def _events(self, last: "ExtractedUsage | None", latency_ms: float) -> list[UsageEvent]:
        """Everything that is known; where that breaks the contract, as much of it as does not."""
        found: ExtractedUsage = last or _adapters().ExtractedUsage()
        status = found.status or "ok" if self._status == "ok" else self._status
        fields: dict[str, Any] = {"status": status, "latency_ms": latency_ms}
        stated = {"usage": self._usage} if self._usage is not None else {}
        events = self._mended(found, {**fields, **stated, **self._fields})
        self.event_id = events[0].event_id
        return events

    def _mended(self, found: "ExtractedUsage", said: dict[str, Any]) -> list[UsageEvent]:
        result = _adapters().result
        if found.stated_cost_refused is not None:
            self._producer.count_trouble(
                "stated_cost_refused", f"{self.provider} {self.model}: {found.stated_cost_refused}"
            )
        if found.unreadable:
            self._producer.count_trouble(
                "unreadable_response", f"{self.provider} {self.model}: {'; '.join(found.unreadable)}"[:2000]
            )
        if not KNOWN.issuperset(said):
            unknown = ", ".join(sorted(said.keys() - KNOWN))
            self._trouble("invalid_fields", result.AdapterError(f"unknown field(s) {unknown}"))
            said = {name: value for name, value in said.items() if name in KNOWN}
        asked = said
        for _ in range(_MENDINGS):
            try:
                return self._events_with(found, said)
            except result.InvalidEventError as error:
                self._trouble("invalid_fields", error)
                said = mended(said, error.places)
            except result.AdapterError as error:  # conditions that are none
                self._trouble("invalid_fields", error)
                said = mended(said, [("conditions",)])
        fields = {name: value for name, value in asked.items() if name in ("status", "latency_ms")}
        return self._events_with(result.ExtractedUsage(), mended(fields, [("provider",), ("model",), ("event_id",)]))

    def _events_with(self, found: "ExtractedUsage", said: Mapping[str, Any]) -> list[UsageEvent]:
        known = {
            "source": self._producer.source,
            "model": self.model,
            "event_id": self.event_id,
            "occurred_at": self._occurred_at,
            "attribution": self._attribution,
            **said,
        }
        if "provider" in known:
            found = replace(found, provider=known.pop("provider"))
        events: list[UsageEvent] = _adapters().usage_events(self.provider, found, **known)
        return events

    def _known(self) -> "ExtractedUsage | None":
        if self._accumulator is None or (self._found is not None and self._found.usage is not None):
            return self._found
        try:
            streamed = self._accumulator.result(salvage=True)
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
        self._producer.count_trouble(kind, f"{self.provider} {self.model}: {error}")

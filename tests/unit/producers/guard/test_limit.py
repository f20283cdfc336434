"""Streams that stop at a cost limit, or when a budget is used up meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from spendstream import CostLimitReachedError
from spendstream.guard import LimitedAsyncStream, LimitedStream
from tests.unit.producers.guard.support import Clocks, new_guard, policy, state, who


class SdkStream:
    """As the providers' SDKs have them: iterable, with close() and things of its own."""

    response = "headers"

    def __init__(self, chunks: int = 10) -> None:
        self.closed = 0
        self.ended = False
        self._chunks = chunks

    def __iter__(self) -> Iterator[int]:
        try:
            yield from range(self._chunks)
        finally:
            self.ended = True

    def close(self) -> None:
        self.closed += 1


class AsyncSdkStream(SdkStream):
    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for chunk in range(self._chunks):
                yield chunk
        finally:
            self.ended = True

    async def close(self) -> None:  # type: ignore[override]
        self.closed += 1


def test_the_chunk_too_many_is_not_handed_on() -> None:
    """To the limit itself, and not above it; then iterator and stream are closed, and it stays over."""
    guard = new_guard(Clocks())
    stream = SdkStream()
    limited = guard.limit_stream(stream, max_cost_usd="0.3", cost_of=lambda chunk: Decimal("0.1"))
    assert isinstance(limited, LimitedStream)
    assert list(limited) == [0, 1, 2]
    assert (stream.closed, stream.ended, list(limited)) == (1, True, [])
    assert limited.stopped_reason == "the stream would have cost 0.40 USD, more than its limit of 0.30 USD"
    assert (limited.cost_usd, limited.response) == (Decimal("0.4"), "headers")


def test_tokens_cost_their_price() -> None:
    """What was spent before the first chunk counts."""
    guard = new_guard(Clocks())
    limited = guard.limit_stream(
        iter(["one", "two words", "three more words"]),
        max_cost_usd=Decimal("0.0006"),
        usd_per_token=Decimal("0.0001"),
        tokens_of=lambda chunk: len(chunk.split()),
        spent_usd="0.0003",
    )
    assert list(limited) == ["one", "two words"]


def test_a_stream_below_its_limit_is_left_alone() -> None:
    """To its end, without a reason."""
    guard = new_guard(Clocks(), policy())
    limited = guard.limit_stream(SdkStream(3), max_cost_usd=1, cost_of=lambda chunk: 0)
    assert (list(limited), limited.stopped_reason) == ([0, 1, 2], None)


def test_a_generator_is_closed() -> None:
    """Its `finally` has run when the limit is reached, and when the reader leaves early."""
    ended = []

    def chunks() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            ended.append(1)

    guard = new_guard(Clocks())
    assert list(guard.limit_stream(chunks(), max_cost_usd=2, cost_of=lambda chunk: 1)) == [0, 1]
    assert len(ended) == 1
    with guard.limit_stream(chunks(), max_cost_usd=9, cost_of=lambda chunk: 1) as limited:
        assert next(limited) == 0
    assert len(ended) == 2


def test_the_budget_can_end_during_the_stream() -> None:
    """At the cost so far, on top of what the budget's state says by then."""
    guard = new_guard(Clocks(), policy(), state(90))
    decision = guard.decide(who(), 5)
    limited = guard.limit_stream(SdkStream(), cost_of=lambda chunk: 1, decision=decision, attribution=who())
    assert isinstance(limited, LimitedStream)
    got = [next(limited) for _ in range(9)]  # 90 + the estimate of 5, of which the chunks are part, and 4 more
    assert got == list(range(9))
    assert list(limited) == []
    assert str(limited.stopped_reason).startswith("a budget came to its end during the stream: refuse: budget b")
    late = guard.limit_stream(SdkStream(), cost_of=lambda chunk: 0, attribution=who())
    assert isinstance(late, LimitedStream)
    assert next(late) == 0
    guard.apply(state(100))
    assert list(late) == []


def test_looking_on_reserves_nothing() -> None:
    """Only the decision that allowed the request counts."""
    guard = new_guard(Clocks(), policy())
    list(guard.limit_stream(SdkStream(), cost_of=lambda chunk: 1, attribution=who()))
    assert guard.decide(who()).used_usd == 0


def test_the_reader_can_ask_for_an_exception() -> None:
    """It carries the reason."""
    guard = new_guard(Clocks())
    stream = SdkStream()
    limited = guard.limit_stream(stream, max_cost_usd=0, cost_of=lambda chunk: 1, raise_on_limit=True)
    with pytest.raises(CostLimitReachedError, match="more than its limit") as caught:
        list(limited)
    assert (caught.value.reason, stream.closed) == (limited.stopped_reason, 1)


def test_async_streams_stop_as_well() -> None:
    """An async generator inside is closed with aclose, an SDK's stream with its async close."""

    async def read(stream: Any, **options: Any) -> tuple[list[int], LimitedAsyncStream]:
        guard = new_guard(Clocks())
        limited = guard.limit_stream(stream, max_cost_usd=2, cost_of=lambda chunk: 1, **options)
        assert isinstance(limited, LimitedAsyncStream)
        async with limited:
            return [chunk async for chunk in limited], limited

    stream = AsyncSdkStream()
    chunks, limited = asyncio.run(read(stream))
    assert (chunks, stream.ended, stream.closed > 0) == ([0, 1], True, True)
    assert limited.stopped_reason is not None
    with pytest.raises(CostLimitReachedError):
        asyncio.run(read(AsyncSdkStream(), raise_on_limit=True))
    assert asyncio.run(read(AsyncSdkStream(2)))[0] == [0, 1]


def test_errors_of_the_stream_and_of_the_caller_come_through() -> None:
    """A wrong cost_of closes the stream first."""
    guard = new_guard(Clocks())
    stream = SdkStream()
    limited = guard.limit_stream(stream, max_cost_usd=1, cost_of=lambda chunk: 0.1)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match=r"cost_of\(chunk\)"):
        list(limited)
    assert stream.closed == 1

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    limited = guard.limit_stream(broken(), max_cost_usd=9, cost_of=lambda chunk: 1)
    with pytest.raises(OSError, match="gone"):
        list(limited)
    assert list(limited) == []


@pytest.mark.parametrize(
    "options", [{}, {"usd_per_token": 1}, {"tokens_of": len}, {"cost_of": len, "usd_per_token": 1, "tokens_of": len}]
)
def test_it_must_be_clear_what_a_chunk_costs(options: dict[str, Any]) -> None:
    """One way, and one only."""
    with pytest.raises(TypeError, match="either cost_of, or usd_per_token and tokens_of"):
        new_guard(Clocks()).limit_stream(iter(()), max_cost_usd=1, **options)

"""Streams of response chunks that stop when they have cost enough, or when a budget is used up meanwhile."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from spendstream.errors import CostLimitReachedError
from spendstream.guard.arguments import check_callable, count_of
from spendstream.guard.decision import Decision
from spendstream.guard.money import UsdAmount, pico_of, usd_of, usd_texts
from spendstream.guard.policy import REFUSE

Look = Callable[[int], Decision]
"""How the budgets stand if this request has cost so many pico-USD."""


class _Meter:
    """What a stream has cost, and whether it may go on."""

    def __init__(self, look: Look, cost_of: Callable[[Any], int], limit: int | None, spent: int) -> None:
        self._look = look
        self._cost_of = cost_of
        self._limit = limit
        self.cost = spent
        self.stopped_reason: str | None = None

    def stops_at(self, chunk: object) -> bool:
        """Count a chunk that has come. True when it is not to be handed on: it was the one too many."""
        self.cost += self._cost_of(chunk)
        if self._limit is not None and self.cost > self._limit:
            cost, limit = usd_texts(self.cost, self._limit)
            self.stopped_reason = f"the stream would have cost {cost} USD, more than its limit of {limit} USD"
            return True
        decision = self._look(self.cost)
        if decision.rank == REFUSE:
            self.stopped_reason = f"a budget came to its end during the stream: {decision.reason}"
            return True
        return False


class _Limited:
    """Everything that is not iteration (headers, `response`, helper methods) is the wrapped stream's own."""

    def __init__(self, stream: Any, meter: _Meter, *, raise_on_limit: bool) -> None:
        self._stream = stream
        self._meter = meter
        self._raise_on_limit = raise_on_limit
        self._iterator: Any = None
        self._over = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def stopped_reason(self) -> str | None:
        """Why the stream was stopped before its end, in a sentence; None when it was not."""
        return self._meter.stopped_reason

    @property
    def cost_usd(self) -> Decimal:
        """What the chunks that came have cost, with what was spent before; the one that was held back included."""
        return usd_of(self._meter.cost)

    def _targets(self) -> list[Any]:
        """What has to be closed: the iterator, which may be a generator over the stream, then the stream."""
        self._over = True
        targets = [self._iterator] if self._iterator is not None else []
        return [*targets, self._stream] if self._iterator is not self._stream else targets

    def _limit_error(self) -> CostLimitReachedError | None:
        return CostLimitReachedError(self._meter.stopped_reason or "") if self._raise_on_limit else None


class LimitedStream(_Limited):
    """A synchronous stream."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._over:
            raise StopIteration
        if self._iterator is None:
            self._iterator = iter(self._stream)
        try:
            chunk = next(self._iterator)
        except BaseException:
            self._over = True
            raise
        try:
            stops = self._meter.stops_at(chunk)
        except BaseException:
            self.close()
            raise
        if not stops:
            return chunk
        self.close()
        raise self._limit_error() or StopIteration

    def close(self) -> None:
        """End the stream; the provider's connection is closed too."""
        for target in self._targets():
            if hasattr(target, "close"):
                target.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LimitedAsyncStream(_Limited):
    """An asynchronous stream."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._over:
            raise StopAsyncIteration
        if self._iterator is None:
            self._iterator = aiter(self._stream)
        try:
            chunk = await anext(self._iterator)
        except BaseException:
            self._over = True
            raise
        try:
            stops = self._meter.stops_at(chunk)
        except BaseException:
            await self.aclose()
            raise
        if not stops:
            return chunk
        await self.aclose()
        raise self._limit_error() or StopAsyncIteration

    async def aclose(self) -> None:
        """End the stream; the provider's connection is closed too."""
        for target in self._targets():
            close = getattr(target, "aclose", None) or getattr(target, "close", None)
            if close is not None:
                closing = close()
                if inspect.isawaitable(closing):
                    await closing

    close = aclose  # the name the providers' SDKs use

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def limited(
    stream: Any,
    look: Look,
    max_cost_usd: UsdAmount | None,
    cost_of: Callable[[Any], UsdAmount] | None,
    usd_per_token: UsdAmount | None,
    tokens_of: Callable[[Any], int] | None,
    spent_usd: UsdAmount,
    *,
    raise_on_limit: bool,
) -> LimitedStream | LimitedAsyncStream:
    """See `Guard.limit_stream`. Raises TypeError where it cannot be known what a chunk costs, and for what is no
    stream."""
    check_callable(cost_of, "cost_of")
    check_callable(tokens_of, "tokens_of")
    if not any(hasattr(type(stream), name) for name in ("__aiter__", "__iter__", "__getitem__")):
        raise TypeError(f"stream must be iterable, not {type(stream).__name__}")
    meter = _Meter(
        look,
        _chunk_cost(cost_of, usd_per_token, tokens_of),
        None if max_cost_usd is None else pico_of(max_cost_usd, "max_cost_usd"),
        pico_of(spent_usd, "spent_usd"),
    )
    kind = LimitedAsyncStream if hasattr(type(stream), "__aiter__") else LimitedStream
    return kind(stream, meter, raise_on_limit=raise_on_limit)


def _chunk_cost(
    cost_of: Callable[[Any], UsdAmount] | None,
    usd_per_token: UsdAmount | None,
    tokens_of: Callable[[Any], int] | None,
) -> Callable[[Any], int]:
    if cost_of is not None and usd_per_token is None and tokens_of is None:
        cost = cost_of
        return lambda chunk: pico_of(cost(chunk), "cost_of(chunk)")
    if cost_of is None and usd_per_token is not None and tokens_of is not None:
        price, count = pico_of(usd_per_token, "usd_per_token"), tokens_of
        return lambda chunk: price * count_of(count(chunk), "tokens_of(chunk)")
    raise TypeError("give either cost_of, or usd_per_token and tokens_of")

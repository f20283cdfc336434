"""The cheapest model that can do a task, at the prices and within the budgets of this moment.

What a model can do is what the caller says it can (`ModelOption`); what it costs comes from a `PriceSource` that is
asked anew each time, else from the option itself. A model whose price nobody knows is taken only when no other can be,
and is measured against the budgets at the highest price known among the candidates: never at nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from spendstream.guard.decision import Decision
from spendstream.guard.money import UsdAmount, pico_of, usd_of, usd_text
from spendstream.stats import Counters

_MILLION: Final = 1_000_000
Price = tuple[UsdAmount, UsdAmount]
"""USD per million tokens, of input and of output."""


SizedPrice = tuple[UsdAmount, UsdAmount, UsdAmount]
"""The same for a request of a certain size, and USD per request."""


class PriceSource(Protocol):
    """Where prices come from. Asked for every candidate of every choice: answer from memory.

    One that also has `price_at(provider, model, input_tokens) -> SizedPrice | None` is asked for that: where prices
    depend on how long the request is.
    """

    def price(self, provider: str, model: str) -> Price | None:
        """None when it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class ModelOption:
    """A model that may be used, and what its user knows of it. None: no such bound, or not known."""

    provider: str
    model: str
    input_usd_per_million: UsdAmount | None = None
    output_usd_per_million: UsdAmount | None = None
    context_tokens: int | None = None  # input and output together
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()  # the caller's words: "tools", "json", "image_input", ...
    quality: int = 0  # the caller's scale: more is better


@dataclass(frozen=True, slots=True)
class TaskNeeds:
    """What a task takes."""

    input_tokens: int
    output_tokens: int  # the most it may answer
    capabilities: frozenset[str] = frozenset()
    min_quality: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen; `option` is None, and the choice false, when nothing could be.

    `estimated_usd` is None where the price is not known. `max_output_tokens` is what to ask the model for: less than
    what was needed where a budget demands reduced requests. `why` says in a sentence how it came to this, `skipped`
    for each other option why not.
    """

    option: ModelOption | None
    estimated_usd: Decimal | None
    max_output_tokens: int
    decision: Decision | None  # of the guard; of the last option it refused where nothing was chosen
    why: str
    skipped: tuple[tuple[ModelOption, str], ...]

    def __bool__(self) -> bool:
        return self.option is not None


Decide = Callable[[ModelOption, int, int], Decision]
"""The guard's decision for a request to this model at so many pico-USD, and of so many tokens; counted when it is
allowed."""


class _Candidate(NamedTuple):
    option: ModelOption
    price: tuple[int, int, int] | None  # pico-USD per million of input, of output, and per request

    def cost(self, needs: TaskNeeds, output_tokens: int) -> int | None:
        """In pico-USD, rounded up."""
        if self.price is None:
            return None
        inputs, outputs, request = self.price
        return request - (-(inputs * needs.input_tokens + outputs * output_tokens) // _MILLION)


def choose(
    options: Sequence[ModelOption], needs: TaskNeeds, prices: PriceSource | None, decide: Decide, counters: Counters
) -> Choice:
    """See `Guard.cheapest_capable`."""
    skipped: list[tuple[ModelOption, str]] = []
    candidates: list[_Candidate] = []
    for option in options:
        lacking = _lacking(option, needs)
        if lacking is None:
            candidates.append(_Candidate(option, _price(option, needs, prices, counters)))
        else:
            skipped.append((option, lacking))
    known = [cost for candidate in candidates if (cost := candidate.cost(needs, needs.output_tokens)) is not None]
    ceiling = max(known, default=0)
    last: Decision | None = None
    for candidate in sorted(candidates, key=lambda candidate: _order(candidate, needs)):
        option = candidate.option
        decision, outputs = _decide_reduced(candidate, needs, ceiling, decide)
        last = decision
        inputs = decision.max_input_tokens
        if decision.allowed and (inputs is None or needs.input_tokens <= inputs):
            cost = candidate.cost(needs, outputs)
            why = _why(candidate, cost, outputs, needs, decision, len(options), len(skipped))
            estimated = None if cost is None else usd_of(cost)
            return Choice(option, estimated, outputs, decision, why, tuple(skipped))
        decision.cancel()
        skipped.append(
            (option, decision.reason)
            if not decision.allowed
            else (
                option,
                f"its {needs.input_tokens} input tokens are more than the {inputs} that are left: {decision.reason}",
            )
        )
    why = "no option can do what the task needs" if last is None else f"no capable option is allowed: {last.reason}"
    return Choice(None, None, needs.output_tokens, last, why, tuple(skipped))


def _order(candidate: _Candidate, needs: TaskNeeds) -> tuple[bool, int, int]:
    """Known prices first, the cheaper, then the better; `sorted` keeps the caller's order otherwise."""
    cost = candidate.cost(needs, needs.output_tokens)
    return cost is None, cost or 0, -candidate.option.quality


def _decide_reduced(candidate: _Candidate, needs: TaskNeeds, ceiling: int, decide: Decide) -> tuple[Decision, int]:
    """The decision, and the output tokens it was made for: those needed, or as many as reduced requests may have."""

    def ask(outputs: int) -> Decision:
        cost = candidate.cost(needs, outputs)
        return decide(candidate.option, ceiling if cost is None else cost, needs.input_tokens + outputs)

    decision = ask(needs.output_tokens)
    limit = decision.max_output_tokens
    if limit is None or limit >= needs.output_tokens:
        return decision, needs.output_tokens
    decision.cancel()
    return ask(limit), limit


def _lacking(option: ModelOption, needs: TaskNeeds) -> str | None:
    """Why the option cannot do the task; None when it can."""
    total = needs.input_tokens + needs.output_tokens
    missing = needs.capabilities - option.capabilities
    if missing:
        return f"it lacks {', '.join(sorted(missing))}"
    if option.quality < needs.min_quality:
        return f"its quality is {option.quality}, below {needs.min_quality}"
    if option.context_tokens is not None and total > option.context_tokens:
        return f"its context of {option.context_tokens} tokens cannot hold {total}"
    if option.max_output_tokens is not None and needs.output_tokens > option.max_output_tokens:
        return f"it answers with at most {option.max_output_tokens} tokens, not {needs.output_tokens}"
    return None


def _price(
    option: ModelOption, needs: TaskNeeds, prices: PriceSource | None, counters: Counters
) -> tuple[int, int, int] | None:
    if prices is not None:
        try:
            found = _ask(prices, option, needs)
            if found is not None:
                return _pico(found)
        except Exception as error:  # noqa: BLE001 - somebody else's code; a price that is not known is provided for
            counters.error("price_source", f"{option.provider} {option.model}: {error!r}")
    if option.input_usd_per_million is None or option.output_usd_per_million is None:
        return None
    return _pico((option.input_usd_per_million, option.output_usd_per_million, 0))


def _pico(price: SizedPrice) -> tuple[int, int, int]:
    inputs, outputs, request = price
    return (
        pico_of(inputs, "the input price"),
        pico_of(outputs, "the output price"),
        pico_of(request, "the price per request"),
    )


def _ask(prices: PriceSource, option: ModelOption, needs: TaskNeeds) -> SizedPrice | None:
    sized = getattr(prices, "price_at", None)
    if sized is not None:
        found: SizedPrice | None = sized(option.provider, option.model, needs.input_tokens)
        return found
    price = prices.price(option.provider, option.model)
    return None if price is None else (*price, 0)


def _why(
    candidate: _Candidate,
    cost: int | None,
    outputs: int,
    needs: TaskNeeds,
    decision: Decision,
    options: int,
    skipped: int,
) -> str:
    option = candidate.option
    if cost is None:
        text = (
            f"{option.provider} {option.model}: its price is not known, but no option with a known one could be chosen"
        )
    else:
        text = f"{option.provider} {option.model} is the cheapest of {options - skipped} at {usd_text(cost)} USD"
    if skipped:
        text += f" ({skipped} of {options} could not be chosen)"
    if outputs < needs.output_tokens:
        text += f", with at most {outputs} output tokens instead of {needs.output_tokens}"
    return f"{text}; {decision.reason}"

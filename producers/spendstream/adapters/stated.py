"""What a provider itself says that a call cost.

Only providers whose pages say that it is what they charge. Not among them is LiteLLM: its ``response_cost`` is computed
from LiteLLM's own table of prices, an estimate like any other, and no better than the price book's.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from spendstream.adapters.reader import Node
from spendstream.adapters.result import AdapterError
from spendstream_schemas.types import StatedUsd

_TICK_PLACES: Final = 10
_usd: Final = TypeAdapter(StatedUsd).validate_python


class _RefusedError(ValueError):
    pass


def stated_cost(provider: str, usage: Node) -> tuple[Decimal | None, str | None]:
    """The cost in USD, or None; and why what is there was not taken.

    Never raises: the counts of a response are worth more than its opinion about their price.
    """
    read = _READERS.get(provider)
    if read is None:
        return None, None
    try:
        return read(usage), None
    except (_RefusedError, AdapterError) as error:
        return None, str(error)


def _openrouter(usage: Node) -> Decimal | None:
    """``cost`` is what was charged to the account, in credits, of which one is a dollar. With a key of one's own that
    is OpenRouter's fee, and what the key's provider charges stands in ``cost_details.upstream_inference_cost``.

    openrouter.ai/docs/use-cases/usage-accounting. ``is_byok`` says which; responses without it repeat the cost there,
    and the fee is a fraction of what it is for.
    """
    charged = _amount(usage, "cost")
    details = usage.node("cost_details")
    upstream = None if details is None else _amount(details, "upstream_inference_cost")
    own_key = usage.raw("is_byok")
    if own_key is None:
        own_key = charged is not None and upstream is not None and upstream > charged
    if not own_key or charged is None:
        return charged
    return None if upstream is None else _checked(usage.path, charged + upstream)


def _x_ai(usage: Node) -> Decimal | None:
    """Ticks, of which 10,000,000,000 are a dollar; the amount billed, tools included.

    docs.x.ai/developers/cost-tracking
    """
    ticks = usage.raw("cost_in_usd_ticks")
    if ticks is None:
        return None
    if isinstance(ticks, float) and ticks.is_integer():
        ticks = int(ticks)
    if isinstance(ticks, bool) or not isinstance(ticks, int):
        raise _RefusedError(f"{usage.path}.cost_in_usd_ticks: expected a whole number, got {type(ticks).__name__}")
    return _checked(f"{usage.path}.cost_in_usd_ticks", Decimal(ticks).scaleb(-_TICK_PLACES))


def _perplexity(usage: Node) -> Decimal | None:
    """``cost.total_cost``, request fees included: docs.perplexity.ai (usage info of chat completions; the agents'
    responses name the currency)."""
    cost = usage.node("cost")
    if cost is None:
        return None
    currency = cost.text("currency", 16)
    if currency is not None and currency.upper() != "USD":
        raise _RefusedError(f"{cost.path}: is in {currency}, not in USD")
    return _amount(cost, "total_cost")


def _amount(node: Node, name: str) -> Decimal | None:
    value = node.raw(name)
    return None if value is None else _checked(f"{node.path}.{name}", value)


def _checked(path: str, value: Any) -> Decimal:
    """As the contract demands it of the event: not negative, not huge, a number."""
    try:
        return _usd(value)
    except ValidationError as error:
        raise _RefusedError(f"{path}: {error.errors(include_url=False, include_input=False)[0]['msg']}") from None


_READERS: Final[dict[str, Callable[[Node], Decimal | None]]] = {
    "openrouter": _openrouter,
    "x-ai": _x_ai,
    "perplexity": _perplexity,
}

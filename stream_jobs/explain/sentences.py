"""An explanation in English, for the causes of an alert: one sentence for each set, the first first."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from stream_jobs.base.readable import money, percent
from stream_jobs.explain.model import ExplainingSet, Explanation, Factor

MAX_SENTENCES: Final = 8
MAX_CHARS: Final = 1000
_MAX_VALUE: Final = 120
WORDS: Final[Mapping[Factor, str]] = {
    "volume": "the number of requests",
    "mix": "the mix of requests",
    "tokens_per_request": "tokens per request",
    "cache": "the cache",
    "price": "the price",
    "cost_per_request": "the cost of a request",
    "without_requests": "costs without requests",
}


def sentences(explanation: Explanation) -> tuple[str, ...]:
    """At most MAX_SENTENCES of at most MAX_CHARS; none where nothing moved."""
    said = _of_all(explanation)
    said += [_of_set(one, explanation) for one in explanation.sets]
    if not said and explanation.excess and explanation.everywhere:
        name = name_of(explanation.everywhere)
        said.append(f"{_signed(explanation.excess)}, all of it {name}: no other value stands out")
    elif not said and explanation.excess:
        said.append(f"no value stands out: {_signed(explanation.excess)}, spread like what was expected")
    if explanation.sets and explanation.unexplained and len(said) < MAX_SENTENCES:
        share = percent(abs(explanation.unexplained), abs(explanation.excess))
        said.append(f"not explained: {_signed(explanation.unexplained)} ({share})")
    return tuple(text[:MAX_CHARS] for text in said[:MAX_SENTENCES])


def name_of(values: Mapping[str, str]) -> str:
    """'model gpt-5 and feature search'."""
    return " and ".join(f"{name} {_short(value)}" for name, value in values.items()) or "everything"


def _of_all(explanation: Explanation) -> list[str]:
    """What all cells have in common, if anything."""
    common = explanation.common
    if common is None:
        return []
    if common.times is None:
        return [f"all of it is new: {_signed(explanation.excess)}, nothing before"]
    if not common.times:
        return [f"all of it is gone: {_signed(explanation.excess)}, nothing now"]
    return [f"all alike: {_number(common.times)} times, {_signed(common.explains)}"]


def _of_set(one: ExplainingSet, whole: Explanation) -> str:
    name = name_of(one.values)
    if one.equivalent:
        name += f" (all of {'; '.join(name_of(other) for other in one.equivalent[:2])})"
    part = ""
    if one.explains == one.excess and one.share is not None and one.share > 0:
        part = f" of {_signed(whole.excess)} ({percent(abs(one.explains), abs(whole.excess))})"
    elif one.explains != one.excess:
        part = ", in part what was named before"
    return f"{name}: {_signed(one.excess)}{part}, {_times(one)}{_why(one)}"


def _times(one: ExplainingSet) -> str:
    if one.times is None:
        return "nothing before"
    return f"{_number(one.times)} times" if one.times > 0 else "nothing now"


def _why(one: ExplainingSet) -> str:
    """', mostly by tokens per request (+$400.00)'."""
    if one.one_request is not None:
        return f", a single request of {money(one.one_request)}"
    if one.factor is None:
        return ""
    part = one.factors[one.factor]
    text = f", mostly by {WORDS[one.factor]}" if abs(part) * 2 >= abs(one.excess) else f", most by {WORDS[one.factor]}"
    if one.factor == "volume":
        return f"{text}: {_number(one.requests_before)} before, {_number(one.requests_after)} now"
    return f"{text} ({_signed(part)})"


def _signed(amount: Decimal) -> str:
    return money(amount) if amount < 0 else f"+{money(amount)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: str) -> str:
    return (value if len(value) <= _MAX_VALUE else f"{value[: _MAX_VALUE - 1]}…") or "(none)"

"""What an adapter gives back, and the one error it may raise."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from spendstream.adapters.problems import AdapterError, problem
from spendstream.adapters.reader import Node
from spendstream_schemas import Conditions, TokenUsage, ToolCalls, invalid_message

__all__ = ["AdapterError", "ExtractedUsage", "InvalidEventError", "Meters", "conditions", "token_usage", "tool_calls"]

_WHOLES: Final = ("input_tokens", "output_tokens")
M = TypeVar("M", bound=BaseModel)
Meters: TypeAlias = dict[str, int | Decimal | None]
"""Meters of `TokenUsage` by name; None is what the provider does not report."""


class InvalidEventError(AdapterError):
    """What would be an event breaks the contract. `places`: where, as in ``("conditions", "speed")``."""

    def __init__(self, message: str, places: tuple[tuple[int | str, ...], ...]) -> None:
        super().__init__(message)
        self.places = places


@dataclass(frozen=True, slots=True)
class ExtractedUsage:
    """What one provider response says about its own cost, in the contract's terms. None: the response does not say.

    ``also`` holds usage of the same call that another model is billed for (an advisor, an image model behind a tool):
    each entry needs an event of its own, see `usage_events`. ``status``: how the call ended, where the response says
    that it did not end well. ``estimated`` names the meters that are not the provider's word but our estimate.
    ``run_id``: what a framework calls this call, in chunks and whole; no id of the provider's. ``session_id``: what the
    conversation is called that the call belongs to.
    ``provider``: who served, where a gateway says it. ``unreadable``: what could not be read, for logs and counters.
    """

    usage: TokenUsage | None = None
    response_model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    conditions: Conditions | None = None
    tool_calls: ToolCalls | None = None
    operation: str | None = None
    stated_cost_usd: Decimal | None = None
    stated_cost_refused: str | None = None  # why what stands there is no cost of this call; for logs and counters
    also: tuple["ExtractedUsage", ...] = ()
    status: Literal["error", "cancelled"] | None = None
    estimated: tuple[str, ...] = ()
    provider: str | None = None
    run_id: str | None = None
    session_id: str | None = None
    unreadable: tuple[str, ...] = ()


def token_usage(provider: str, meters: Meters) -> TokenUsage | None:
    """The usage with the meters that are not None; None if there are none.

    Raises AdapterError when the provider's numbers contradict each other: they are never repaired by guessing.
    """
    reported: dict[str, Any] = {name: value for name, value in meters.items() if value is not None}
    if not reported:
        return None
    try:
        return TokenUsage(kind="tokens", **reported)
    except ValidationError as error:
        invalid = invalid_message(error)
        problem(f"{provider}: the usage contradicts itself ({invalid.reason.value}): {invalid.detail}")
    return _without_contradictions(reported)


def _without_contradictions(reported: dict[str, Any]) -> TokenUsage | None:
    """The wholes, then each part that does not contradict what is there: for usage that is not priced."""
    found: TokenUsage | None = None
    kept: dict[str, Any] = {}
    for name in sorted(reported, key=lambda name: (name not in _WHOLES, name)):
        with contextlib.suppress(ValidationError):
            found = TokenUsage(kind="tokens", **kept, **{name: reported[name]})
            kept[name] = reported[name]
    return found


def tool_calls(counts: Mapping[str, int | None]) -> ToolCalls | None:
    """The calls that were reported (a reported 0 stays 0); None if none were."""
    return _model(ToolCalls, counts)


def conditions(**facts: str | None) -> Conditions | None:
    """The facts that were reported; None if none were."""
    return _model(Conditions, facts)


def _model(model: type[M], values: Mapping[str, Any]) -> M | None:
    reported = {name: value for name, value in values.items() if value is not None}
    if not reported:
        return None
    try:
        return model.model_validate(reported)
    except ValidationError as error:
        invalid = invalid_message(error)
        problem(f"{invalid.path}: {invalid.detail} ({invalid.reason.value})")
        return None


def total(*counts: int | None) -> int | None:
    """Sum of the counts that were reported; None if none were."""
    reported = [count for count in counts if count is not None]
    return sum(reported) if reported else None


def unreported_lifetime(where: Node, written: int | None, *by_lifetime: int | None) -> int | None:
    """Cache writes whose lifetime the provider does not say: what is left of `written` beside the parts by lifetime."""
    known = total(*by_lifetime)
    if written is None or known is None:
        return written
    if known > written:
        problem(f"{where.path}: cache writes by lifetime add up to {known}, more than all cache writes, {written}")
        return None
    return written - known or None

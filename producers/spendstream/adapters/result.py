"""What an adapter gives back, and the one error it may raise."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from spendstream_schemas import Conditions, TokenUsage, ToolCalls, invalid_message

M = TypeVar("M", bound=BaseModel)
Meters: TypeAlias = dict[str, int | Decimal | None]
"""Meters of `TokenUsage` by name; None is what the provider does not report."""


class AdapterError(ValueError):
    """A response that cannot be read: the message says what was expected and what came instead."""


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
    ``provider``: who served, where a gateway says it.
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
        raise AdapterError(
            f"{provider}: the usage contradicts itself ({invalid.reason.value}): {invalid.detail}"
        ) from None


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
        raise AdapterError(f"{invalid.path}: {invalid.detail} ({invalid.reason.value})") from None


def total(*counts: int | None) -> int | None:
    """Sum of the counts that were reported; None if none were."""
    reported = [count for count in counts if count is not None]
    return sum(reported) if reported else None


def unreported_lifetime(where: str, written: int | None, *by_lifetime: int | None) -> int | None:
    """Cache writes whose lifetime the provider does not say: what is left of `written` beside the parts by lifetime."""
    known = total(*by_lifetime)
    if written is None or known is None:
        return written
    if known > written:
        raise AdapterError(
            f"{where}: cache writes by lifetime add up to {known}, more than all cache writes, {written}"
        )
    return written - known or None

"""Counting tokens: which part of a request is billed at which rate, and what it comes to.

Wholes include their parts (`input_tokens` includes cache reads and writes), so every part is taken out of its whole
and each token is billed exactly once.
"""

from collections.abc import Mapping
from typing import Any, Final

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.compiled import Compiled, Rate
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.result import PriceLine
from stream_jobs.pricing.split import UnclearSplit, split
from stream_jobs.pricing.units import FLAT_METERS, TOOL_KEYS

INPUT_PARTS: Final = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_30m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
)
OUTPUT_PARTS: Final = ("reasoning_tokens", "citation_tokens")
_INPUT_PARTS: Final = frozenset(INPUT_PARTS)
_OUTPUT_PARTS: Final = frozenset(OUTPUT_PARTS)
_new: Final = tuple.__new__
MODALITIES: Final = ("audio", "image", "video")
_MODAL_METERS: Final = frozenset(f"{side}_{m}_tokens" for side in ("input", "output") for m in MODALITIES)
PLAIN: Final = frozenset(
    {"input_tokens", "output_tokens", *INPUT_PARTS, *OUTPUT_PARTS, "tool_use_input_tokens"}
    | {"accepted_prediction_tokens", "rejected_prediction_tokens"}
)
"""Meters of a usage whose tokens are all text. Tool prompts and predictions are billed as what they are part of."""


class UnpricedError(Exception):
    """Ends the counting: something that occurred has no price."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.detail)
        self.missing = missing


def count_plain(compiled: Compiled, usage: Mapping[str, Any]) -> tuple[list[PriceLine], int] | None:
    """Lines and total in pico-USD of the common case: text only, whole pico-USD per token, list = contracted =
    effective. None if this is not the common case: `count` answers everything, this answers in a third of the time.
    """
    if compiled.request is not None:
        return None
    plain = compiled.plain
    lines: list[PriceLine] = []
    total = 0
    whole = usage.get("input_tokens")
    if whole:
        cached: list[PriceLine] = []
        if not _INPUT_PARTS.isdisjoint(usage):
            for part in INPUT_PARTS:
                if n := usage.get(part):
                    rate = plain[part]
                    if rate is None:
                        return None
                    whole -= n
                    sku, list_unit_price, unit_price, pico = rate
                    cost = n * pico
                    total += cost
                    cached.append(_new(PriceLine, (sku, part, n, list_unit_price, unit_price, cost, cost, cost)))
        if whole:
            rate = plain["input_tokens"]
            if rate is None:
                return None
            sku, list_unit_price, unit_price, pico = rate
            cost = whole * pico
            total += cost
            lines.append(_new(PriceLine, (sku, "input_tokens", whole, list_unit_price, unit_price, cost, cost, cost)))
        if cached:
            lines += cached
    n = usage.get("output_tokens")
    if n:
        rate = plain["output_tokens"]
        if rate is None:
            return None
        sku, list_unit_price, unit_price, pico = rate
        cost = n * pico
        total += cost
        lines.append(_new(PriceLine, (sku, "output_tokens", n, list_unit_price, unit_price, cost, cost, cost)))
    return lines, total


def count(
    compiled: Compiled,
    usage: Mapping[str, Any],
    tool_calls: Mapping[str, int],
) -> list[PriceLine]:
    """The receipt's lines for a token usage (what it gives of its meters) and calls of tools.

    Raises UnpricedError for the first thing without a price. Lines stand in a fixed order; nothing used, no line.
    """
    if compiled.adds and compiled.adds not in tool_calls:
        raise UnpricedError(
            Missing(
                UnpricedReason.NO_PRICE_FOR_TOOL,
                f"{compiled.where} was called with {compiled.adds}: report tool_calls.{compiled.adds}, 0 too",
            )
        )
    lines: list[PriceLine] = []
    if PLAIN.issuperset(usage):
        _count_text(compiled, usage, lines)
    else:
        _count_all(compiled, usage, lines)
    if compiled.splits_kinds and usage.get("output_tokens"):
        _refuse_untold(compiled, usage)
    _count_tools(compiled, tool_calls, lines)
    if compiled.request is not None:
        lines.append(_rate(compiled.request).line("requests", 1))
    return lines


def _refuse_untold(compiled: Compiled, usage: Mapping[str, Any]) -> None:
    """Output of a model that writes text and other things at different prices, of which nobody says what it is."""
    told = sum(usage.get(f"output_{kind}_tokens") or 0 for kind in MODALITIES)
    for kind in compiled.splits_kinds:
        if f"output_{kind}_tokens" not in usage and told < usage["output_tokens"]:
            raise UnpricedError(
                Missing(
                    UnpricedReason.AMBIGUOUS_USAGE,
                    f"{compiled.where} writes text and {kind} at different prices: report output_{kind}_tokens, 0 too",
                )
            )


def _count_text(compiled: Compiled, usage: Mapping[str, Any], lines: list[PriceLine]) -> None:
    text = compiled.text
    whole = usage.get("input_tokens")
    if whole:
        any_part = not _INPUT_PARTS.isdisjoint(usage)
        cached = [(part, n) for part in INPUT_PARTS if (n := usage.get(part))] if any_part else ()
        for _, n in cached:
            whole -= n
        if whole:
            lines.append(_rate(text["input_tokens"]).line("input_tokens", whole))
        for part, n in cached:
            lines.append(_rate(text[part]).line(part, n))
    whole = usage.get("output_tokens")
    if whole:
        if not _OUTPUT_PARTS.isdisjoint(usage) and compiled.splits_output:
            _count_output_text(compiled, usage, whole, lines)
        else:
            lines.append(_rate(text["output_tokens"]).line("output_tokens", whole))


def _count_output_text(compiled: Compiled, usage: Mapping[str, Any], whole: int, lines: list[PriceLine]) -> None:
    text = compiled.text
    own: list[tuple[str, int]] = []
    for part in OUTPUT_PARTS:
        if (n := usage.get(part)) and text[part] is not text["output_tokens"]:
            own.append((part, n))
            whole -= n
    if whole < 0:
        raise UnpricedError(Missing(UnpricedReason.AMBIGUOUS_USAGE, "reasoning and citation tokens overlap"))
    _add(text, "output_tokens", whole, lines)
    for part, n in own:
        _add(text, part, n, lines)


def _add(rates: Mapping[str, Rate | Missing], part: str, n: int, lines: list[PriceLine]) -> None:
    if n:
        lines.append(_rate(rates[part]).line(part, n))


def _rate(rate: Rate | Missing) -> Rate:
    if isinstance(rate, Missing):
        raise UnpricedError(rate)
    return rate


def _count_all(
    compiled: Compiled,
    usage: Mapping[str, Any],
    lines: list[PriceLine],
) -> None:
    if any(map(usage.get, _MODAL_METERS)):
        for direction, parts in (("input", INPUT_PARTS), ("output", OUTPUT_PARTS)):
            if f"{direction}_tokens" in usage:
                _count_modal(compiled, usage, direction, parts, lines)
    else:
        _count_text(compiled, usage, lines)
    for meter in FLAT_METERS:
        if meter in usage:
            _count_flat(compiled, usage, meter, lines)


def _count_modal(
    compiled: Compiled, usage: Mapping[str, Any], direction: str, parts: tuple[str, ...], lines: list[PriceLine]
) -> None:
    """Tokens of several modalities: every (part, modality) pair is counted at its own rate."""
    whole_name = f"{direction}_tokens"
    rows = {part: n for part in parts if (n := usage.get(part))}
    if direction == "output":
        # Reasoning and citations that cost what the output costs are not told apart.
        rows = {part: n for part, n in rows.items() if compiled.text[part] is not compiled.text[whole_name]}
    columns = {m: n for m in MODALITIES if (n := usage.get(f"{direction}_{m}_tokens"))}
    known: dict[tuple[str, str], int] = {}
    if direction == "input" and "cache_read_tokens" in rows:
        for m in columns:
            if (n := usage.get(f"cache_read_{m}_tokens")) is not None:
                known[("cache_read_tokens", m)] = n
    _refuse_unpriced(compiled, [[(part, m) for part in (whole_name, *rows)] for m in columns])
    _refuse_unpriced(compiled, [[(part, m) for m in ("text", *columns)] for part in rows])
    try:
        cells = split(usage[whole_name], whole_name, rows, columns, known, compiled.cell)
    except UnclearSplit as unclear:
        raise UnpricedError(Missing(UnpricedReason.AMBIGUOUS_USAGE, f"{compiled.where}: {unclear}")) from None
    for (part, modality), n in cells.items():
        if n:
            lines.append(_rate(compiled.cell(part, modality)).line(meter_of(direction, part, modality), n))


def _refuse_unpriced(compiled: Compiled, groups: list[list[tuple[str, str]]]) -> None:
    """A kind of token that has no price whatever else it is needs no splitting to be refused."""
    for group in groups:
        rates = [compiled.cell(part, modality) for part, modality in group]
        if all(isinstance(rate, Missing) for rate in rates):
            _rate(rates[0])


def meter_of(direction: str, part: str, modality: str) -> str:
    """The name of the line of a (part, modality) pair in a receipt."""
    if modality == "text":
        return part
    if part == "cache_read_tokens":
        return f"cache_read_{modality}_tokens"
    return f"{direction}_{modality}_tokens" if part == f"{direction}_tokens" else part


def _count_flat(
    compiled: Compiled,
    usage: Mapping[str, Any],
    meter: str,
    lines: list[PriceLine],
) -> None:
    quantity = usage[meter]
    if not quantity:
        return
    if meter == "output_images" and isinstance(compiled.flats[meter], Missing) and usage.get("output_tokens"):
        return  # the images are what the output tokens are of; they are billed as tokens
    if meter == "input_pages" and (annotated := usage.get("input_annotated_pages")):
        quantity -= annotated
        if quantity < 0:
            raise UnpricedError(Missing(UnpricedReason.AMBIGUOUS_USAGE, "more annotated pages than pages"))
        if not quantity:
            return
    if meter in compiled.minimums:
        quantity = max(quantity, compiled.minimums[meter])
    lines.append(_rate(compiled.flats[meter]).line(meter, quantity))


def _count_tools(compiled: Compiled, calls: Mapping[str, int], lines: list[PriceLine]) -> None:
    lines.extend(_rate(compiled.tools[kind]).line(f"tool.{kind}", n) for kind in TOOL_KEYS if (n := calls.get(kind)))

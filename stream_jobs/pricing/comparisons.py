"""What the cost of an event is compared with: the same tokens without a prompt cache, the same GPUs if all were busy.

Whole pico-USD. None where there is nothing of the kind: no cache, no GPU, or nobody knows what was busy.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from stream_jobs.pricing.compiled import Compiled, Rate
from stream_jobs.pricing.result import PriceLine
from stream_jobs.pricing.tokens import INPUT_PARTS, MODALITIES

CACHE_METERS: Final = frozenset(INPUT_PARTS)


def cache_amounts(rates: Compiled, lines: Sequence[PriceLine]) -> tuple[int | None, int | None]:
    """(gross saving of reads, premium of writes), contracted.

    Each line beside what as many tokens of its modality cost as input; a model without a price of input has neither.
    """
    saving = premium = None
    for line in lines:
        if not line.meter.startswith("cache_"):
            continue
        whole = _input_rate(rates, line)
        if not isinstance(whole, Rate):
            continue
        more = whole.line("input_tokens", line.quantity).contracted_cost - line.contracted_cost
        if line.meter.startswith("cache_read"):
            saving = (saving or 0) + more
        else:
            premium = (premium or 0) - more
    return saving, premium


def _input_rate(rates: Compiled, line: PriceLine) -> object:
    for modality in MODALITIES:
        if line.meter == f"cache_read_{modality}_tokens":
            return rates.cell("input_tokens", modality)
    text = rates.text.get(line.meter)
    if isinstance(text, Rate) and text.sku != line.sku:  # writes are one meter, whatever was written
        for modality in MODALITIES:
            cell = rates.cell(line.meter, modality)
            if isinstance(cell, Rate) and cell.sku == line.sku:
                return rates.cell("input_tokens", modality)
    return rates.text["input_tokens"]


def idle_cost(usage: Mapping[str, Any], effective_cost: int) -> int | None:
    """The part of the cost of GPUs that were provisioned and not busy, cut off toward zero."""
    provisioned, busy = usage.get("gpu_seconds"), usage.get("busy_gpu_seconds")
    if not provisioned or busy is None:
        return None
    return int(Fraction(effective_cost) * Fraction(provisioned - busy) / Fraction(provisioned))

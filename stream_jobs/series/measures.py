"""What is added up, and by what: the measures and dimensions of deltas, series and their history.

Every measure is a sum of signed amounts of ledger entries, so that a retraction takes back what its charge added; but
for `cost_squares` and `capped_cost`, which are not linear. The expressions here say what that is in the ledger;
`block_sums.py` adds up the same of a block's rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final, Literal

import pyarrow as pa

from spendstream_schemas.scope import LABEL, SCOPE_FIELDS
from stream_jobs.store.decimals import units_of
from stream_jobs.store.tables import COUNT, MONEY, TOOL_COLUMNS

Measure = Literal[
    "events",
    "ok",
    "errors",
    "cancelled",
    "cached",
    "unpriced",
    "held_flat",
    "held_cost",
    "list_cost",
    "contracted_cost",
    "effective_cost",
    "avoided_cost",
    "cost_squares",
    "capped_cost",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "gpu_seconds",
    "busy_gpu_seconds",
    "tool_calls",
    "tokens",
]
SQUARES: Final = pa.decimal128(38, 24)
CAP_USD: Final = 1
"""Of one event's effective cost, so much counts in `capped_cost` at most, either way."""
MAX_SQUARED_USD: Final = 10_000
"""The same for `cost_squares`: the squares of a million such events fit together into SQUARES."""
CACHE_WRITES: Final = (
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_30m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
)
STATUSES: Final[Mapping[Measure, str]] = {"ok": "ok", "errors": "error", "cancelled": "cancelled"}
_EXACT: Final = Context(prec=100)


@dataclass(frozen=True, slots=True)
class Definition:
    """`kind` is what sums of it are: COUNT, or decimals that are exact to their last place."""

    kind: pa.DataType
    sql: str  # of one entry of the ledger


def _or_zero(*columns: str) -> str:
    return " + ".join(f"ifNull({name}, 0)" for name in columns)


def _clipped(usd: int) -> str:
    """The effective cost, at most so much either way."""
    bound = f"toDecimal128({usd}, 12)"
    return f"greatest(least(ifNull(effective_cost, 0), {bound}), -{bound})"


_SQUARED: Final = f"toDecimal256({_clipped(MAX_SQUARED_USD)}, 12)"
MEASURES: Final[Mapping[Measure, Definition]] = {
    "events": Definition(COUNT, "events"),  # charges less retractions
    **{name: Definition(COUNT, f"if(status = '{status}', events, 0)") for name, status in STATUSES.items()},
    "cached": Definition(COUNT, "if(cached_response, events, 0)"),  # served from the service's own cache
    "unpriced": Definition(COUNT, "unpriced"),  # events that the costs do not cover
    "held_flat": Definition(COUNT, "held_flat"),  # of these, the ones whose model nobody knows
    "held_cost": Definition(MONEY, _or_zero("held_cost")),  # USD that the others are held at; no cost
    "list_cost": Definition(MONEY, _or_zero("list_cost")),  # USD; of what has a price
    "contracted_cost": Definition(MONEY, _or_zero("contracted_cost")),
    "effective_cost": Definition(MONEY, _or_zero("effective_cost")),
    "avoided_cost": Definition(MONEY, "avoided_cost"),
    # How noisy the effective cost is, in USD² and in USD. Of events: a correction that leaves their number as it is
    # leaves these as they are, too. Who takes back an event that was priced again since takes its present cost back,
    # not the one it came with: where history was corrected, these two are off by that, and may fall below zero.
    "cost_squares": Definition(SQUARES, f"sign(events) * {_SQUARED} * {_SQUARED}"),
    "capped_cost": Definition(MONEY, f"if(events = 0, toDecimal128(0, 12), {_clipped(CAP_USD)})"),
    "input_tokens": Definition(COUNT, _or_zero("input_tokens")),  # with what was read from and written to caches
    "cache_read_tokens": Definition(COUNT, _or_zero("cache_read_tokens")),
    "cache_write_tokens": Definition(COUNT, _or_zero(*CACHE_WRITES)),  # of every lifetime
    "output_tokens": Definition(COUNT, _or_zero("output_tokens")),  # with reasoning
    "reasoning_tokens": Definition(COUNT, _or_zero("reasoning_tokens")),
    "gpu_seconds": Definition(MONEY, _or_zero("gpu_seconds")),
    "busy_gpu_seconds": Definition(MONEY, _or_zero("busy_gpu_seconds")),
    "tool_calls": Definition(COUNT, _or_zero(*TOOL_COLUMNS)),  # of every kind
}
ADDED_UP: Final[Mapping[Measure, tuple[Measure, ...]]] = {"tokens": ("input_tokens", "output_tokens")}
"""Measures that no delta carries: whoever asks for one adds up those that it consists of, which are of its kind."""
DIMENSIONS: Final = (*SCOPE_FIELDS, "accelerator")
"""Beside these, labels: `labels.NAME`. An entry that lacks one has the empty string there."""
MAX_LABELS: Final = 8


def parts_of(measure: Measure) -> tuple[Measure, ...]:
    """What it is the sum of: itself, for most. Raises KeyError for what is no measure."""
    return (measure,) if measure in MEASURES else ADDED_UP[measure]


def sql_of(measure: Measure) -> str:
    """Of one entry of the ledger."""
    return " + ".join(MEASURES[part].sql for part in parts_of(measure))


def places_of(measure: Measure) -> int:
    """Decimal places of its sums: 12 for money, none for counts."""
    kind = MEASURES[parts_of(measure)[0]].kind
    return int(kind.scale) if pa.types.is_decimal(kind) else 0


def exact(measure: Measure, total: object) -> int:
    """A sum from the store, in units of the measure's last place: pico-USD for money."""
    return int(_EXACT.scaleb(Decimal(str(total)), places_of(measure)))


def exact_column(measure: Measure, totals: pa.ChunkedArray) -> list[int]:
    """The same of a column of sums, none of which is NULL."""
    kind = totals.type
    if pa.types.is_integer(kind) and not places_of(measure):
        return list(totals.to_pylist())
    if pa.types.is_decimal128(kind) and kind.scale == places_of(measure):
        return [total for chunk in totals.chunks for total in units_of(chunk) if total is not None]
    return [exact(measure, total) for total in totals.to_pylist()]


def is_dimension(name: str) -> bool:
    return name in DIMENSIONS or (name.startswith(LABEL) and len(name) > len(LABEL))


def column(dimension: str) -> str:
    """The ledger's expression for it. The name of a label is a parameter: see label_parameters."""
    if dimension.startswith(LABEL):
        return f"labels[{{{_parameter(dimension)}:String}}]"
    return "if(model = '', response_model, model)" if dimension == "model" else dimension


def label_parameters(dimensions: Iterable[str]) -> dict[str, str]:
    """What the expressions of these dimensions need."""
    return {_parameter(name): name.removeprefix(LABEL) for name in dimensions if name.startswith(LABEL)}


def _parameter(label: str) -> str:
    return f"label_{label.removeprefix(LABEL).encode().hex()}"

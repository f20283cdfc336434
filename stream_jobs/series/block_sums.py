"""What one block adds to the ledger, by minute and dimensions: a delta's rows. On the way of booking, so it is fast.

Texts are numbers here: a row's group is one integer, made of those of its minute and dimensions.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendstream_schemas.scope import LABEL
from stream_jobs.series.delta import Delta, Origin, schema_with
from stream_jobs.series.measures import (
    CACHE_WRITES,
    CAP_USD,
    DIMENSIONS,
    MAX_SQUARED_USD,
    MEASURES,
    STATUSES,
    Measure,
)
from stream_jobs.store.tables import COUNT, INSTANT, MONEY, TEXT, TOOL_COLUMNS
from stream_jobs.store.texts import Profiles, profiles
from stream_jobs.streams.model import Block

MAX_LABEL_VALUES: Final = 10_000
"""Of one label in one delta; the rest is summed under the empty value."""
_NOTHING_IS_ZERO: Final = pc.ScalarAggregateOptions(min_count=0)
_MINUTE_MICROS: Final = 60_000_000
_BEFORE_SQUARING: Final = pa.decimal128(17, 12)  # holds MAX_SQUARED_USD
_AS_THEY_ARE: Final[tuple[Measure, ...]] = (
    *(
        "unpriced",
        "held_cost",
        "held_flat",
        "list_cost",
        "contracted_cost",
        "effective_cost",
        "avoided_cost",
        "gpu_seconds",
        "busy_gpu_seconds",
    ),
    *("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"),
)
"""Measures that are a column of the ledger."""
_OF_UNPRICED: Final[tuple[Measure, ...]] = ("unpriced", "held_flat")
_READ: Final = (
    *("occurred_at", *DIMENSIONS, "response_model", "status", "cached_response", "events"),
    *(*_AS_THEY_ARE, *CACHE_WRITES, *TOOL_COLUMNS),
)
Ints = npt.NDArray[np.int64]


class _Texts(NamedTuple):
    """One text per row: `values[codes[row]]`."""

    codes: npt.NDArray[np.int32]
    values: pa.Array  # distinct

    def of(self, rows: Ints) -> pa.Array:
        if len(self.values) == 1:
            return pa.repeat(self.values[0], len(rows))
        return pc.take(self.values, pa.array(self.codes[rows]), boundscheck=False)


def delta_of(block: Block, ledger: pa.Table | None, labels: Sequence[str] = ()) -> Delta:
    """The sums of the rows that a block inserts into the ledger, if it inserts any. `labels`: names of those that are
    dimensions, too."""
    origin = Origin(block.source.topic_id, block.source.partition)
    about = (origin, block.fixed_at, block.first_offset, block.last_offset)
    schema = schema_with(labels)
    if ledger is None or not ledger.num_rows:
        return Delta(*about, schema.empty_table())
    ledger = ledger.select([*_READ, *(["labels"] if labels else [])]).combine_chunks()
    texts, cut = _dimensions(ledger, labels)
    minutes = ledger["occurred_at"].cast(pa.int64()).to_numpy() // _MINUTE_MICROS
    groups = _groups(minutes, texts)
    first = groups.example
    columns = {"minute": pa.array(minutes[first] * _MINUTE_MICROS).cast(INSTANT)}
    columns |= {name: text.of(first) for name, text in texts.items()}
    columns |= _summed(_amounts(ledger), groups)
    return Delta(*about, pa.table([columns[name] for name in schema.names], schema=schema), cut=cut)


def _dimensions(ledger: pa.Table, labels: Sequence[str]) -> tuple[dict[str, _Texts], frozenset[str]]:
    """Each row's values, and which labels were cut."""
    texts = {name: _texts(ledger[name]) for name in DIMENSIONS}
    # As the rollups say it: the model that was asked for, and the served one where the event names no other.
    texts["model"] = _or_else(texts["model"], ledger["response_model"])
    cut = set()
    for label in labels:
        name = f"{LABEL}{label}"
        found = _texts(pc.map_lookup(ledger["labels"], label, "first"))
        if len(found.values) > MAX_LABEL_VALUES:
            found = _most_frequent(found)
            cut.add(name)
        texts[name] = found
    return texts, frozenset(cut)


def _texts(column: pa.ChunkedArray) -> _Texts:
    if column.null_count:
        column = pc.fill_null(column.cast(TEXT), "")
    array = (column if pa.types.is_dictionary(column.type) else column.dictionary_encode()).combine_chunks()
    return _Texts(array.indices.to_numpy(), array.dictionary)


def _or_else(texts: _Texts, column: pa.ChunkedArray) -> _Texts:
    """These texts, and where one is empty that of the column."""
    empty = pc.index(texts.values, "").as_py()
    if empty < 0:
        return texts
    other = _texts(column)
    distinct = pa.concat_arrays([texts.values, other.values]).dictionary_encode()
    codes = np.where(texts.codes == empty, other.codes + len(texts.values), texts.codes)
    return _Texts(distinct.indices.to_numpy()[codes], distinct.dictionary)


def _most_frequent(texts: _Texts) -> _Texts:
    """MAX_LABEL_VALUES of them at most; the same ones every time."""
    counts = np.bincount(texts.codes, minlength=len(texts.values))
    kept = np.argsort(-counts, kind="stable")[:MAX_LABEL_VALUES]
    codes = np.full(len(texts.values), MAX_LABEL_VALUES, np.int64)
    codes[kept] = np.arange(MAX_LABEL_VALUES)
    distinct = pa.concat_arrays([texts.values.take(pa.array(kept)), pa.array([""], TEXT)]).dictionary_encode()
    return _Texts(distinct.indices.to_numpy()[codes[texts.codes]], distinct.dictionary)


def _groups(minutes: Ints, texts: Mapping[str, _Texts]) -> Profiles:
    earliest = int(minutes.min())
    columns = [(minutes - earliest, int(minutes.max()) - earliest + 1)]
    return profiles([*columns, *((text.codes, len(text.values)) for text in texts.values())], len(minutes))


def _amounts(ledger: pa.Table) -> dict[Measure, pa.ChunkedArray | pa.Array]:
    """What each row adds to each measure, as measures.MEASURES says it; null adds nothing."""
    events, status = _ints(ledger["events"]), _texts(ledger["status"])
    found: dict[Measure, pa.ChunkedArray | pa.Array] = {"events": pa.array(events)}
    for name, wanted in STATUSES.items():
        found[name] = _where(status.codes == pc.index(status.values, wanted).as_py(), events)
    found["cached"] = _where(pc.fill_null(ledger["cached_response"], False).to_numpy(), events)
    found |= {name: ledger[name] for name in _AS_THEY_ARE}
    for name in _OF_UNPRICED:  # nothing in most blocks, and adding that up costs time
        if not _ints(ledger[name]).any():
            found[name] = pa.nulls(len(events), COUNT)
    cost = ledger["effective_cost"]
    if not events.all():
        cost = pc.if_else(pa.array(events != 0), cost, None)
    found["capped_cost"] = _clipped(cost, CAP_USD)
    cost = signed = _clipped(cost, MAX_SQUARED_USD).cast(_BEFORE_SQUARING)
    if events.min() < 0:
        signed = pc.if_else(pa.array(events < 0), pc.negate(cost), cost)
    found["cost_squares"] = pc.multiply(cost, signed)
    return found | {"cache_write_tokens": _total(ledger, CACHE_WRITES), "tool_calls": _total(ledger, TOOL_COLUMNS)}


def _where(mask: npt.NDArray[np.bool_], events: Ints) -> pa.Array:
    return pa.array(np.where(mask, events, 0)) if mask.any() else pa.nulls(len(events), COUNT)


def _ints(column: pa.ChunkedArray) -> Ints:
    found: Ints = pc.fill_null(column, 0).to_numpy().astype(np.int64)
    return found


def _total(ledger: pa.Table, names: Sequence[str]) -> pa.Array:
    """Of these columns; most of them are empty in most blocks."""
    given = [_ints(ledger[name]) for name in names if ledger[name].null_count < ledger.num_rows]
    return pa.array(np.sum(given, axis=0)) if given else pa.nulls(ledger.num_rows, COUNT)


def _clipped(cost: pa.ChunkedArray, usd: int) -> pa.ChunkedArray:
    """At most so much, either way."""
    least, most = (pa.scalar(Decimal(bound), MONEY) for bound in (-usd, usd))
    return pc.max_element_wise(pc.min_element_wise(cost, most, skip_nulls=False), least, skip_nulls=False)


def _summed(amounts: Mapping[Measure, pa.ChunkedArray | pa.Array], groups: Profiles) -> dict[str, pa.Array]:
    """By group, exact to the last digit."""
    number = len(groups.example)
    empty = {name for name, column in amounts.items() if column.null_count == len(column)}  # most are, in most blocks
    given = [name for name in amounts if name not in empty]
    table = pa.table([pa.array(groups.of_row), *(amounts[name] for name in given)], ["group", *given])
    summed = table.group_by("group", use_threads=False).aggregate([(name, "sum", _NOTHING_IS_ZERO) for name in given])
    found: dict[str, pa.Array] = {name: summed[f"{name}_sum"] for name in given}
    return found | {name: pa.repeat(pa.scalar(0, MEASURES[name].kind), number) for name in empty}

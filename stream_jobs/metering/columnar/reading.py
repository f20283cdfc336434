"""Records of a bundle as columns of token events."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from spendstream_schemas import ATTRIBUTION_FIELDS
from spendstream_schemas.types import EARLIEST_OCCURRED_AT, MAX_STATED_USD, StatedUsd, exact_number
from spendstream_schemas.usage import TOKEN_PARTS
from stream_jobs.facts import given, given_conditions
from stream_jobs.metering.columnar import structs
from stream_jobs.metering.columnar.events import NUMBERS, REPEATED, SINGLE, Meter, TokenEvents
from stream_jobs.metering.columnar.instants import US_PER_S, Characters, characters, microseconds
from stream_jobs.metering.columnar.parts import Column, Maps
from stream_jobs.store.texts import Mask, any_given
from stream_jobs.streams.model import SourceRecord

PART_ROWS: Final = 500
"""Events that are objects at once. So many take a megabyte and a half, which a processor keeps at hand from the
decoding to the columns; of ten times as many, half of the time is waiting for memory."""
_COUNT: Final = pa.int64()
_EARLIEST_US: Final = int(EARLIEST_OCCURRED_AT.timestamp()) * US_PER_S
_METERS: Final = tuple(name for name in structs.USAGE_FIELDS if name != "kind")
_value: Final = attrgetter("value")
_tuple: Final = msgspec.structs.astuple
_stated_usd: Final = TypeAdapter(StatedUsd | None).validate_json
Values = dict[str, tuple[Any, ...]]


def read(records: Sequence[SourceRecord]) -> tuple[list[tuple[TokenEvents, Mask]], list[SourceRecord]]:
    """Token events of the common form, with which of their rows keep what the contract demands beyond single fields,
    and the records that are left. Both these and the other rows are for the contract's models.

    Events that are priced one by one anyway are apart from the others: nobody has to pick them out of columns.
    """
    together, alone = Reading(), Reading()
    rest: list[SourceRecord] = []
    for first in range(0, len(records), PART_ROWS):
        some = records[first : first + PART_ROWS]
        decoded = structs.decode_some(list(map(_value, some)))
        kept: list[tuple[Any, SourceRecord]] = []
        apart: list[tuple[Any, SourceRecord]] = []
        for event, record in zip(decoded, some, strict=True):
            if event is None:
                rest.append(record)
            elif event.usage.input_tokens is None or event.usage.output_tokens is None or event.tool_calls is not None:
                apart.append((event, record))
            else:
                kept.append((event, record))
        decoded.clear()
        for reading, pairs in ((together, kept), (alone, apart)):
            if pairs:
                reading.add(*zip(*pairs, strict=True))
                pairs.clear()  # before the next part is decoded
    return [found for found in (together.columns(), alone.columns()) if found is not None], rest


class Reading:
    """Columns that grow by parts of a bundle, in offset order."""

    def __init__(self) -> None:
        self._records: list[SourceRecord] = []
        self._event_ids: list[str] = []
        self._occurred_at: list[Characters] = []
        self._texts = {name: Column(pa.string()) for name in (*REPEATED, *ATTRIBUTION_FIELDS, *SINGLE)}
        self._numbers = {name: Column(kind) for name, kind in NUMBERS.items()}
        self._meters = {name: Column(_COUNT) for name in _METERS}
        self._labels = Maps()
        self._conditions: list[Any] = []
        self._tool_calls: list[Any] = []
        self._stated: list[msgspec.Raw | None] = []

    def add(self, decoded: Sequence[Any], records: Sequence[SourceRecord]) -> None:
        """Structs (at least one) and their records."""
        event = _fields(decoded, structs.EVENT_FIELDS)
        usage = _fields(event["usage"], structs.USAGE_FIELDS)
        attributions = [given or structs.NO_ATTRIBUTION for given in event["attribution"]]
        tags = _fields(attributions, structs.ATTRIBUTION_NAMES)
        self._records += records
        self._event_ids += event["event_id"]
        self._occurred_at.append(characters(event["occurred_at"]))
        for name, column in self._texts.items():
            column.add(tags[name] if name in tags else event[name])
        for name, column in self._numbers.items():
            column.add(event[name])
        for name, column in self._meters.items():
            column.add(usage[name])
        self._labels.add(tags["labels"])
        self._conditions += event["conditions"]
        self._tool_calls += event["tool_calls"]
        self._stated += event["stated_cost_usd"]

    def columns(self) -> tuple[TokenEvents, Mask] | None:
        """See `read`; None if there are none."""
        if not self._records:
            return None
        occurred_us, good = microseconds(np.concatenate(self._occurred_at))
        good &= occurred_us >= _EARLIEST_US
        meters = {name: _meter(column.array()) for name, column in self._meters.items() if not column.empty}
        good &= _parts_fit(meters, len(good))
        stated = _stated(self._stated, good)
        events = TokenEvents(
            self._records,
            self._event_ids,
            occurred_us,
            {name: self._texts[name].texts() for name in REPEATED},
            {name: self._texts[name].texts() for name in ATTRIBUTION_FIELDS},
            {name: self._texts[name].single_texts() for name in SINGLE},
            {name: column.array() for name, column in self._numbers.items()},
            meters,
            None if self._labels.empty else self._labels.array(),
            list(map(given_conditions, self._conditions)) if any_given(self._conditions) else None,
            list(map(_calls, self._tool_calls)) if any_given(self._tool_calls) else None,
            stated,
        )
        return events, good & _named(events)


def _fields(decoded: Sequence[Any], names: Sequence[str]) -> Values:
    """The values of structs (at least one) by field."""
    return dict(zip(names, zip(*map(_tuple, decoded), strict=True), strict=True))


def _calls(tool_calls: Any) -> dict[str, int] | None:
    return None if tool_calls is None else given(tool_calls, tool_calls.__struct_fields__)


def _stated(values: Sequence[msgspec.Raw | None], good: Mask) -> list[Decimal | None] | None:
    """What the contract makes of the texts; a row that it refuses is no longer `good`."""
    if not any_given(values):
        return None
    read: list[Decimal | None] = []
    for row, value in enumerate(values):
        usd = None
        if value is not None:
            text = bytes(value)
            try:
                usd = _stated_usd(text)
                if usd is not None and not text.startswith(b'"'):
                    exact = exact_number(text.decode())
                    usd = usd if exact is None else exact
                good[row] &= usd is None or usd <= MAX_STATED_USD
            except ValidationError:
                good[row] = False
        read.append(usd)
    return read


def _named(events: TokenEvents) -> Mask:
    """Token usage names the model that was asked for or the one that was served."""
    model = events.repeated["model"].or_else(events.repeated["response_model"])
    return np.array([text != "" for text in model.values])[model.codes]


def _meter(array: pa.Array) -> Meter:
    return Meter(array, (array.fill_null(0) if array.null_count else array).to_numpy())


def _parts_fit(meters: dict[str, Meter], rows: int) -> Mask:
    """The contract's rule for parts and wholes; see spendstream_schemas.usage."""
    good = np.ones(rows, bool)
    for whole_name, part_names in TOKEN_PARTS:
        parts = [meters[name] for name in part_names if name in meters]
        if not parts:
            continue
        whole = meters.get(whole_name)
        total = sum((part.counts for part in parts), np.zeros(rows, np.int64))
        if whole is None or whole.array.null_count:
            given = np.zeros(rows, bool)
            for part in parts:
                given |= _valid(part.array)
            good &= ~given | (np.zeros(rows, bool) if whole is None else _valid(whole.array))
        if whole is not None:
            good &= total <= whole.counts
    return good


def _valid(array: pa.Array) -> Mask:
    return array.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

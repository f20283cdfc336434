"""Postings as ledger entries of kind `adjustment`, in columns.

The receipt of an adjustment: the lines of what it takes back, negated, then the lines of what it books. So the sum of
all receipts of an event is its receipt today, as the sum of its costs is its cost today.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from spendstream_schemas import ATTRIBUTION_FIELDS, DECIMAL_METERS, METERS
from stream_jobs.ledger.columns import LEDGER_COLUMNS
from stream_jobs.ledger.entries import LINE_COLUMNS, Entries
from stream_jobs.pricing.result import PriceLine
from stream_jobs.repricing.corrections import COSTS, OTHERS, Posting
from stream_jobs.store.decimals import decimals_of, units
from stream_jobs.store.tables import TOOL_COLUMNS

PICO: Final = 12
UNIT_PRICE: Final = 18
_LINES: Final = {name: LEDGER_COLUMNS.field(name).type.value_type for name in LINE_COLUMNS}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all adjustments of a chunk say of themselves."""

    run: str
    booked_at: datetime
    reason_text: str


def adjustments(entries: Entries, postings: Sequence[Posting], stamp: Stamp) -> pa.Table:
    """Rows of the ledger with all of LEDGER_COLUMNS. Raises OverflowError for an amount that the ledger cannot hold."""
    made = _Made(entries, postings, stamp)
    columns = {name: values for make in _MAKERS for name, values in make(made).items()}
    rest = [name for name in LEDGER_COLUMNS.names if name not in columns]
    taken = entries.table.select(rest).take(pa.array(made.sources, pa.int64()))
    return pa.table(
        [columns[name] if name in columns else taken.column(name) for name in LEDGER_COLUMNS.names],
        schema=LEDGER_COLUMNS,
    )


class _Made:
    """What the makers of columns share."""

    def __init__(self, entries: Entries, postings: Sequence[Posting], stamp: Stamp) -> None:
        self.entries, self.postings, self.stamp = entries, postings, stamp
        self.sources = [posting.source for posting in postings]

    def column(self, name: str, value: Callable[[Posting], Any]) -> pa.Array:
        """One value per posting; _SAME stands for the source's."""
        own = None
        values = []
        for posting in self.postings:
            given = value(posting)
            if given is _SAME:
                own = self.entries.values(name) if own is None else own
                given = own[posting.source]
            values.append(given)
        return pa.array(values, LEDGER_COLUMNS.field(name).type)


_SAME: Final = object()


def _constants(made: _Made) -> dict[str, Any]:
    given = {"entry_kind": "adjustment", "booked_at": made.stamp.booked_at, "reason_text": made.stamp.reason_text,
             "adjustment_run": made.stamp.run}  # fmt: skip
    count = len(made.postings)
    return {name: pa.repeat(pa.scalar(value, LEDGER_COLUMNS.field(name).type), count) for name, value in given.items()}


def _signs(made: _Made) -> dict[str, Any]:
    return {
        "events": pa.array([posting.events for posting in made.postings], pa.int8()),
        "unpriced": pa.array([posting.unpriced for posting in made.postings], pa.int8()),
    }


def _money(made: _Made) -> dict[str, Any]:
    columns = {
        name: decimals_of([posting.costs[n] for posting in made.postings], LEDGER_COLUMNS.field(name).type)
        for n, name in enumerate(COSTS)
    }
    for n, name in enumerate(OTHERS):
        amounts = [posting.others[n] for posting in made.postings]
        columns[name] = decimals_of(amounts, LEDGER_COLUMNS.field(name).type)
    return columns


def _held(made: _Made) -> dict[str, Any]:
    """NULL where nothing is held before or after: most often."""
    amounts = [posting.held.pico or None for posting in made.postings]
    return {
        "held_cost": decimals_of(amounts, LEDGER_COLUMNS.field("held_cost").type),
        "held_flat": pa.array([posting.held.flat for posting in made.postings], pa.int8()),
    }


def _meters(made: _Made) -> dict[str, Any]:
    factors = [posting.meters for posting in made.postings]
    count = len(factors)
    columns: dict[str, Any] = {}
    for name in (*METERS, *TOOL_COLUMNS):
        kind = LEDGER_COLUMNS.field(name).type
        if not any(factors) or made.entries.is_empty(name):
            columns[name] = pa.nulls(count, kind)
            continue
        own = made.entries.values(name)
        values = [
            None if not factor or own[posting.source] is None else factor * own[posting.source]
            for factor, posting in zip(factors, made.postings, strict=True)
        ]
        columns[name] = decimals_of(values, kind) if name in DECIMAL_METERS else pa.array(values, kind)
    return columns


def _stated(made: _Made) -> dict[str, Any]:
    """Signed like a meter. Where only the cost is corrected it is 0, not NULL: the entry is of an event that states a
    cost, and its own is compared with that."""
    kind = LEDGER_COLUMNS.field("stated_cost").type
    if made.entries.is_empty("stated_cost"):
        return {"stated_cost": pa.nulls(len(made.postings), kind)}
    own = made.entries.values("stated_cost")
    amounts = [None if own[p.source] is None else p.meters * own[p.source] for p in made.postings]
    return {"stated_cost": decimals_of(amounts, kind)}


def _price(made: _Made) -> dict[str, Any]:
    def of(name: str) -> Callable[[Posting], Any]:
        def value(posting: Posting) -> Any:
            pricing = posting.target.pricing
            if pricing is None:
                return _SAME
            if name == "unpriced_reason" and pricing.reason is None:
                return ""
            given = pricing.detail if name == "unpriced_detail" else getattr(pricing, name, None)
            return pricing.reason.value if name == "unpriced_reason" and pricing.reason else given

        return value

    def version(posting: Posting) -> Any:
        if posting.target.pricing is not None:
            return posting.target.pricing.price_book_version
        if not posting.plus:
            return _SAME
        # What moves keeps its costs: they are of the book that priced it last.
        booked_at, versions = made.entries.values("booked_at"), made.entries.values("price_book_version")
        return versions[max(posting.plus, key=lambda row: booked_at[row])]

    columns = {name: made.column(name, of(name)) for name in ("price_model", "unpriced_reason", "unpriced_detail")}
    return columns | {"price_book_version": made.column("price_book_version", version)}


def _owner(made: _Made) -> dict[str, Any]:
    if not any(posting.target.owner for posting in made.postings):
        return {}

    def tag(name: str) -> Callable[[Posting], Any]:
        return lambda p: getattr(p.target.owner.attributed, name) if p.target.owner else _SAME

    columns = {
        name: made.column(name, tag(name)) for name in (*ATTRIBUTION_FIELDS, "category", "subcategory", "unallocated")
    }
    columns["attribution_version"] = made.column(
        "attribution_version", lambda p: p.target.owner.version if p.target.owner else _SAME
    )
    columns["reported_tags"] = made.column(
        "reported_tags", lambda p: p.target.owner.reported if p.target.owner else _SAME
    )
    return columns


def _receipts(made: _Made) -> dict[str, Any]:
    offsets = [0]
    flat: tuple[list[Any], ...] = tuple([] for _ in LINE_COLUMNS)
    sku, meter, quantity, list_unit, unit, listed, cost, effective = flat
    prices: dict[Decimal, int] = {}
    entries = made.entries
    for posting in made.postings:
        for rows, sign in ((posting.less, -1), (posting.plus, 1)):
            for line in entries.net_lines(list(rows)) if rows else ():
                sku.append(line.sku)
                meter.append(line.meter)
                quantity.append(sign * line.quantity)
                list_unit.append(line.list_unit_price)
                unit.append(line.unit_price)
                listed.append(sign * line.list_cost)
                cost.append(sign * line.cost)
                effective.append(sign * line.effective_cost)
        for new in posting.target.pricing.lines if posting.target.pricing else ():
            sku.append(new.sku)
            meter.append(new.meter)
            quantity.append(units(new.quantity, PICO))
            list_unit.append(_unit_price(new.list_unit_price, prices))
            unit.append(_unit_price(new.unit_price, prices))
            _costs(new, listed, cost, effective)
        offsets.append(len(sku))
    where = pa.array(offsets, pa.int32())
    columns: dict[str, Any] = {}
    for (name, kind), values in zip(_LINES.items(), flat, strict=True):
        items = decimals_of(values, kind) if pa.types.is_decimal(kind) else pa.array(values, kind)
        columns[name] = pa.ListArray.from_arrays(where, items, type=LEDGER_COLUMNS.field(name).type)
    return columns


def _costs(line: PriceLine, listed: list[int], cost: list[int], effective: list[int]) -> None:
    listed.append(line.list_cost)
    cost.append(line.contracted_cost)
    effective.append(line.effective_cost)


def _unit_price(usd: Decimal, known: dict[Decimal, int]) -> int:
    """As the ledger shows it: prices per hour, told per second, do not end."""
    found = known.get(usd)
    if found is None:
        found = known[usd] = units(usd, UNIT_PRICE)
    return found


_MAKERS: Final = (_constants, _signs, _money, _held, _meters, _stated, _price, _owner, _receipts)

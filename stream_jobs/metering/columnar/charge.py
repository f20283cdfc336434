"""The common case of a bundle as ledger rows, and what is left for the one-event path."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.base.instants import unix_micros
from stream_jobs.metering.columnar.attribute import attribute
from stream_jobs.metering.columnar.events import TokenEvents
from stream_jobs.metering.columnar.price import is_plain, price
from stream_jobs.metering.columnar.rates import RateBook
from stream_jobs.metering.columnar.reading import read
from stream_jobs.metering.columnar.table import charge_table
from stream_jobs.metering.decode import DecodedEvent
from stream_jobs.streams.model import Block, SourceRecord


@runtime_checkable
class ColumnarBook(RateBook, Protocol):
    """A price book that can be asked once for many events."""

    @property
    def version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Charged:
    """Ledger rows of events, and how many of them are unpriced."""

    table: pa.Table
    unpriced: int


def decode_bundle(
    records: list[SourceRecord], now: datetime, future_tolerance: timedelta
) -> tuple[list[TokenEvents], list[SourceRecord]]:
    """The valid token events of the common form, and the records left for the models."""
    found, rest = read(records)
    latest_us = unix_micros(now + future_tolerance)
    together: list[TokenEvents] = []
    for events, keep_to_it in found:
        good = keep_to_it & (events.occurred_us <= latest_us)
        rest += [events.records[row] for row in np.flatnonzero(~good)]
        if good.any():
            together.append(events.take(np.flatnonzero(good)))
    rest.sort(key=lambda record: record.offset)
    return together, rest


def charge(
    events: TokenEvents, block: Block, book: ColumnarBook, rules: AttributionRules
) -> tuple[Charged | None, list[DecodedEvent]]:
    """Price and attribute. What is left goes the one-event path; which ones they are depends on the event alone."""
    rows = np.flatnonzero(is_plain(events))
    if len(rows) == 0:
        return None, events.one_by_one()
    plain = events.take(rows)
    attribution = attribute(plain, rules)
    prices, priced = price(plain, attribution, book)
    table = charge_table(plain.take(priced), attribution.take(priced), prices, block, book.version, rules.version)
    left = np.setdiff1d(np.arange(len(events)), rows[priced], assume_unique=True)
    return Charged(table, int((~prices.known).sum())), events.take(left).one_by_one() if len(left) else []

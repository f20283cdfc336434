"""Pricing of a bundle: a matrix of tokens times a matrix of whole pico-USD per token.

It covers what `count_plain` covers: text tokens at whole rates that are list, contracted and effective price at once.
Beside that, events that have no price at all and answers from the service's own cache.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from stream_jobs.metering.columnar.attribute import Attribution
from stream_jobs.metering.columnar.events import TokenEvents
from stream_jobs.metering.columnar.rates import RateBook, Rates, find_rates
from stream_jobs.pricing.compiled import Compiled
from stream_jobs.pricing.rates import Missing
from stream_jobs.pricing.tokens import INPUT_PARTS, PLAIN
from stream_jobs.store.texts import Codes, Mask, Texts

LINE_METERS: Final = ("input_tokens", *INPUT_PARTS, "output_tokens")
"""The meters of a receipt's lines, in their order on it."""
_NO_RATE: Final = -1
_LIMIT: Final = 2**62
_Matrix = npt.NDArray[np.int64]


@dataclass(slots=True)
class Lines:
    """The receipts of all rows, one after the other: those of row i are `starts[i]` to `starts[i + 1]`."""

    starts: Codes
    sku: Codes  # into `skus`
    meter: Codes  # into LINE_METERS
    quantity: Codes
    cost: Codes  # pico-USD
    skus: list[str]
    list_unit_prices: list[Decimal]
    unit_prices: list[Decimal]


@dataclass(slots=True)
class Prices:
    """What the events cost, in pico-USD: list, contracted and effective cost are the same. NULL where not `known`."""

    cost: Codes
    known: Mask
    avoided: Codes
    price_model: Texts
    reason: Texts
    detail: Texts
    lines: Lines
    cache: dict[str, tuple[Codes, Mask]]  # cache_saving and cache_premium, and where there is any; empty: nowhere


def price(events: TokenEvents, attribution: Attribution, book: RateBook) -> tuple[Prices, Codes]:
    """Prices and the rows that they are for, ascending; the others are for `PriceBook.price`. All events are plain."""
    rates = find_rates(events, attribution, book)
    tokens, table = _tokens(events), _table(rates.answers)
    per_token = table[rates.of_row]
    has_price = np.array([isinstance(answer, Compiled) for answer in rates.answers])[rates.of_row]
    by_request = np.array([getattr(answer, "request", None) is not None for answer in rates.answers])[rates.of_row]
    cached_tokens = tokens[:, 1:-1].sum(axis=1)
    countable = ~by_request & ~((tokens > 0) & (per_token == _NO_RATE)).any(axis=1)
    countable &= (tokens.astype(np.float64) * per_token).sum(axis=1) < _LIMIT
    # What a cache saves is compared with the price of input, which must be as plain.
    whole = per_token[:, 0]
    countable &= (cached_tokens == 0) | ((whole != _NO_RATE) & (cached_tokens.astype(np.float64) * whole < _LIMIT))
    # What is held for an event without a price depends on the event, unless nobody knows its model.
    no_bound = np.array([not known for known in rates.known])[rates.of_row] | _is_cached(events)
    good = np.flatnonzero(np.where(has_price, countable, no_bound) & ~_priced_as_stated(events, has_price))
    rates = rates._replace(of_row=rates.of_row[good])
    return _prices(events.take(good), tokens[good], rates, table), good


def _priced_as_stated(events: TokenEvents, has_price: Mask) -> Mask:
    """Events without a price in the book whose provider says what they cost."""
    if events.stated is None:
        return np.zeros(len(events), bool)
    cached = _is_cached(events)
    stated: Mask = np.array([cost is not None for cost in events.stated], bool)
    return stated & ~has_price & ~cached


def _is_cached(events: TokenEvents) -> Mask:
    cached: Mask = events.numbers["cached_response"].to_numpy(zero_copy_only=False)
    return cached


def is_plain(events: TokenEvents) -> Mask:
    """Both directions reported, nothing but text, no tool calls."""
    plain = np.ones(len(events), bool)
    if events.tool_calls is not None:
        plain &= np.array([calls is None for calls in events.tool_calls], bool)
    for name in ("input_tokens", "output_tokens"):
        meter = events.meters.get(name)
        if meter is None:
            return np.zeros(len(events), bool)
        plain &= meter.array.is_valid().to_numpy(zero_copy_only=False)
    for name, meter in events.meters.items():
        if name not in PLAIN:
            plain &= meter.array.is_null().to_numpy(zero_copy_only=False)
    return plain


def _tokens(events: TokenEvents) -> _Matrix:
    """Tokens by row and LINE_METERS: every token once, in the part that it is billed as."""
    tokens = np.zeros((len(events), len(LINE_METERS)), np.int64)
    for column, name in enumerate(LINE_METERS):
        if (meter := events.meters.get(name)) is not None:
            tokens[:, column] = meter.counts
    tokens[:, 0] -= tokens[:, 1:-1].sum(axis=1)
    return tokens


def _table(answers: list[Compiled | Missing]) -> _Matrix:
    """Pico-USD per token by answer and LINE_METERS."""
    table = np.full((len(answers), len(LINE_METERS)), _NO_RATE, np.int64)
    for row, answer in enumerate(answers):
        if isinstance(answer, Compiled):
            for column, name in enumerate(LINE_METERS):
                rate = answer.plain[name]
                if rate is not None and rate[3] < _LIMIT:
                    table[row, column] = rate[3]
    return table


def _prices(events: TokenEvents, tokens: _Matrix, rates: Rates, table: _Matrix) -> Prices:
    is_priced = np.array([isinstance(answer, Compiled) for answer in rates.answers], bool)
    has_price = is_priced[rates.of_row]
    cached = _is_cached(events)
    costs = np.where(has_price[:, None] & (tokens > 0), tokens * table[rates.of_row], 0)
    totals = costs.sum(axis=1)
    missing = [None if isinstance(answer, Compiled) else answer for answer in rates.answers]
    # What the service's own cache answered costs nothing whatever it would have cost.
    reasons = [*("" if why is None else why.reason.value for why in missing), ""]
    details = [*("" if why is None else why.detail for why in missing), ""]
    why_code = np.where(cached, len(missing), rates.of_row)
    return Prices(
        cost=np.where(cached, 0, totals),
        known=has_price | cached,
        avoided=np.where(cached, totals, 0),
        price_model=Texts(
            rates.of_row, [answer.where if isinstance(answer, Compiled) else "" for answer in rates.answers]
        ),
        reason=Texts(why_code, reasons),
        detail=Texts(why_code, details),
        lines=_lines(tokens, costs, has_price & ~cached, rates),
        cache=_cache(tokens, table[rates.of_row], has_price & ~cached),
    )


def _cache(tokens: _Matrix, per_token: _Matrix, billed: Mask) -> dict[str, tuple[Codes, Mask]]:
    """See `cache_amounts` in stream_jobs/pricing/comparisons.py."""
    parts = tokens[:, 1:-1]
    if not parts.any():
        return {}
    # Where there are no tokens, and only there, a rate may be missing.
    more = np.where((parts > 0) & billed[:, None], parts * (per_token[:, :1] - per_token[:, 1:-1]), 0)
    return {
        "cache_saving": (more[:, 0], billed & (parts[:, 0] > 0)),
        "cache_premium": (-more[:, 1:].sum(axis=1), billed & (parts[:, 1:] > 0).any(axis=1)),
    }


def _lines(tokens: _Matrix, costs: _Matrix, billed: Mask, rates: Rates) -> Lines:
    is_line = (tokens > 0) & billed[:, None]
    row, meter = np.nonzero(is_line)
    plain = [
        answer.plain[name] if isinstance(answer, Compiled) else None for answer in rates.answers for name in LINE_METERS
    ]
    return Lines(
        starts=np.concatenate(([0], np.cumsum(is_line.sum(axis=1)))),
        sku=rates.of_row[row] * len(LINE_METERS) + meter,
        meter=meter,
        quantity=tokens[is_line],
        cost=costs[is_line],
        skus=["" if rate is None else rate[0] for rate in plain],
        list_unit_prices=[Decimal(0) if rate is None else rate[1] for rate in plain],
        unit_prices=[Decimal(0) if rate is None else rate[2] for rate in plain],
    )

"""One price table made ready for counting: exact integer rates per meter, for one range of context lengths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

from spendstream_schemas import UnpricedReason
from stream_jobs.base.money import PICO_PER_USD, divide_half_even
from stream_jobs.pricing.rates import Missing, PriceTable, Tiered, pico_per_unit
from stream_jobs.pricing.result import PriceLine
from stream_jobs.pricing.units import FLAT_METERS, PER, REQUESTS_KEY, TOOL_KEYS

_UNIT_PRICE: Final = Context(prec=28)
_new: Final = tuple.__new__


@dataclass(frozen=True, slots=True)
class Terms:
    """What one SKU costs us: pico-USD per unit of its meter."""

    listed: Fraction
    contracted: Fraction
    effective: Fraction


@dataclass(frozen=True, slots=True)
class Rate:
    """One SKU, ready to be multiplied. `whole`: pico-USD per unit if that is whole and the same for all three costs."""

    sku: str
    list_unit_price: Decimal
    unit_price: Decimal
    terms: Terms
    whole: int | None

    def line(self, meter: str, quantity: int | Decimal) -> PriceLine:
        """The quantity at this rate, each cost rounded half to even once."""
        if self.whole is not None and quantity.__class__ is int:
            cost = quantity * self.whole
            # The fast path of the whole engine: a named tuple's own constructor would double its time.
            line = (self.sku, meter, quantity, self.list_unit_price, self.unit_price, cost, cost, cost)
            return _new(PriceLine, line)
        terms = self.terms
        listed = cost_of(terms.listed, quantity)
        contracted = listed if terms.contracted is terms.listed else cost_of(terms.contracted, quantity)
        effective = contracted if terms.effective is terms.contracted else cost_of(terms.effective, quantity)
        return PriceLine(
            self.sku, meter, quantity, self.list_unit_price, self.unit_price, listed, contracted, effective
        )


def cost_of(rate: Fraction, quantity: int | Decimal) -> int:
    """The quantity at that many pico-USD per unit, rounded half to even once."""
    if isinstance(quantity, int):
        return divide_half_even(rate.numerator * quantity, rate.denominator)
    exact = rate * Fraction(quantity)
    return divide_half_even(exact.numerator, exact.denominator)


def make_rate(sku: str, terms: Terms) -> Rate:
    same = terms.listed == terms.contracted == terms.effective
    if same:
        terms = Terms(terms.listed, terms.listed, terms.listed)
    whole = terms.listed.numerator if same and terms.listed.denominator == 1 else None
    return Rate(sku, usd_per_unit(terms.listed), usd_per_unit(terms.contracted), terms, whole)


def usd_per_unit(pico: Fraction) -> Decimal:
    """USD per unit for people: exact up to 28 digits (an hourly price per second may not end)."""
    return _UNIT_PRICE.divide(Decimal(pico.numerator), Decimal(pico.denominator * PICO_PER_USD))


def _differ(rate: Rate | Missing, other: Rate | Missing | None) -> bool:
    return isinstance(rate, Rate) and isinstance(other, Rate) and rate.terms != other.terms


def _plain(rate: Rate | Missing) -> tuple[str, Decimal, Decimal, int] | None:
    if isinstance(rate, Missing) or rate.whole is None:
        return None
    return rate.sku, rate.list_unit_price, rate.unit_price, rate.whole


SkuOf = Callable[[str, int], str]
"""(price key, context cliff that was passed or 0) -> SKU id."""
TermsOf = Callable[[str, str, Fraction], Terms]
"""(SKU id, price key, list price in pico-USD per unit) -> what it costs us."""


class Compiled:
    """All rates of one table for requests with a given number of input tokens.

    `text` holds the rate of every token part of plain text; `cell` finds those of other modalities on demand. `plain`
    is `text` for the common case: (SKU, list unit price, unit price, pico-USD per token), None where it is not common.
    """

    __slots__ = (
        "_as_text",
        "_cells",
        "_rates",
        "_write_ttl",
        "adds",
        "adds_per_request",
        "flats",
        "minimums",
        "plain",
        "pool",
        "request",
        "splits_kinds",
        "splits_output",
        "text",
        "tools",
        "where",
    )

    def __init__(
        self,
        table: PriceTable,
        input_tokens: int,
        *,
        sku_of: SkuOf,
        terms_of: TermsOf,
        where: str,
        minimums: Mapping[str, Decimal] | None = None,
        as_text: frozenset[str] = frozenset(),
        writes: frozenset[str] = frozenset(),
        write_ttl: str = "5m",
        adds: str = "",
        adds_per_request: int | None = None,
        pool: str = "",
    ) -> None:
        self.where = where
        self.pool = pool  # whose GPUs pay for it: the model is one's own
        self.adds = adds  # a tool whose calls must be reported, 0 too
        self.adds_per_request = adds_per_request
        self.minimums = minimums or {}
        self._as_text = as_text
        self._write_ttl = write_ttl
        self._rates: dict[str, Rate | Missing] = {}
        for key, price in table.items():
            if isinstance(price, Missing):
                self._rates[key] = price
                continue
            cliff = 0
            if isinstance(price, Tiered):
                cliff = max((start for start, _ in price.tiers if input_tokens > start), default=0)
            usd = price.at(input_tokens) if isinstance(price, Tiered) else price
            if usd is None:
                detail = f"{where} has no price {key} above {cliff} input tokens there"
                self._rates[key] = Missing(UnpricedReason.NO_PRICE_FOR_CONDITION, detail)
                continue
            sku = sku_of(key, cliff)
            self._rates[key] = make_rate(sku, terms_of(sku, key, pico_per_unit(key, usd)))
        self._cells: dict[tuple[str, str], Rate | Missing] = {}
        self.text: dict[str, Rate | Missing] = {part: self._text_rate(part) for part in TEXT_PARTS}
        plain = self.text["output_tokens"]
        self.splits_output = any(self.text[part] is not plain for part in _OUTPUT_PARTS)
        self.plain = {part: _plain(rate) for part, rate in self.text.items()}
        if self.splits_output:
            self.plain["output_tokens"] = None
        # Text and images (sounds, videos) at different prices: how much of the output is not text must be said.
        self.splits_kinds = tuple(
            kind
            for kind in ("audio", "image", "video")
            if kind in writes or _differ(plain, self._rates.get(f"output_{kind}_mtok"))
        )
        if self.splits_kinds:
            self.plain["output_tokens"] = None
        self.flats: dict[str, Rate | Missing] = {m: self._first(keys, m) for m, keys in FLAT_METERS.items()}
        self.tools: dict[str, Rate | Missing] = {kind: self._tool(kind, key) for kind, key in TOOL_KEYS.items()}
        self.request: Rate | Missing | None = self._rates.get(REQUESTS_KEY)
        if adds:
            self.plain = dict.fromkeys(self.plain)  # the common case does not look at tools

    @property
    def kinds(self) -> tuple[str, ...]:
        """The modalities beside text that have a price of their own or are billed as text."""
        names = [*(key for key, rate in self._rates.items() if isinstance(rate, Rate)), *self._as_text]
        return tuple(kind for kind in ("audio", "image", "video") if any(f"_{kind}_" in name for name in names))

    def cell(self, part: str, modality: str) -> Rate | Missing:
        """The rate of the tokens of `part` that are `modality` (text, audio, image, video)."""
        if modality == "text":
            return self.text[part]
        found = self._cells.get((part, modality))
        if found is None:
            found = self._cells[(part, modality)] = self._modal_rate(part, modality)
        return found

    def _text_rate(self, part: str) -> Rate | Missing:
        """A part without a price of its own costs what its whole costs, as in the base data; but not other TTLs."""
        if part.startswith("cache_write") and not self._lifetime_is_sold(part):
            return self._first((f"{part.removesuffix('_tokens')}_mtok",), part)
        return self._first(TEXT_KEYS[part], part)

    def _lifetime_is_sold(self, part: str) -> bool:
        """True if the plain write price (or, without one, the input price) is also the price of this lifetime."""
        ttl = part.removeprefix("cache_write_").removesuffix("_tokens")
        return ttl in ("tokens", self._write_ttl)

    def _modal_rate(self, part: str, modality: str) -> Rate | Missing:
        direction = "output" if part in _OUTPUT_PARTS else "input"
        own_key = f"{direction}_{modality}_mtok"
        meter = f"{direction}_{modality}_tokens"
        joint_key = _JOINT_KEYS.get(part, "").format(modality=modality)
        if joint_key in self._rates:
            return self._rates[joint_key]
        if own_key not in self._rates:
            return self.text[part] if meter in self._as_text else self._missing(meter)
        if part in _WHOLES or not any(key in self._rates for key in TEXT_KEYS[part][:-1] if key not in _WHOLE_KEYS):
            return self._rates[own_key]
        return self._missing(f"{part} of {modality}")

    def _first(self, keys: tuple[str, ...], meter: str) -> Rate | Missing:
        for key in keys:
            if (rate := self._rates.get(key)) is not None:
                return rate
        return self._missing(meter)

    def _tool(self, kind: str, key: str) -> Rate | Missing:
        rate = self._rates.get(key)
        if rate is None or (isinstance(rate, Missing) and rate.reason is UnpricedReason.NO_PRICE_FOR_METER):
            return Missing(UnpricedReason.NO_PRICE_FOR_TOOL, f"{self.where} has no price for {kind} calls")
        return rate

    def _missing(self, meter: str) -> Missing:
        return Missing(UnpricedReason.NO_PRICE_FOR_METER, f"{self.where} has no price for {meter}")


_WHOLE_KEYS: Final = frozenset({"input_text_mtok", "input_mtok", "output_text_mtok", "output_mtok"})
_INPUT: Final = ("input_text_mtok", "input_mtok")
_OUTPUT: Final = ("output_text_mtok", "output_mtok")
_WRITE: Final = ("cache_text_write_mtok", "cache_write_mtok", *_INPUT)
TEXT_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": _INPUT,
    "cache_read_tokens": ("cache_text_read_mtok", "cache_read_mtok", *_INPUT),
    "cache_write_tokens": _WRITE,
    "cache_write_5m_tokens": ("cache_write_5m_mtok", *_WRITE),
    "cache_write_30m_tokens": ("cache_write_30m_mtok", *_WRITE),
    "cache_write_1h_tokens": ("cache_write_1h_mtok", *_WRITE),
    "cache_write_12h_tokens": ("cache_write_12h_mtok", *_WRITE),
    "output_tokens": _OUTPUT,
    "reasoning_tokens": ("output_reasoning_mtok", *_OUTPUT),
    "citation_tokens": ("output_citation_mtok", *_OUTPUT),
}
"""Part of the tokens -> price keys, most specific first: a part falls to its whole, as in the base data."""
TEXT_PARTS: Final = tuple(TEXT_KEYS)
_WHOLES: Final = frozenset({"input_tokens", "output_tokens"})
_OUTPUT_PARTS: Final = frozenset({"output_tokens", "reasoning_tokens", "citation_tokens"})
_JOINT_KEYS: Final[Mapping[str, str]] = {
    "cache_read_tokens": "cache_{modality}_read_mtok",
    "cache_write_tokens": "cache_{modality}_write_mtok",
    "cache_write_5m_tokens": "cache_{modality}_write_mtok",
}
assert set().union(*TEXT_KEYS.values()) <= PER.keys()

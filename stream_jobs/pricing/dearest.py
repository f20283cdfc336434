"""The most that an event without a price can cost, as far as the book knows its model: its own usage at the dearest
rates. Plain functions of the event and the book, so that a block that is redone holds what it held.

Dearest under what the event names: the tiers are looked at where it names a tier that has no price, the regions where
it names a region, and so on; the prices are those of its instant, or of any time where none held then. Every token is
counted once, in the part that costs most. Amounts are pico-USD, rounded up.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property, partial
from math import ceil
from typing import Any, Final, TypeVar

from spendstream_schemas import UnpricedReason
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import Facts
from stream_jobs.pricing import schedule
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.compiled import TEXT_KEYS
from stream_jobs.pricing.corrections import Dated
from stream_jobs.pricing.engine import Engine
from stream_jobs.pricing.hold import Hold
from stream_jobs.pricing.possible import PossibleRates, most, possible_rates
from stream_jobs.pricing.rate_cards import Hourly
from stream_jobs.pricing.rates import Missing, PriceTable
from stream_jobs.pricing.resources import Resources
from stream_jobs.pricing.tokens import INPUT_PARTS, MODALITIES, OUTPUT_PARTS
from stream_jobs.pricing.units import FLAT_METERS, PER, REQUESTS_KEY, TOKEN_KEYS, TOOL_KEYS

MAX_CACHED: Final = 2_000
"""Combinations of models and conditions whose rates are kept: names come from outside."""
ASSUMED_CALLS: Final = 10
"""Of a tool that the model switches on by itself, where nobody says how often it was called."""
_OF_SIDE: Final = {
    side: tuple(sorted(key for key in TOKEN_KEYS if key.startswith(side))) for side in ("input", "output")
}
_CACHE_WRITES: Final = tuple(sorted(key for key in TOKEN_KEYS if key.startswith("cache_write")))
_TOKENS: Final = tuple(sorted(TOKEN_KEYS))
Keys = tuple[str, ...]
"""Names of prices."""
OwnedTable = tuple[str, PriceTable]
"""A provider's id, and prices of it."""
D = TypeVar("D", bound=Dated)


@dataclass(slots=True)
class _Count:
    """Adds up what one token event may cost."""

    usage: Mapping[str, Any]
    best: Callable[[Keys], Fraction | None]  # the dearest rate of some price keys, pico-USD per unit
    elsewhere: Callable[[str], Fraction | None]  # what other models cost
    total: Fraction = Fraction(0)
    all_known: bool = True

    def any_token(self, keys: Keys) -> Fraction:
        """The dearest of these, or where the model has no price of them, of all its prices per token."""
        found = self.best(keys)
        return found if found is not None else self.best(_TOKENS) or Fraction(0)

    def per_token(self, side: str) -> Fraction:
        """Of plain text."""
        return self.any_token(TEXT_KEYS[f"{side}_tokens"])

    def side(self, side: str, parts: Sequence[str], *, unclear: bool) -> None:
        """Input or output tokens. Parts that overlap are counted in both: it is a bound."""
        of_side = _OF_SIDE[side]
        rest = self.usage.get(f"{side}_tokens") or 0
        for part in parts:
            if n := self.usage.get(part):
                own = TEXT_KEYS[part]
                rate = self.best(own[:1])
                if rate is None:  # a lifetime of caches that is not sold costs what another does, or more
                    rate = self.any_token((*own, *_CACHE_WRITES) if part.startswith("cache_write") else own)
                self.total += n * rate
                rest -= n
        for kind in MODALITIES:
            if n := self.usage.get(f"{side}_{kind}_tokens"):
                rate = self.best((key := f"{side}_{kind}_mtok",))
                if rate is None:
                    rate = max(self.elsewhere(key) or Fraction(0), self.any_token(of_side))
                self.total += n * rate
                rest -= n
        if rest > 0:
            self.total += rest * (self.any_token(of_side) if unclear else self.per_token(side))

    def flats(self) -> None:
        """What is not counted in tokens."""
        for meter, keys in FLAT_METERS.items():
            if n := self.usage.get(meter):
                if meter == "output_images" and self.best(keys) is None and self.usage.get("output_tokens"):
                    continue  # billed as tokens
                self._add(n, keys)

    def tools(self, calls: Mapping[str, int]) -> None:
        for kind, n in calls.items():
            if n:
                self._add(n, (TOOL_KEYS[kind],) if kind in TOOL_KEYS else ())

    def _add(self, quantity: Any, keys: Keys) -> None:
        rate = self.best(keys)
        if rate is None:
            rate = max((price for key in keys if (price := self.elsewhere(key)) is not None), default=None)
        if rate is None:
            self.all_known = False
        else:
            self.total += Fraction(quantity) * rate


def _calls(identity: Identity, facts: Facts) -> Mapping[str, int]:
    if not identity.adds or identity.adds in facts.tool_calls:
        return facts.tool_calls
    return {**facts.tool_calls, identity.adds: identity.adds_per_request or ASSUMED_CALLS}


@dataclass
class _Model:
    """One model under conditions of some kinds, at instants at which its prices are the same."""

    identity: Identity
    rates: PossibleRates
    lengths: tuple[int, ...]  # above which requests cost something else
    terms: Callable[[str, Fraction], Fraction]  # (price key, pico-USD) -> the dearest that we may pay for it
    made: dict[tuple[Keys, int], Fraction | None] = field(default_factory=dict)

    def best(self, keys: Keys, input_tokens: int) -> Fraction | None:
        """The dearest of some prices, pico-USD per unit; None if the model has none of them."""
        which = keys, bisect_left(self.lengths, input_tokens)
        if which not in self.made:
            found = [(key, usd) for key in keys if (usd := self.rates.usd(key, input_tokens)) is not None]
            rates = [self.terms(key, usd * PICO_PER_USD / PER[key]) for key, usd in found]
            self.made[which] = max(rates, default=None)
        return self.made[which]

    @cached_property
    def is_free(self) -> bool:
        return all(not any(most(price) for price in prices) for prices in self.rates.prices.values())


class Dearest:
    """Of one price book."""

    def __init__(self, engine: Engine, resources: Resources, tables: Callable[[], Iterable[OwnedTable]]) -> None:
        """`tables`: every table of prices in the book and whose it is; asked when a kind of token or tool is looked for
        that the model has no price of."""
        self._engine = engine
        self._resources = resources
        self._tables = tables
        self._anywhere: dict[tuple[str, str], Fraction] | None = None
        self._marks: dict[tuple[object, ...], tuple[list[datetime], list[int]]] = {}
        self._models: dict[tuple[object, ...], _Model | None] = {}

    def hold(self, facts: Facts, reason: UnpricedReason, unknown_fields: Sequence[str] = ()) -> Hold | None:
        """What an event without a price is held at; None if the book knows no model, device or SKU that it is of."""
        if facts.kind == "tokens":
            return self._of_tokens(facts, reason, unknown_fields)
        if facts.kind == "metered":
            return self._of_metered(facts)
        return self._of_compute(facts)

    def knows(self, facts: Facts) -> bool:
        """Whether a token event's model has any price at all."""
        return self._model(facts, any_kind=False) is not None

    # -- tokens

    def _model(self, facts: Facts, *, any_kind: bool) -> _Model | None:
        identity = self._engine.identity(facts)
        if identity is None:
            return None
        named = self._engine.named_conditions(facts) | ({"fine_tuned"} if identity.fine_tuned else set())
        kinds = None if any_kind else frozenset(named)
        sold = identity.provider, identity.model, identity.own, identity.fine_tuned, identity.inherited, identity.adds
        key = (*sold, kinds, self._engine.scope_key(facts), self._period(sold, identity, facts.occurred_at))
        if key not in self._models:
            if len(self._models) >= MAX_CACHED:
                self._models.clear()
            rates = possible_rates(identity, facts.occurred_at, kinds)

            def terms(price_key: str, pico: Fraction) -> Fraction:
                return self._engine.dearest_terms(identity, facts, price_key, pico)

            self._models[key] = None if rates is None else _Model(identity, rates, rates.lengths(), terms)
        return self._models[key]

    def _period(self, sold: tuple[object, ...], identity: Identity, at: datetime) -> tuple[int, int]:
        """A number that is the same for instants at which the model costs the same."""
        if sold not in self._marks:
            if len(self._marks) >= MAX_CACHED:
                self._marks.clear()
            starts = sorted({*schedule.boundaries(identity), *self._engine.term_boundaries()})
            self._marks[sold] = starts, schedule.seconds_of_week(identity)
        starts, seconds = self._marks[sold]
        second = at.weekday() * 86400 + at.hour * 3600 + at.minute * 60 + at.second
        return bisect_right(starts, at), bisect_right(seconds, second)

    def _of_tokens(self, facts: Facts, reason: UnpricedReason, unknown_fields: Sequence[str]) -> Hold | None:
        model = self._model(facts, any_kind=any(path.startswith("conditions.") for path in unknown_fields))
        if model is None:
            return None
        if model.is_free:
            return Hold(0)  # whatever it used
        usage, identity = facts.usage, model.identity
        length = usage.get("input_tokens") or 0
        count = _Count(usage, partial(model.best, input_tokens=length), partial(self._elsewhere, identity.provider))
        unclear = reason is UnpricedReason.AMBIGUOUS_USAGE
        count.side("input", INPUT_PARTS, unclear=unclear)
        count.side("output", OUTPUT_PARTS, unclear=unclear)
        count.flats()
        count.tools(_calls(identity, facts))
        if (fee := model.best((REQUESTS_KEY,), length)) is not None:
            count.total += fee
        untold = any(path.startswith(("usage.", "tool_calls.")) for path in unknown_fields)
        if count.all_known and not untold and reason is not UnpricedReason.USAGE_UNKNOWN:
            return Hold(ceil(count.total))
        like = f"{identity.provider}/{identity.model}"
        return Hold(ceil(count.total), like, ceil(count.per_token("input")), ceil(count.per_token("output")))

    def _elsewhere(self, provider: str, key: str) -> Fraction | None:
        """The dearest price of other models of the provider, or else of anybody; pico-USD per unit."""
        if self._anywhere is None:
            found: dict[tuple[str, str], Fraction] = {}
            for owner, table in self._tables():
                for price_key, price in table.items():
                    if not isinstance(price, Missing):
                        pico = most(price) * PICO_PER_USD / PER[price_key]
                        for whose in (owner, ""):
                            found[whose, price_key] = max(pico, found.get((whose, price_key), pico))
            self._anywhere = found
        return self._anywhere.get((provider, key)) or self._anywhere.get(("", key))

    # -- what rate cards price

    def _of_compute(self, facts: Facts) -> Hold | None:
        usage, at = facts.usage, facts.occurred_at
        total = Fraction(0)
        seconds = usage.get("gpu_seconds")
        if seconds is not None:
            devices = self._resources.devices(facts.provider, usage["accelerator"])
            if not devices:
                return None
            total += Fraction(seconds) * _per_second(devices, at, usage["purchase_option"])
        seconds = usage.get("cpu_seconds")
        if seconds:
            cpus = self._resources.processors(facts.provider)
            if not cpus:
                return None
            total += Fraction(seconds) * _per_second(cpus, at, usage["purchase_option"])
        return Hold(ceil(total))

    def _of_metered(self, facts: Facts) -> Hold | None:
        usage, at = facts.usage, facts.occurred_at
        where, cards = self._resources.metered_cards(facts.provider, usage["sku"])
        if not cards:
            return None
        fitting = [card for card in cards if card.unit.lower() == usage["unit"].lower()]
        if not fitting:
            return Hold(0, where, counted=False)
        usd = max(Fraction(card.usd_per_unit) for card in _holding(fitting, at))
        return Hold(ceil(Fraction(usage["quantity"]) * usd * PICO_PER_USD))


def _holding(cards: Sequence[D], at: datetime) -> Sequence[D]:
    return [card for card in cards if card.holds(at)] or cards


def _per_second(cards: Sequence[Hourly], at: datetime, option: str) -> Fraction:
    """Pico-USD, on demand or as it was bought, whichever is dearer."""
    dearest = Fraction(0)
    for card in _holding(cards, at):
        listed = Fraction(card.usd_per_hour)
        bought = next((b.price(listed) for name, b in card.purchase_options.items() if name == option), listed)
        dearest = max(dearest, listed, bought)
    return dearest * PICO_PER_USD / 3600

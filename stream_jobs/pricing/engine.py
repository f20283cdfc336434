"""From one token event to the rates that hold for it: a dictionary look-up in the common case.

What an event's names and conditions mean is worked out once per combination (`Resolved`) and kept in a bounded cache,
because the names come from outside. Within a combination the rates are found by instant and by context length.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from operator import attrgetter
from typing import Final, NamedTuple

from spendstream_schemas import UnpricedReason
from stream_jobs.facts import Facts
from stream_jobs.pricing import schedule
from stream_jobs.pricing.catalog import Catalog, Identity
from stream_jobs.pricing.compiled import Compiled, Terms
from stream_jobs.pricing.corrections import Corrections
from stream_jobs.pricing.overlays import Overlays
from stream_jobs.pricing.providers import STANDARD, Providers
from stream_jobs.pricing.rates import Missing, PriceTable, thresholds
from stream_jobs.pricing.regions import Where
from stream_jobs.pricing.self_hosted import SelfHostedModels

MAX_CACHED: Final = 20_000
"""Combinations of names and conditions that are kept; beyond it the cache starts anew (names may be hostile)."""
MAX_SHARED: Final = 4_000
"""Combinations of models and conditions whose rates are kept."""
_names = attrgetter("provider", "model", "response_model", "service_tier", "region", "operation")
_EVER: Final = datetime.min.replace(tzinfo=UTC)


class Brackets:
    """The rates of one table by context length; compiled when first needed."""

    __slots__ = ("_compile", "_compiled", "_table", "starts")

    def __init__(self, table: PriceTable, compile_for: Callable[[PriceTable, int], Compiled]) -> None:
        self.starts = thresholds(table)
        self._table = table
        self._compile = compile_for
        self._compiled: list[Compiled | None] = [None] * (len(self.starts) + 1)

    def at(self, input_tokens: int) -> Compiled:
        """A price changes above its boundary, not at it."""
        i = bisect_left(self.starts, input_tokens)
        compiled = self._compiled[i]
        if compiled is None:
            compiled = self._compiled[i] = self._compile(self._table, self.starts[i - 1] + 1 if i else 0)
        return compiled


class Resolved:
    """The prices of one combination of names and conditions over all time."""

    __slots__ = ("_answer", "_periods", "seconds", "starts")

    def __init__(self, starts: list[datetime], seconds: list[int], answer: "Answer") -> None:
        self.starts = starts  # instants at which prices may change
        self.seconds = seconds  # seconds of the week (from Monday, in UTC) at which they do
        self._answer = answer
        slots = len(seconds) + 1
        self._periods: list[list[Compiled | Brackets | Missing | None]] = [
            [None] * slots for _ in range(len(starts) + 1)
        ]

    def at(self, instant: datetime) -> "Compiled | Brackets | Missing":
        """The answer at an instant; worked out when it is first asked for."""
        answers = self._periods[bisect_right(self.starts, instant)]
        i = 0
        if self.seconds:
            second = instant.weekday() * 86400 + instant.hour * 3600 + instant.minute * 60 + instant.second
            i = bisect_right(self.seconds, second)
        found = answers[i]
        if found is None:
            found = answers[i] = self._answer(instant)
        return found


Answer = Callable[[datetime], "Compiled | Brackets | Missing"]
Meaning = tuple[Identity, Mapping[str, str]]
"""A model, and the conditions that can move its price."""


class Meant(NamedTuple):
    """What an event's names and conditions stand for in the course of time."""

    moves: Sequence[datetime]  # instants at which they begin to stand for something else
    meanings: Sequence[Meaning | Missing]  # before the first of them, and after each


class Engine:
    """Finds the rates for token events."""

    def __init__(
        self,
        catalog: Catalog,
        corrections: Corrections,
        providers: Providers,
        overlays: Overlays,
        self_hosted: SelfHostedModels,
    ) -> None:
        self._catalog = catalog
        self.self_hosted = self_hosted
        self._corrections = corrections
        self.providers = providers
        self.overlays = overlays
        self.scoped = overlays.scoped
        self.scope_fields = overlays.fields
        self._resolved: dict[object, Resolved | Missing] = {}
        self._shared: dict[object, Resolved] = {}
        self._identified = self._identify

    def rates(self, facts: Facts, input_tokens: int) -> Compiled | Missing:
        """The rates for a token event of that context length, or why there are none."""
        resolved = self.resolved(facts)
        if resolved.__class__ is Missing:
            return resolved
        found = resolved.at(facts.occurred_at)  # type: ignore[union-attr]
        return found.at(input_tokens) if found.__class__ is Brackets else found  # type: ignore[return-value]

    def resolved(self, facts: Facts) -> Resolved | Missing:
        """The prices over time of everything named as this event is, or why there are none."""
        key: object = _names(facts)
        if facts.conditions or self.scoped:
            key = (key, facts.conditions, self.overlays.scope_key(facts))
        resolved = self._resolved.get(key)
        if resolved is None:
            resolved = self._own(facts) if self.self_hosted.declared else self._resolve(facts)
            if len(self._resolved) >= MAX_CACHED:
                self._resolved.clear()
            self._resolved[key] = resolved
        return resolved

    def alone(self) -> "Engine":
        """The same models at list prices, for who asks for all of a few ids: what each means is kept."""
        alone = Engine(self._catalog, self._corrections, self.providers, Overlays(), self.self_hosted)
        alone._identified = cache(alone._identify)
        return alone

    def values_of(self, provider: str, condition: str) -> set[str]:
        """The values of a condition that the provider is known to have."""
        if condition == "region":
            return self.providers.regions.words(provider)
        return self._corrections.values_of(provider, condition) | self.providers.known(provider, condition)

    def speaker(self, identity: Identity, price_key: str, conditions: Mapping[str, str], at: datetime) -> str | None:
        """The source of the correction that spoke last about a price; None where the base data says it."""
        for entry in reversed(identity.entries):
            named = entry.multiplies(price_key) if entry.multiplier is not None else price_key in entry.table
            if named and entry.speaks_at(at) and entry.speaks_under(conditions):
                return entry.source
        return None

    def cached(self) -> int:
        """How many combinations of names are kept, or (if more) of prices."""
        return max(len(self._resolved), len(self._shared))

    def _own(self, facts: Facts) -> Resolved | Missing:
        """A model of one's own, while a rate card says so; else what is sold."""
        provider, model, response_model = facts.provider, facts.model, facts.response_model
        if provider.lower() in self.providers.gateways and model is not None:
            behind, _, rest = model.partition("/")
            if rest and self.self_hosted.declarations(behind, rest):
                provider, model = behind, rest
        declared = self.self_hosted.declarations(provider, model, response_model)
        if not declared:
            return self._resolve(facts)
        sold = None if any(not item.boundaries() for item in declared) else self._resolve(facts)

        def answer(at: datetime) -> Compiled | Brackets | Missing:
            holding = [item for item in declared if item.holds(at)]
            if holding:
                return self.self_hosted.rates(holding[-1], provider, model, response_model)
            assert sold is not None
            return sold if isinstance(sold, Missing) else sold.at(at)

        starts = {instant for item in declared for instant in item.boundaries()}
        if isinstance(sold, Resolved):
            return Resolved(sorted(starts.union(sold.starts)), sold.seconds, answer)
        return Resolved(sorted(starts), [], answer)

    def _resolve(self, facts: Facts) -> Resolved | Missing:
        meant = self.meant(facts)
        return meant if isinstance(meant, Missing) else self._share(meant, self.overlays.scope_of(facts))

    def meant(self, facts: Facts) -> Meant | Missing:
        """What a token event is about if it is sold by others, or why nobody can say."""
        provider = self._catalog.provider(facts.provider)
        model, response_model = facts.model, facts.response_model
        if facts.provider.lower() in self.providers.gateways:
            provider, model, response_model = self._behind_gateway(model, response_model)
            if provider is None:
                return Missing(
                    UnpricedReason.UNKNOWN_PROVIDER,
                    f"{facts.provider} passes calls on, and {facts.response_model or facts.model!r} does not say to a "
                    "provider of the price book: report the model as provider/model",
                )
        if provider is None:
            return Missing(UnpricedReason.UNKNOWN_PROVIDER, self.providers.unknown(facts.provider))
        tier = self.providers.tier(provider, facts.service_tier)
        if tier is None:
            tier = str(facts.service_tier).lower()
            if tier not in self._corrections.values_of(provider, "service_tier"):
                return Missing(UnpricedReason.UNKNOWN_SERVICE_TIER, f"unknown service tier {facts.service_tier!r}")
        moving = self._moving(facts, provider, tier)
        said = [name for name, _ in facts.conditions]
        where = self.providers.regions.where(provider, facts.region, (facts.model, facts.response_model), said)

        moves, identified = self._identified(provider, model, response_model)
        meanings = [one if isinstance(one, Missing) else self._under(one, moving, where) for one in identified]
        # Of names that never meant anything else, and of a region that nobody knows, there is nothing to keep.
        return meanings[0] if len(meanings) == 1 and isinstance(meanings[0], Missing) else Meant(moves, meanings)

    def _identify(
        self, provider: str, model: str | None, response_model: str | None
    ) -> tuple[list[datetime], list[Identity | Missing]]:
        """Which id is meant may change with time (aliases that moved): when, and its meanings from the first one on."""
        moves = sorted(set(self._catalog.alias_boundaries(provider, model, response_model)))
        return moves, [self._catalog.identify(provider, model, response_model, at) for at in (_EVER, *moves)]

    def seller(self, facts: Facts) -> tuple[str | None, str | None]:
        """Who sells what an event is about, as the book calls them, and the id there; behind a gateway too."""
        if facts.provider.lower() in self.providers.gateways:
            provider, model, response_model = self._behind_gateway(facts.model, facts.response_model)
            return provider, response_model or model
        return self._catalog.provider(facts.provider), facts.response_model or facts.model

    def identity(self, facts: Facts) -> Identity | None:
        """The model that a token event is about, whatever its tier, region and conditions are; None if the book knows
        none. For bounds, not for prices: an alias that moves is what it stands for now, and a served id that nobody
        knows is what was asked for."""
        provider, model, response_model = self._catalog.provider(facts.provider), facts.model, facts.response_model
        if facts.provider.lower() in self.providers.gateways:
            provider, model, response_model = self._behind_gateway(model, response_model)
        if provider is None:
            return None
        for served in dict.fromkeys((response_model, None)):
            if served is None and model is None:
                continue
            found = self._catalog.identify(provider, model, served, facts.occurred_at)
            if isinstance(found, Identity):
                return found
            if (present := self._catalog.presently(provider, served or model or "")) is not None:
                return present
        return None

    def named_conditions(self, facts: Facts) -> set[str]:
        """The kinds of conditions that an event names other than as their default; the region too, if only by an id."""
        provider = self.seller(facts)[0] or facts.provider.lower()
        tier = self.providers.tier(provider, facts.service_tier) or str(facts.service_tier).lower()
        where = self.providers.regions.where(provider, facts.region, (facts.model, facts.response_model))
        in_place = facts.region is not None or (where is not None and not where.taken)
        return {*self._moving(facts, provider, tier), *(["region"] if in_place else [])}

    def scope_key(self, facts: Facts) -> tuple[str, ...]:
        """The attribution values that our own terms depend on."""
        return self.overlays.scope_key(facts)

    def term_boundaries(self) -> list[datetime]:
        """Instants at which our own terms may change."""
        return self.overlays.boundaries()

    def dearest_terms(self, identity: Identity, facts: Facts, price_key: str, listed: Fraction) -> Fraction:
        """The dearest of list, contracted and effective price of the model's plain SKU."""
        terms = self.overlays.terms(
            provider=identity.provider,
            models=(identity.own, identity.model),
            sku=f"{identity.provider}/{identity.model}/{price_key}",
            price_key=price_key,
            scope=self.overlays.scope_of(facts),
            at=facts.occurred_at,
            listed=listed,
        )
        return max(terms.listed, terms.contracted, terms.effective)

    def _behind_gateway(
        self, model: str | None, response_model: str | None
    ) -> tuple[str | None, str | None, str | None]:
        """(provider, model, response model) of a call that was passed on: "provider/model" of the ids.

        The served id says where the call went, unless it is the provider's own name for what was asked: then its first
        part is a maker ("together_ai/deepseek-ai/DeepSeek-V3", served "deepseek-ai/DeepSeek-V3").
        """
        asked, _, asked_rest = (model or "").partition("/")
        served, _, served_rest = (response_model or "").partition("/")
        to_asked = self._catalog.provider(asked) if asked_rest else None
        to_served = self._catalog.provider(served) if served_rest else None
        if to_asked is not None and (to_served is None or asked_rest.lower() == str(response_model).lower()):
            return to_asked, asked_rest, response_model
        return to_served, asked_rest or model, served_rest or response_model

    def _share(self, meant: Meant, scope: Mapping[str, str]) -> Resolved:
        """One `Resolved` for all names and conditions that cannot lead to different prices.

        What is kept is so bounded by what the book knows, not by what comes in.
        """
        moves, meanings = meant
        key = (tuple(moves), tuple(self._signature(meaning) for meaning in meanings), frozenset(scope.items()))
        shared = self._shared.get(key)
        if shared is not None:
            return shared

        def answer(at: datetime) -> Compiled | Brackets | Missing:
            meaning = meanings[bisect_right(moves, at)]
            return meaning if isinstance(meaning, Missing) else self.answer(meaning, scope, at)

        starts, seconds = self.changes(meant)
        if len(self._shared) >= MAX_SHARED:
            self._shared.clear()
        self._shared[key] = shared = Resolved(starts, seconds, answer)
        return shared

    def changes(self, meant: Meant) -> tuple[list[datetime], list[int]]:
        """Instants, and seconds of the week, at which a price of it may change."""
        starts = {*meant.moves, *self.overlays.boundaries()}
        seconds: set[int] = set()
        for identity, _ in (meaning for meaning in meant.meanings if not isinstance(meaning, Missing)):
            starts.update(schedule.boundaries(identity))
            seconds.update(schedule.seconds_of_week(identity))
        return sorted(starts), sorted(seconds)

    def _under(self, identity: Identity, moving: Mapping[str, str], where: Where | None) -> Meaning | Missing:
        """The model with the conditions that can move its price."""
        named = {name for entry in identity.entries for name in entry.conditions}
        conditions = {
            name: v
            for name, v in moving.items()
            if (name not in schedule.OPTIONAL_CONDITIONS or name in named)
            and not self.providers.is_default(identity.provider, identity.model, name, v)
        }
        if identity.fine_tuned:
            conditions["fine_tuned"] = "true"
        elif identity.own.startswith("ft:"):
            conditions.pop("fine_tuned", None)  # the id already says it, and is priced by itself
        unknown = self.providers.regions.settle(identity.provider, identity.entries, conditions, where)
        return (identity, conditions) if unknown is None else unknown

    def _signature(self, meaning: Meaning | Missing) -> object:
        """Equal for meanings that cost the same."""
        return meaning if isinstance(meaning, Missing) else (self.sold(meaning[0]), frozenset(meaning[1].items()))

    def sold(self, identity: Identity) -> object:
        """Equal for ids of the same thing: the own id counts only where corrections or overlays look at it."""
        own = identity.own if self.overlays.by_model else identity.own.startswith("ft:")
        entries = tuple([id(entry) for entry in identity.entries])
        return identity.provider, identity.model, identity.fine_tuned, identity.inherited, identity.adds, entries, own

    def _moving(self, facts: Facts, provider: str, tier: str) -> dict[str, str]:
        """What can move the price: all that is not the default of its kind. Of the region only the region knows."""
        words: dict[str, str] = {}
        for name, value in facts.conditions:
            if value is False:
                continue
            word = str(value).lower()
            words |= self.providers.deployment(provider, word) if name == "deployment" else {name: word}
        implied = words.pop("service_tier", STANDARD)  # Azure's GlobalBatch
        moving = {} if (served := tier if tier != STANDARD else implied) == STANDARD else {"service_tier": served}
        moving |= {name: v for name, v in words.items() if not self.providers.is_neutral(provider, name, v)}
        if facts.operation is not None:
            moving["operation"] = facts.operation.lower()
        return moving

    def answer(self, meaning: Meaning, scope: Mapping[str, str], at: datetime) -> Compiled | Brackets | Missing:
        """The rates of a model under conditions at an instant."""
        identity, conditions = meaning
        table = schedule.table_at(identity, conditions, at)
        if isinstance(table, Missing):
            return self._unknown_value(identity, conditions) or self._explained(table, conditions)
        suffix = "".join(f";{name}={conditions[name]}" for name in sorted(conditions))

        def sku_of(price_key: str, cliff: int) -> str:
            context = f";input>{cliff}" if cliff else ""
            return f"{identity.provider}/{identity.model}/{price_key}{suffix}{context}"

        def terms_of(sku: str, price_key: str, listed: Fraction) -> Terms:
            return self.overlays.terms(
                provider=identity.provider, models=(identity.own, identity.model), sku=sku, price_key=price_key,
                scope=scope, at=at, listed=listed,
            )  # fmt: skip

        def compile_for(table: PriceTable, input_tokens: int) -> Compiled:
            return Compiled(
                table,
                input_tokens,
                sku_of=sku_of,
                terms_of=terms_of,
                where=f"{identity.provider}/{identity.model}",
                minimums=self.providers.minimums(identity.provider, identity.model),
                as_text=self._as_text(identity),
                writes=self.providers.writes(identity.provider, identity.model),
                write_ttl=self.providers.plain_write_ttl(identity.provider, identity.model),
                adds=identity.adds,
                adds_per_request=identity.adds_per_request,
            )

        return Brackets(table, compile_for) if thresholds(table) else compile_for(table, 0)

    def _as_text(self, identity: Identity) -> frozenset[str]:
        declared = {meter for entry in identity.entries for meter in entry.bills_as_text}
        return self.providers.billed_as_text(identity.provider, identity.model) | declared

    def _unknown_value(self, identity: Identity, conditions: Mapping[str, str]) -> Missing | None:
        """A condition that nobody knows is told apart from one that merely has no price."""
        for name, value in conditions.items():
            if name in ("service_tier", "fine_tuned") or name in schedule.OPTIONAL_CONDITIONS:
                continue
            if self.providers.is_known(identity.provider, name, value):
                continue
            if {value, "*"} & self._corrections.values_of(identity.provider, name):
                continue
            return Missing(UnpricedReason.UNKNOWN_CONDITION, f"{identity.provider} knows no {name} = {value!r}")
        return None

    def _explained(self, missing: Missing, conditions: Mapping[str, str]) -> Missing:
        """What to say or to declare, where a condition has no price per token at all."""
        advice = self.providers.explain(conditions)
        return replace(missing, detail=f"{missing.detail}: {advice}") if advice else missing

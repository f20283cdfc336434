"""Prices over time: what one identity costs under given conditions at an instant, and when that changes.

The steps of `table_at` are the ones that data/corrections/README.md explains to authors.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from spendstream_schemas import UnpricedReason
from stream_jobs.pricing.base import BaseVariant
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.corrections import Entry
from stream_jobs.pricing.rates import Missing, Price, PriceTable, times
from stream_jobs.pricing.units import REQUESTS_KEY, TOOL_KEYS

OPTIONAL_CONDITIONS: Final = frozenset({"region", "operation"})
"""Facts that every event has; they need no price of their own (a region does where an entry says `by_region`)."""
_TOOL_KEYS: Final = frozenset(TOOL_KEYS.values())
CALL_KEYS: Final = _TOOL_KEYS | {REQUESTS_KEY}
"""Calls cost the same in every tier and region unless an entry says otherwise."""


def table_at(identity: Identity, conditions: Mapping[str, str], at: datetime) -> PriceTable | Missing:
    """All prices of an identity at an instant under conditions (default values left out), or why there are none."""
    table: dict[str, Price | Missing] = dict(identity.base.standard_at(at)) if identity.base is not None else {}
    speaking = [e for e in identity.entries if e.speaks_at(at) and e.speaks_under(conditions)]
    replaced = False
    for entry in speaking:
        if not entry.conditions:
            replaced |= entry.replace
            _apply_standard(table, entry)
    if not table.keys() - _TOOL_KEYS:
        return Missing(UnpricedReason.NO_PRICE_AT_TIME, f"{identity.provider}/{identity.model} has no price then")
    if not conditions:
        return table
    spoken: dict[str, set[str]] = {name: set() for name in conditions}
    multipliers = [e for e in speaking if e.conditions and e.multiplier is not None]
    if identity.base is not None and not identity.inherited and not replaced:
        _apply_variants(table, identity.base.variants, conditions, at, multipliers, spoken)
    settled = _apply_prices(table, [e for e in speaking if e.conditions and e.prices is not None], spoken)
    if not table and "region" in settled:
        return missing_for("region", conditions["region"])
    _apply_multipliers(table, [e for e in multipliers if not settled & e.conditions.keys()], spoken)
    optional = OPTIONAL_CONDITIONS - {"region"} if any(e.by_region for e in speaking) else OPTIONAL_CONDITIONS
    return _only_spoken(table, {k: v for k, v in conditions.items() if k not in optional}, spoken)


class Heard(NamedTuple):
    """All that `table_at` reads of conditions, at any instant, or all that it reads of an instant, under any.

    Where it is equal, so are the prices of an identity; what it reads of both together is what they have in common.
    Only the reasons why there is no price name values of conditions too.
    """

    entries: frozenset[int]  # ranks of those that speak
    variants: frozenset[int]  # ranks of those of the base data that hold
    rest: object  # names of the conditions; which standard prices hold


def heard_under(identity: Identity, conditions: Mapping[str, str]) -> Heard:
    """Of conditions."""
    variants = identity.base.variants if identity.base is not None else ()
    return Heard(
        frozenset([rank for rank, entry in enumerate(identity.entries) if entry.speaks_under(conditions)]),
        frozenset([rank for rank, variant in enumerate(variants) if _fits(variant, conditions)]),
        tuple(sorted(conditions)),
    )


def heard_at(identity: Identity, at: datetime) -> Heard:
    """Of an instant."""
    base = identity.base
    return Heard(
        frozenset([rank for rank, entry in enumerate(identity.entries) if entry.speaks_at(at)]),
        frozenset([rank for rank, v in enumerate(base.variants) if v.validity.holds(at)] if base is not None else ()),
        id(base.standard_at(at)) if base is not None else 0,
    )


def _fits(variant: BaseVariant, conditions: Mapping[str, str]) -> bool:
    return all(conditions.get(name) == value for name, value in variant.when.items())


def _apply_standard(table: dict[str, Price | Missing], entry: Entry) -> None:
    if entry.replace:
        table.clear()
    table.update(entry.table)
    if entry.multiplier is not None:
        _multiply(table, entry, {key for key in table if entry.multiplies(key)})


def _apply_variants(
    table: dict[str, Price | Missing],
    variants: tuple[BaseVariant, ...],
    conditions: Mapping[str, str],
    at: datetime,
    multipliers: list[Entry],
    spoken: dict[str, set[str]],
) -> None:
    """The first variant that holds gives a key its price, unless a multiplier speaks for the same: it'd count twice."""
    done: set[str] = set()
    for variant in variants:
        if not variant.validity.holds(at) or not _fits(variant, conditions):
            continue
        for key, price in variant.prices.items():
            if key in done or any(e.multiplies(key) and e.conditions.keys() & variant.when.keys() for e in multipliers):
                continue
            done.add(key)
            table[key] = price
            for name in variant.when:
                spoken[name].add(key)


def _apply_prices(table: dict[str, Price | Missing], entries: list[Entry], spoken: dict[str, set[str]]) -> set[str]:
    """Prices under conditions, in order; the conditions that a replacing entry settled are returned.

    A region's price and a tier's, each without the other, say nothing about the tier in the region.
    """
    settled: set[str] = set()
    under = {key: {name for name, keys in spoken.items() if key in keys} for key in table}
    for entry in entries:
        names = entry.conditions.keys()
        if entry.replace:
            table.clear()
            settled |= names
            under.clear()
        for key, price in entry.table.items():
            before = under.setdefault(key, set())
            apart = "region" in names ^ before and not before <= names
            table[key] = _apart(sorted(before | names)) if apart else price
            under[key] = before | names if apart else set(names)
        for name in names:
            if name in spoken:
                spoken[name] |= table.keys() if entry.replace else entry.table.keys()
    return settled


def _apart(names: list[str]) -> Missing:
    return Missing(UnpricedReason.NO_PRICE_FOR_CONDITION, f"no price for {' and '.join(names)} together")


def _apply_multipliers(table: dict[str, Price | Missing], entries: list[Entry], spoken: dict[str, set[str]]) -> None:
    for entry in entries:
        keys = {key for key in table if entry.multiplies(key) and not _overruled(entry, key, entries)}
        _multiply(table, entry, keys)
        for name in entry.conditions:
            if name in spoken:
                spoken[name] |= keys


def _overruled(entry: Entry, price_key: str, entries: list[Entry]) -> bool:
    """True if another multiplier is for the same region and more: Data Zone in Asia, not Data Zone."""
    names = entry.conditions.keys()
    return any(
        names < other.conditions.keys() and "region" in other.conditions and other.multiplies(price_key)
        for other in entries
    )


def _multiply(table: dict[str, Price | Missing], entry: Entry, keys: Collection[str]) -> None:
    factor = entry.multiplier
    assert factor is not None
    for key in keys:
        price = table[key]
        if not isinstance(price, Missing):
            table[key] = times(price, factor)


def _only_spoken(
    table: dict[str, Price | Missing], conditions: Mapping[str, str], spoken: Mapping[str, set[str]]
) -> PriceTable | Missing:
    """Nothing keeps its standard price under a condition that no price was given for."""
    for name, value in conditions.items():
        missing = missing_for(name, value)
        if not spoken[name]:
            return missing
        if spoken[name] <= CALL_KEYS:
            continue  # it speaks about calls only: search context size
        for key in table.keys() - spoken[name] - CALL_KEYS:
            table[key] = missing
    return table


def missing_for(condition: str, value: str) -> Missing:
    """No price under a condition, in the reason codes' terms."""
    if condition == "service_tier":
        return Missing(UnpricedReason.NO_PRICE_FOR_TIER, f"no price for service tier {value!r}")
    return Missing(UnpricedReason.NO_PRICE_FOR_CONDITION, f"no price for {condition} = {value!r}")


def boundaries(identity: Identity) -> list[datetime]:
    """Every instant at which a price of the identity may change."""
    found: set[datetime] = set()
    if identity.base is not None:
        validities = [w for w, _ in identity.base.standard] + [variant.validity for variant in identity.base.variants]
        found |= {validity.start for validity in validities if validity.start is not None}
    for entry in identity.entries:
        found.update(entry.boundaries())
    return sorted(found)


def seconds_of_week(identity: Identity) -> list[int]:
    """Seconds since Monday 00:00 UTC at which a price may change every week; empty if none does."""
    found: set[int] = set()
    if identity.base is not None:
        validities = [w for w, _ in identity.base.standard] + [variant.validity for variant in identity.base.variants]
        daily = {second for validity in validities if validity.daily for second in validity.daily}
        found |= {day * 86400 + second for day in range(7) for second in daily}
    for entry in identity.entries:
        found |= entry.seconds_of_week()
    return sorted(found)

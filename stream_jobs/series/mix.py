"""What a series was used for of late: events that are priced alike as one, for prices at other dates than today's.

Events are alike that have the same names, conditions and terms, and the same lines at the same prices on their receipt:
then they are on the same side of every length of context, and at the same time of a day whose hours differ in price. So
the mean of them costs what they cost. Retractions take out what they take back; corrections of a cost alone are no
usage.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, cast

from spendstream_schemas import ATTRIBUTION_FIELDS, METERS
from spendstream_schemas.scope import Condition
from stream_jobs.base.instants import unix_micros
from stream_jobs.facts import NAMED, Facts
from stream_jobs.ledger.entries import Entries, as_ledger
from stream_jobs.ledger.rebuild import PRICING_COLUMNS, priced_facts
from stream_jobs.pricing.ahead import Used
from stream_jobs.pricing.result import STATED
from stream_jobs.series.facts import Values
from stream_jobs.series.measures import column
from stream_jobs.series.spec import SeriesSpec
from stream_jobs.series.sums import scope_condition
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import TOOL_COLUMNS

MOST: Final = 1_000
"""Kinds of events, those that cost most."""
_SUMS: Final = (*METERS, *TOOL_COLUMNS, "stated_cost")
_LINES: Final = ("line_sku", "line_list_unit_price")
_NO_MATTER: Final[Mapping[str, str]] = {
    "source": "''",
    "status": "'ok'",
    "cached_response": "false",
    "unknown_fields": "CAST([], 'Array(String)')",
}
"""What moves no price of an event that has one and was not answered from a cache."""
_WHEN: Final = (
    "occurred_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
    "AND occurred_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)


def read_mix(
    store: StoreClient,
    scope: Mapping[str, Condition],
    since: datetime,
    until: datetime,
    scope_fields: Sequence[str] = ATTRIBUTION_FIELDS,
) -> list[Used]:
    """The events of [since, until) that have a price and cost something, the dearest kinds first. `scope_fields`: the
    attribution that prices depend on (of the price book). Raises StoreUnavailableError."""
    where, parameters = scope_condition(scope)
    tags = [name for name in ATTRIBUTION_FIELDS if name in scope_fields]
    summed = {name: f"sum(entry.{name})" for name in _SUMS}
    left_out = {name: "''" for name in ATTRIBUTION_FIELDS if name not in tags}
    made = {**_NO_MATTER, **left_out, **summed, "occurred_at": "max(entry.occurred_at)"}
    alike = [name for name in (*PRICING_COLUMNS, "price_model") if name not in made]
    chosen = ", ".join(f"{made.get(name, f'entry.{name}')} AS {name}" for name in (*PRICING_COLUMNS, "price_model"))
    inner = dict.fromkeys((*alike, *_SUMS, *_LINES, "occurred_at", "events", "contracted_cost"))
    table = store.arrow(
        f"SELECT {chosen}, sum(entry.events) AS n, sum(entry.contracted_cost) AS cost "
        f"FROM (SELECT {', '.join(inner)} FROM ledger "
        f"WHERE {_WHEN} AND notEmpty(line_sku) AND NOT cached_response{where}) AS entry "
        f"GROUP BY {', '.join(f'entry.{name}' for name in (*alike, *_LINES))} "
        "HAVING n > 0 AND cost > 0 ORDER BY cost DESC LIMIT {most:UInt32}",
        {"since": unix_micros(since), "until": unix_micros(until), "most": MOST, **parameters},
    )
    entries = Entries(as_ledger(table.drop_columns(["n", "cost"])))
    facts_of, stated = priced_facts(entries, scoped=True), entries.values("price_model")
    found = [
        _mean(facts_of(row)[0], int(events), stated=stated[row] == STATED)
        for row, events in enumerate(table.column("n").to_pylist())
    ]
    return [used for used in found if used is not None]


def read_share(
    store: StoreClient, scope: Mapping[str, Condition], part: Mapping[str, Condition], since: datetime, until: datetime
) -> float:
    """Which part of what a series cost in [since, until) lies in another scope too, between 0 and 1; 0 where it cost
    nothing. Raises StoreUnavailableError."""
    where, parameters = scope_condition(scope)
    within, more = scope_condition(part, prefix="part")
    ((whole, inside),) = store.rows(
        f"SELECT sum(ifNull(effective_cost, 0)), sumIf(ifNull(effective_cost, 0), true{within}) FROM ledger "
        f"WHERE {_WHEN}{where}",
        {"since": unix_micros(since), "until": unix_micros(until), **parameters, **more},
    )
    return _share(whole, inside)


def read_shares(
    store: StoreClient,
    spec: SeriesSpec,
    among: Sequence[Values],
    part: Mapping[str, Condition],
    since: datetime,
    until: datetime,
) -> dict[Values, float]:
    """As `read_share`, of each of the values, and of all others together as one of empty texts; what cost nothing is
    absent. Raises StoreUnavailableError."""
    if not spec.per:
        return {(): read_share(store, spec.scope, part, since, until)}
    where, parameters = scope_condition(spec.scope, spec.per)
    within, more = scope_condition(part, prefix="part")
    values = f"CAST([{', '.join(map(column, spec.per))}], 'Array(String)')"
    others = ", ".join(["''"] * len(spec.per))
    rows = store.rows(
        f"SELECT if(has({{among:Array(Array(String))}}, {values}), {values}, CAST([{others}], 'Array(String)')) "
        "AS vals, "
        "sum(ifNull(effective_cost, 0)) AS whole, "
        f"sumIf(ifNull(effective_cost, 0), true{within}) FROM ledger WHERE {_WHEN}{where} "
        "GROUP BY vals HAVING whole > 0",
        {
            **{"since": unix_micros(since), "until": unix_micros(until), "among": [list(one) for one in among]},
            **parameters,
            **more,
        },
    )
    return {tuple(cast(list[str], vals)): _share(whole, inside) for vals, whole, inside in rows}


def _share(whole: object, inside: object) -> float:
    total, cost = Fraction(str(whole)), Fraction(str(inside))
    return float(min(max(cost / total, Fraction(0)), Fraction(1))) if total > 0 else 0


def _mean(facts: Facts, events: int, *, stated: bool) -> Used | None:
    """One event for all of them. None where more is taken back than there was: what it took back is older."""
    usage: dict[str, Any] = dict(facts.usage)
    for name in METERS:
        if name in usage:
            usage[name] = Fraction(usage[name]) / events
    calls: dict[str, Any] = {kind: Fraction(number) / events for kind, number in facts.tool_calls.items()}
    if any(isinstance(amount, Fraction) and amount < 0 for amount in (*usage.values(), *calls.values())):
        return None
    cost = facts.stated_cost / events if stated and facts.stated_cost is not None else None
    return Used(facts._replace(usage=usage, tool_calls=calls, stated_cost=cost), events)


assert {*NAMED, *METERS} <= {*PRICING_COLUMNS}

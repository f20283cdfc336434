"""Why a budget was crossed, probably: who spends much more than a moment ago, or, when no more is spent than a moment
ago, who spent most in the period. Asked from ClickHouse when an alert is written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from stream_jobs.base.instants import unix_micros
from stream_jobs.base.money import PICO_PLACES
from stream_jobs.base.readable import instant, percent
from stream_jobs.budget_terms.document import Budget
from stream_jobs.budget_terms.resolve import measure_of
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.standing import Standing
from stream_jobs.series.facts import Values
from stream_jobs.series.measures import column, exact, places_of, sql_of
from stream_jobs.series.sums import scope_condition
from stream_jobs.store.client import StoreClient

DIMENSIONS: Final = ("user_id", "customer", "feature", "model", "project", "team")
WHAT: Final = ("feature", "model")  # what it is spent on, rather than by whom
LATELY: Final = timedelta(minutes=15)
MAX_CAUSES: Final = 4
MIN_SHARE: Final = Decimal("0.2")
_QUESTION: Final = """
SELECT dim, val, lately, earlier, whole, whole_before, spenders
FROM (
    SELECT
        pair.1 AS dim,
        pair.2 AS val,
        sumIf(cost, is_late) AS lately,
        sumIf(cost, NOT is_late) AS earlier,
        sum(lately) OVER (PARTITION BY dim) AS whole,
        sum(earlier) OVER (PARTITION BY dim) AS whole_before,
        countIf(lately > 0) OVER (PARTITION BY dim) AS spenders
    FROM (
        SELECT
            {cost} AS cost,
            occurred_at >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC') AS is_late,
            arrayJoin([{pairs}]) AS pair
        FROM ledger
        WHERE
            occurred_at >= fromUnixTimestamp64Micro({{before:Int64}}, 'UTC')
            AND occurred_at < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC'){where}
    )
    GROUP BY dim, val
)
WHERE val != ''
ORDER BY lately DESC, val
LIMIT 1 BY dim
SETTINGS max_execution_time = 5"""


@dataclass(frozen=True, slots=True)
class Contribution:
    """The largest of one dimension, in 1e-12 of what is counted (pico-USD)."""

    dimension: str
    value: str
    spent: int
    before: int  # in as much time before
    whole: int  # of everybody
    whole_before: int
    distinct: int  # how many share the whole


def causes(
    store: StoreClient,
    budget: Budget,
    values: Values,
    standing: Standing,
    now: datetime,
    zone: ZoneInfo | None = None,
) -> tuple[str, ...]:
    """Sentences, the most telling first; none when nothing stands out. Their shares are of cost: what is held for
    events without a price is nobody's yet, and they say so. With a `zone` they say when that was, for people who read
    them hours later. Raises StoreUnavailableError."""
    priced = " that has a price" if standing.unpriced and standing.unit.is_money else ""
    lately = _contributions(store, budget, values, now - LATELY, min(now, standing.period.end))
    if lately and lately[0].whole > lately[0].whole_before:
        minutes = f"{LATELY // timedelta(minutes=1)} minutes"
        last = f"the last {minutes}"
        if zone is not None:
            last = f"the {minutes} before {instant(now.astimezone(zone))} ({zone.key})"
        return _notified(lately, last, priced, standing.unit, compared=True)
    found = _contributions(store, budget, values, standing.period.start, standing.period.end)
    return _notified(found, "the period", priced, standing.unit)


def _contributions(
    store: StoreClient, budget: Budget, values: Values, since: datetime, until: datetime
) -> list[Contribution]:
    """One per dimension. What was spent before `since` is that of as much time before it."""
    fixed = {*budget.per, *(name for name, condition in budget.scope.items() if condition.any_of is not None)}
    dimensions = [name for name in DIMENSIONS if name not in fixed]
    if until <= since or not dimensions:
        return []
    where, parameters = _place(budget, values)
    pairs = ", ".join(f"('{name}', toString({column(name)}))" for name in dimensions)
    measure = measure_of(budget)
    scale = 10 ** (PICO_PLACES - places_of(measure))
    rows = store.rows(
        _QUESTION.format(cost=sql_of(measure), pairs=pairs, where=where),
        {
            "since": unix_micros(since),
            "before": unix_micros(since - (until - since)),
            "until": unix_micros(until),
            **parameters,
        },
    )
    return [
        Contribution(
            *(str(dim), str(value)),
            *(exact(measure, spent) * scale, exact(measure, before) * scale),
            *(exact(measure, whole) * scale, exact(measure, whole_before) * scale),
            int(str(distinct)),
        )
        for dim, value, spent, before, whole, whole_before, distinct in rows
    ]


def _place(budget: Budget, values: Values) -> tuple[str, dict[str, Any]]:
    """The condition of the budget and these values."""
    where, parameters = scope_condition(budget.scope, budget.per)
    for index, (name, value) in enumerate(zip(budget.per, values, strict=True)):
        where += f" AND {column(name)} = {{value_{index}:String}}"
        parameters[f"value_{index}"] = value
    return where, parameters


def _notified(
    found: list[Contribution], when: str, priced: str, unit: Unit, *, compared: bool = False
) -> tuple[str, ...]:
    telling = [item for item in found if item.whole > 0 and item.spent >= MIN_SHARE * item.whole]
    # One user of two thousand who spends a third says more than the one project of five that nearly everything is in.
    telling.sort(key=lambda item: -item.distinct * (item.spent - item.before if compared else item.spent))
    # What everybody shares says little about who it is, but what was bought says something all the same.
    shared = [item for item in telling if item.distinct == 1 and item.dimension in WHAT]
    telling = [item for item in telling if item.distinct > 1]
    return tuple(_sentence(item, when, priced, unit, compared=compared) for item in (*telling, *shared)[:MAX_CAUSES])


def _sentence(item: Contribution, when: str, priced: str, unit: Unit, *, compared: bool) -> str:
    share = f"all{priced or ' of it'}" if item.distinct == 1 else f"{percent(item.spent, item.whole)} of all{priced}"
    text = f"{item.dimension} {item.value}: {unit.text(unit.kept(item.spent))} in {when}, {share}"
    return f"{text}; {unit.text(unit.kept(item.before))} in as much time before" if compared else text

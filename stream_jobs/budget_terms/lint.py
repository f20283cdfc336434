"""What is allowed in budgets.yaml but probably not meant. What cannot work is found when the budgets are resolved."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from stream_jobs.base.readable import exact
from stream_jobs.budget_terms.document import TOTAL, Budget, Threshold, Thresholds
from stream_jobs.budget_terms.resolve import Budgets

CALENDAR_NOTICE: Final = timedelta(days=90)
RATE_AGE: Final = timedelta(days=400)


def warnings(budgets: Budgets, now: datetime) -> list[str]:
    """One sentence per finding: the file's, then each budget's in order; empty when there is nothing to say."""
    found = [*_calendars(budgets, now), *_rates(budgets, now)]
    seen: dict[str, Budget] = {}
    for budget in budgets:
        texts = [*_alone(budget), *_by_forecast(budget), *_validity(budgets, budget, now)]
        texts += [*_within_parent(budgets, budget), *_children(budgets, budget, now), *_twice(budgets, budget, seen)]
        found += [f"budget {budget.id!r}: {text}" for text in texts]
    return found


def _calendars(budgets: Budgets, now: datetime) -> Iterator[str]:
    used = {getattr(budget.period, "calendar", None) for budget in budgets}
    for name, dates in budgets.document.calendars.items():
        if name not in used:
            yield f"calendars: {name!r} is not used by any budget"
        elif dates[-1] <= (now + CALENDAR_NOTICE).date():
            yield f"calendars: {name!r} ends on {dates[-1]}: without more dates its budgets stop then"


def _rates(budgets: Budgets, now: datetime) -> Iterator[str]:
    for code, rates in budgets.document.currencies.items():  # figures can be in any of them
        if rates[-1].valid_from < (now - RATE_AGE).date():
            yield f"currencies: the last rate of {code} is of {rates[-1].valid_from}"


def _alone(budget: Budget) -> Iterator[str]:
    """What can be said without the others."""
    actual, forecast = budget.thresholds.actual, budget.thresholds.forecast
    if not actual and not forecast and not budget.policy.steps:
        yield "has neither thresholds nor policy steps: nobody is told and nothing is done"
    elif actual and not forecast and budget.amount and all(_is_late(item, budget) for item in actual):
        yield "its first threshold is above 100 %: nobody is told before the amount is gone"
    if not budget.amount and not budget.amounts:
        yield from _of_nothing(budget)
    if not budget.owner and not budget.channels:
        yield "has neither an owner nor channels: only the routes in alerts.yaml decide who is told"
    if budget.policy.fail == "closed" and not budget.policy.steps:
        yield "policy: fail is closed, but there are no steps: services only refuse when they know nothing"
    for field, values in budget.scope.items():
        kind = "any_of" if values.any_of is not None else "none_of"
        starred = next((text for text in values.any_of or values.none_of or () if "*" in text), None)
        if starred is not None:
            yield f"scope: {field}: {kind} compares {starred!r} as it is written, the * too; a pattern is {{glob: ...}}"
    for field in budget.per:
        condition = budget.scope.get(field)
        if condition is not None and (condition.missing or len(condition.any_of or ()) == 1):
            yield f"per: {field} has only one value in scope"
    for value in budget.amounts:
        condition = budget.scope.get(budget.per[0])
        if condition is not None and not condition.holds(value):
            yield f"amounts: {value!r} is out of scope"
        elif "*" in value:
            yield f"amounts: {value!r} is compared as it is written, the * too; the amount of all others is `amount`"


def _is_late(threshold: Threshold, budget: Budget) -> bool:
    if threshold.at_percent is not None:
        return threshold.at_percent > 100
    return threshold.at_amount is not None and threshold.at_amount > budget.amount


def _by_forecast(budget: Budget) -> Iterator[str]:
    """What services do by a forecast."""
    for step in budget.policy.steps:
        if step.at_forecast_percent is not None and step.action == "refuse":
            percent = exact(step.at_forecast_percent)
            yield f"policy: refuse at_forecast_percent {percent}: services refuse by a forecast, while money is left"


def _of_nothing(budget: Budget) -> Iterator[str]:
    """What has no meaning where nothing may be spent."""
    if budget.thresholds.forecast != Thresholds().forecast:
        yield "thresholds: nothing may be spent, so the first cent crosses all percents, and nothing is foretold"
    if budget.policy.steps and budget.policy.steps[-1].action != "refuse":
        yield "policy: nothing may be spent, so services refuse, whatever the steps say"


def _validity(budgets: Budgets, budget: Budget, now: datetime) -> Iterator[str]:
    if budget.valid_to is not None and budget.valid_to <= now.astimezone(budgets.zone_of(budget)).date():
        yield f"ended on {budget.valid_to}"


def _within_parent(budgets: Budgets, budget: Budget) -> Iterator[str]:
    parent = budgets.get(budget.parent) if budget.parent else None
    if parent is None:
        return
    if _rhythm(budgets, budget) != _rhythm(budgets, parent):
        yield f"its periods are not those of its parent {parent.id!r}, so their amounts cannot be compared"
    if _counted(budget) != _counted(parent):
        yield f"counts {_counted(budget)}, but its parent {parent.id!r} {_counted(parent)}"
    for field in parent.per:
        condition = budget.scope.get(field)
        pinned = condition is not None and (condition.missing or len(condition.any_of or ()) == 1)
        if field not in budget.per and not pinned:
            yield f"lies in several budgets of its parent {parent.id!r}, which has one per {field}"


def _children(budgets: Budgets, parent: Budget, now: datetime) -> Iterator[str]:
    """Whether the parent's amount is less than its children's, where they can be compared."""
    rhythm = _rhythm(budgets, parent)
    children = [
        child
        for child in budgets.children(parent.id)
        if _rhythm(budgets, child) == rhythm and _counted(child) == _counted(parent) and budgets.in_force(child, now)
    ]
    period = budgets.calendar_of(parent).period_at(now)
    if period is None or parent.per:
        return
    amount = budgets.amount_pico(parent, period.start)
    alone = [child for child in children if not child.per]
    together = sum(budgets.amount_pico(child, period.start) for child in alone)
    if together > amount:
        names = ", ".join(child.id for child in alone)
        unit = budgets.unit_of(parent, period.start)
        whole, parts = unit.text(unit.kept(amount)), unit.text(unit.kept(together))
        yield f"has {whole}, less than the {parts} of its children together ({names})"
    for child in children:
        if child.per and budgets.amount_pico(child, period.start) > amount:
            yield f"has less than {child.id!r} has for each {'/'.join(child.per)}"


def _twice(budgets: Budgets, budget: Budget, seen: dict[str, Budget]) -> Iterator[str]:
    """Another budget before it that watches the same, at the same time."""
    scope = {field: condition.model_dump(exclude_none=True) for field, condition in budget.scope.items()}
    key = json.dumps([scope, budget.per, _counted(budget), _rhythm(budgets, budget)], sort_keys=True, default=sorted)
    other = seen.setdefault(key, budget)
    if other is not budget and _overlap(budget, other):
        yield f"watches the same as budget {other.id!r}: thresholds of one budget can be many"


def _counted(budget: Budget) -> str:
    return f"{budget.cost} cost" if budget.measure == "cost" else budget.measure.replace("gpu_", "GPU ")


def _overlap(one: Budget, two: Budget) -> bool:
    return not (
        (one.valid_to and two.valid_from and one.valid_to <= two.valid_from)
        or (two.valid_to and one.valid_from and two.valid_to <= one.valid_from)
    )


def _rhythm(budgets: Budgets, budget: Budget) -> tuple[str, ...]:
    """The same for budgets whose periods are the same."""
    period = budget.period if isinstance(budget.period, str) else budget.period.model_dump_json()
    dates = (str(budget.valid_from), str(budget.valid_to)) if budget.period == TOTAL else ()
    return (period, budgets.zone_of(budget).key, budget.year_starts, *dates)

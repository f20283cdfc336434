"""What must be right between budgets: names that exist, no circle of parents, children within their parents."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from spendstream_schemas.scope import LABEL, Condition
from stream_jobs.base.documents import PlacedProblem
from stream_jobs.budget_terms.document import Budget, BudgetsDocument, ListedPeriod
from stream_jobs.currencies.document import USD
from stream_jobs.series.measures import MAX_LABELS

MAX_NAMED: Final = 8


def problems_between(document: BudgetsDocument) -> list[str]:
    """Everything that is wrong, one sentence each, with its place; empty when the budgets can be used."""
    by_id = {budget.id: budget for budget in document.budgets}
    ids = [budget.id for budget in document.budgets]
    found: list[str] = [
        PlacedProblem(f"budget {budget_id!r}: {count} budgets have this id", ("budgets", ids.index(budget_id)))
        for budget_id, count in Counter(ids).items()
        if count > 1
    ]
    circles = _circles(by_id)
    for number, budget in enumerate(document.budgets):
        texts = [*_unknown_names(budget, document), *_parent_problems(budget, by_id, circles)]
        found += [PlacedProblem(f"budget {budget.id!r}: {text}", ("budgets", number)) for text in texts]
    return [*found, *_too_many_labels(document.budgets)]


def labels_of(budgets: Iterable[Budget]) -> list[str]:
    """The names of the labels that these look at."""
    fields = {field for budget in budgets for field in (*budget.scope, *budget.per) if field.startswith(LABEL)}
    return sorted(field.removeprefix(LABEL) for field in fields)


def _too_many_labels(budgets: Iterable[Budget]) -> list[str]:
    names = labels_of(budgets)
    if len(names) <= MAX_LABELS:
        return []
    text = (
        f"budgets: look at {len(names)} labels ({', '.join(names)}), at most {MAX_LABELS} can be watched: take the "
        "others into an attribution field (project, feature, customer, ...) with a rule in attribution.yaml"
    )
    return [PlacedProblem(text, ("budgets",))]


def _unknown_names(budget: Budget, document: BudgetsDocument) -> list[str]:
    found = []
    if budget.currency != USD and budget.currency not in document.currencies:
        found.append(f"currency: there is no rate of {budget.currency} in currencies")
    if isinstance(budget.period, ListedPeriod) and budget.period.calendar not in document.calendars:
        known = ", ".join(document.calendars) or "none"
        found.append(f"period: there is no calendar {budget.period.calendar!r}; known: {known}")
    return found


def _circles(by_id: Mapping[str, Budget]) -> dict[str, list[str]]:
    """Each budget that is above itself, with its circle. Every budget is passed once, however long the chains are."""
    found: dict[str, list[str]] = {}
    passed: set[str] = set()
    for start in by_id:
        path: dict[str, None] = {}
        above: str | None = start
        while above is not None and above in by_id and above not in passed:
            passed.add(above)
            path[above] = None
            above = by_id[above].parent
        if above is not None and above in path:
            ids = list(path)
            circle = ids[ids.index(above) :]
            found.update(dict.fromkeys(circle, circle))
    return found


def _round(budget_id: str, circle: list[str]) -> str:
    """From the budget to itself; of a large circle the beginning."""
    at = circle.index(budget_id)
    following = [circle[(at + number) % len(circle)] for number in range(min(len(circle), MAX_NAMED))]
    return " in ".join([*following, *(["..."] if len(circle) > MAX_NAMED else []), budget_id])


def _parent_problems(budget: Budget, by_id: Mapping[str, Budget], circles: Mapping[str, list[str]]) -> list[str]:
    if budget.parent is None:
        return []
    if budget.parent not in by_id:
        return [f"parent: there is no budget {budget.parent!r}"]
    if budget.id in circles:
        return [f"parent: goes round in a circle: {_round(budget.id, circles[budget.id])}"]
    return _wider_than_parent(budget, by_id[budget.parent])


def _wider_than_parent(budget: Budget, parent: Budget) -> list[str]:
    found = []
    for field, outer in parent.scope.items():
        inner = budget.scope.get(field)
        if inner is None:
            found.append(f"scope: has no condition on {field}, but its parent {parent.id!r} has")
        elif narrows(inner, outer) is False:
            found.append(f"scope: {field} holds for values that it does not hold for in its parent {parent.id!r}")
    return found


def narrows(inner: Condition, outer: Condition) -> bool | None:
    """Whether every value that `inner` holds for is one that `outer` holds for; None when it cannot be told."""
    if inner.any_of is not None:
        return all(outer.holds(value) for value in inner.any_of)
    if inner.missing:
        return outer.holds("")
    if inner.none_of is not None:  # holds for the missing value and for nearly all others
        return outer.none_of is not None and set(outer.none_of) <= set(inner.none_of)
    found = {_values_narrow(glob, inner, outer) for glob in inner.globs or (None,)}
    return False if False in found else (None if None in found else True)


def _values_narrow(glob: str | None, inner: Condition, outer: Condition) -> bool | None:
    """The same for one inner glob, or (None) for any value at all: neither holds for a missing value."""
    if outer.missing is not None:
        return not outer.missing
    if outer.none_of is not None:
        return not any(inner.holds(value) for value in outer.none_of)
    if outer.glob is not None:
        return True if {glob, "*"} & {*outer.globs} else None
    # The outer is a list. A pattern of a few texts can lie within one; nothing with a * does.
    return False if glob is None or "*" in glob.partition("[")[0] else None

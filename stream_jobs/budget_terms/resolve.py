"""Budgets that can be used: from the file, from what was set while running, and what each is worth in which period."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Context, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from spendstream_schemas.budget_feed import BudgetPolicy, PolicyStep
from spendstream_schemas.budget_feed import Quota as QuotaRecord
from spendstream_schemas.scope import version_of
from stream_jobs.base.documents import PlacedProblem, blaming, checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.files import is_there
from stream_jobs.base.instants import time_zone
from stream_jobs.base.money import pico_from_usd
from stream_jobs.base.yaml_files import place_and_problem, read_yaml
from stream_jobs.budget_terms.checks import problems_between
from stream_jobs.budget_terms.credits import Credits
from stream_jobs.budget_terms.document import (
    FILE_NAME,
    PERIOD_TAGS,
    TOTAL,
    Budget,
    BudgetsDocument,
    ListedPeriod,
    RollingPeriod,
    Step,
    Weekday,
)
from stream_jobs.budget_terms.feed_money import NOTHING_USES_IT_UP
from stream_jobs.budget_terms.fields import window_length
from stream_jobs.budget_terms.units import IN_USD, Unit
from stream_jobs.currencies.document import USD
from stream_jobs.currencies.rates import rate_at, read_currencies, together
from stream_jobs.series import calendar
from stream_jobs.series.calendar import Calendar, Period
from stream_jobs.series.measures import Measure
from stream_jobs.series.spec import SeriesSpec

_UP: Final = Context(prec=60, rounding=ROUND_CEILING)
_MOST_PERCENT: Final = Decimal(100_000)
_PLAIN: Final[dict[str, Callable[[ZoneInfo], Calendar]]] = {
    "hour": calendar.hours,
    "day": calendar.days,
    "month": calendar.months,
}
_MEASURES: Final[dict[str, Measure]] = {
    "list": "list_cost",
    "contracted": "contracted_cost",
    "effective": "effective_cost",
    "tokens": "tokens",
    "requests": "events",
    "gpu_hours": "gpu_seconds",
}


def measure_of(budget: Budget) -> Measure:
    """What of the ledger's entries it adds up."""
    return _MEASURES[budget.cost if budget.measure == "cost" else budget.measure]


class Budgets:
    """All budgets with what they share, checked against each other. Immutable; iterates in the order of the file."""

    def __init__(
        self, document: BudgetsDocument, *, now: datetime | None = None, credited: Credits | None = None
    ) -> None:
        """Raises ConfigError with everything that doesn't fit together. `now` decides which rates are needed."""
        now = now or datetime.now(UTC)
        self.credits = credited or Credits()
        self.document = document
        self._by_id = {budget.id: budget for budget in document.budgets}
        self._children: dict[str, list[Budget]] = {}
        for budget in document.budgets:
            if budget.parent is not None:
                self._children.setdefault(budget.parent, []).append(budget)
        problems = problems_between(document)
        if not problems:
            self._calendars = {budget.id: self._calendar(budget) for budget in document.budgets}
            problems = [
                PlacedProblem(text, ("budgets", number))
                for number, budget in enumerate(document.budgets)
                for text in self._missing_rates(budget, now)
            ]
        if problems:
            raise ConfigError(problems)

    def with_credits(self, credited: Credits) -> "Budgets":
        """The same budgets, and these credits."""
        other = copy(self)
        other.credits = credited
        return other

    @cached_property
    def version(self) -> str:
        """Hash of the content: comments, layout and short forms don't change it."""
        content = json.dumps(self.document.model_dump(mode="json", exclude_none=True), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def __iter__(self) -> Iterator[Budget]:
        return iter(self.document.budgets)

    def __len__(self) -> int:
        return len(self.document.budgets)

    def __contains__(self, budget_id: object) -> bool:
        return budget_id in self._by_id

    def get(self, budget_id: str) -> Budget | None:
        return self._by_id.get(budget_id)

    def children(self, budget_id: str) -> tuple[Budget, ...]:
        """The budgets whose parent it is, in order."""
        return tuple(self._children.get(budget_id, ()))

    def zone_of(self, budget: Budget) -> ZoneInfo:
        return time_zone(budget.timezone or self.document.timezone)

    def calendar_of(self, budget: Budget) -> Calendar:
        """Its periods. One of these budgets is meant; the same object every time."""
        return self._calendars[budget.id]

    def series_of(self, budget: Budget) -> SeriesSpec:
        """What is added up of it."""
        return SeriesSpec(budget.scope, budget.per, measure_of(budget), self.calendar_of(budget))

    def in_force(self, budget: Budget, at: datetime) -> bool:
        """Whether it counts at that instant, by its valid_from and valid_to."""
        local = at.astimezone(self.zone_of(budget)).date()
        return (budget.valid_from is None or budget.valid_from <= local) and (
            budget.valid_to is None or local < budget.valid_to
        )

    def amount_pico(self, budget: Budget, period_start: datetime, values: tuple[str, ...] = ()) -> int:
        """The amount, in 1e-12 of what is counted (pico-USD), of the period that starts then, for these values of the
        fields in `per`."""
        return self.unit_of(budget, period_start).pico(budget.amount_of(values))

    def credit_pico(self, budget: Budget, period: Period, values: tuple[str, ...]) -> int:
        """What the amount of a period has of credits, in 1e-12 of what is counted; negative for cuts."""
        credit = self.credits.of(budget.id, self.calendar_of(budget), period, values)
        return self.unit_of(budget, period.start).pico(credit) if credit else 0

    def unit_of(self, budget: Budget, period_start: datetime) -> Unit:
        """What its amounts are in. Of a currency: at the rate of the date on which the period starts.

        Periods before the first rate have the first rate.
        """
        if budget.measure != "cost":
            return Unit(budget.measure)
        if budget.currency == USD:
            return IN_USD
        day = period_start.astimezone(self.zone_of(budget)).date()
        rates = self.document.currencies[budget.currency]
        rate = rate_at(rates, day) or rates[0]
        return Unit(budget.currency, rate.usd)

    def unpriced_upper_bound_pico(self, budget: Budget) -> int:
        """What one event without a price is held at."""
        bound = budget.unpriced_upper_bound_usd
        return pico_from_usd(self.document.unpriced_upper_bound_usd if bound is None else bound)

    def policy_record(self, budget: Budget, at: datetime) -> BudgetPolicy:
        """What services are told about it, with the amount of the period that holds the instant."""
        period = self.calendar_of(budget).period_at(at)
        unit = self.unit_of(budget, at if period is None else period.start)
        amount = unit.kept(unit.pico(budget.amount))
        return BudgetPolicy(
            schema_version=2 if version_of(budget.scope, budget.per) == 2 else 1,
            budget_id=budget.id,
            scope=budget.scope,
            per=budget.per,
            steps=tuple(_step_record(step, budget.amount, unit) for step in budget.policy.steps),
            fail=budget.policy.fail,
            owner=budget.owner,
            parent=budget.parent,
            amount_usd=amount if unit.is_money else NOTHING_USES_IT_UP,
            quota=None if budget.measure == "cost" else QuotaRecord(unit=budget.measure, amount=amount),
        )

    def _calendar(self, budget: Budget) -> Calendar:
        zone = self.zone_of(budget)
        if isinstance(budget.period, RollingPeriod):
            return calendar.Window(window_length(budget.period.rolling))
        if budget.period == TOTAL:
            assert budget.valid_from is not None
            return calendar.total(zone, budget.valid_from, budget.valid_to)
        if isinstance(budget.period, ListedPeriod):
            return calendar.listed(zone, budget.period.calendar, self.document.calendars[budget.period.calendar])
        if budget.period in _PLAIN:
            return _PLAIN[budget.period](zone)
        if budget.period == "week":
            return calendar.weeks(zone, get_args(Weekday).index(self.document.week_starts_on))
        month, day = (int(part) for part in budget.year_starts.split("-"))
        return (calendar.quarters if budget.period == "quarter" else calendar.years)(zone, month, day)

    def _missing_rates(self, budget: Budget, now: datetime) -> list[str]:
        """The rate at the start of its first period from now on has to be known."""
        if budget.currency == USD:
            return []
        zone = self.zone_of(budget)
        first = budget.valid_from or date.min
        at = max(now, calendar.first_instant(zone, first)) if first > date.min else now
        period = self.calendar_of(budget).period_at(at)
        needed = (at if period is None else period.start).astimezone(zone).date()
        oldest = self.document.currencies[budget.currency][0].valid_from
        if oldest <= needed:
            return []
        return [
            f"budget {budget.id!r}: its period starts on {needed}, but the first rate of {budget.currency} is valid "
            f"from {oldest}: add the rate of {needed} or earlier"
        ]


def _step_record(step: Step, amount: Decimal, unit: Unit) -> PolicyStep:
    """An amount also as a percent, rounded up, for guards that know no amounts; and for those that know no forecasts,
    the share that is certain to be passed once it is used."""
    percent, at = step.at_percent, None
    if step.at_amount is not None:
        at = unit.kept(unit.pico(step.at_amount))
        share = _UP.divide(step.at_amount * 100, amount) if amount else Decimal(100)
        percent = min(_MOST_PERCENT, _UP.quantize(share, Decimal("0.001")))
    if percent is None:
        percent = step.at_forecast_percent
    assert percent is not None
    return PolicyStep(
        at_percent=percent,
        at=at,
        at_forecast_percent=step.at_forecast_percent,
        action=step.action,
        max_input_tokens=step.max_input_tokens,
        max_output_tokens=step.max_output_tokens,
    )


def load_budgets(config_dir: Path | None, *, now: datetime | None = None) -> Budgets:
    """Those of `<config_dir>/budgets.yaml`, none without the file, with the rates of `currencies.yaml` too. Raises
    ConfigError with everything that is wrong."""
    path = config_dir / FILE_NAME if config_dir else None
    if path is None or not is_there(path):
        return Budgets(BudgetsDocument(currencies=read_currencies(config_dir)), now=now)
    return read_budgets(path, now=now)


def read_budgets(path: Path, *, now: datetime | None = None) -> Budgets:
    """Those of a file, with the rates of `currencies.yaml` beside it. Raises ConfigError with everything that is
    wrong."""
    shared = read_currencies(path.parent)
    source = read_yaml(path)
    document = checked(source, BudgetsDocument, label="id", hidden=PERIOD_TAGS)
    with blaming(source):
        rates = together(shared, document.currencies)
        return Budgets(document.model_copy(update={"currencies": rates}), now=now)


def budget_from_json(text: str | bytes) -> Budget:
    """One budget, as in the file, in JSON. Raises ConfigError. What concerns others is checked when it is merged."""
    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_unique)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigError(f"budget: is not valid JSON: {error}") from None
    try:
        return Budget.model_validate(data)
    except ValidationError as error:
        name = f"budget {data['id']!r}" if isinstance(data, dict) and isinstance(data.get("id"), str) else "budget"
        raise ConfigError([f"{name}: {text}" for text in _problems(data, error)]) from None


def budget_to_json(budget: Budget) -> str:
    """What `budget_from_json` reads back as the same budget."""
    return budget.model_dump_json(exclude_none=True)


def merge(base: Budgets, overrides: Mapping[str, Budget | None], *, now: datetime | None = None) -> Budgets:
    """`base` with what was set (a budget, under its id) and removed (None) while running.

    A budget keeps its place; new ones follow by id. Raises ConfigError when the result doesn't fit together.
    """
    kept = [overrides.get(budget.id, budget) for budget in base]
    added = [overrides[budget_id] for budget_id in sorted(overrides) if budget_id not in base]
    budgets = tuple(budget for budget in (*kept, *added) if budget is not None)
    return Budgets(base.document.model_copy(update={"budgets": budgets}), now=now, credited=base.credits)


def merge_fitting(
    base: Budgets, overrides: Mapping[str, Budget | None], *, now: datetime | None = None
) -> tuple[Budgets, list[str]]:
    """The same for a job that has to go on: overrides that don't fit are left out, and the problems are returned."""
    try:
        return merge(base, overrides, now=now), []
    except ConfigError:
        pass
    merged, taken, waiting = base, dict[str, Budget | None](), dict(sorted(overrides.items()))
    while True:  # again as long as one is taken: a child can come before its parent
        refused: dict[str, tuple[str, ...]] = {}
        for budget_id, budget in waiting.items():
            try:
                merged = merge(base, {**taken, budget_id: budget}, now=now)
                taken[budget_id] = budget
            except ConfigError as error:
                refused[budget_id] = error.problems
        if len(refused) == len(waiting):
            return merged, [problem for problems in refused.values() for problem in problems]
        waiting = {budget_id: waiting[budget_id] for budget_id in refused}


def _problems(data: Any, error: ValidationError) -> list[str]:
    return [
        place_and_problem(data, [part for part in item["loc"] if part not in PERIOD_TAGS], item["msg"], label="id")
        for item in error.errors(include_url=False)
    ]


def _no_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found

"""The form of `budgets.yaml`: what an operator may write. What concerns several budgets at once is in checks.py.

Amounts are Decimals from the text in the file to the pico-USD they become; a float is refused.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from spendstream_schemas.alert_feed import Sentence, Severity
from spendstream_schemas.budget_feed import ACTIONS, Action, BudgetId, FailMode, Percent, StepTokens
from spendstream_schemas.scope import Scope, ScopeField
from spendstream_schemas.types import Text64, exact_input
from stream_jobs.attribution.document import Text, text_hint
from stream_jobs.base.readable import exact
from stream_jobs.budget_terms.fields import (
    AmountOrNothing,
    CalendarName,
    Duration,
    PositivePercent,
    YearStarts,
    Zone,
    check_one_of,
    check_rising,
)
from stream_jobs.budget_terms.units import WHOLE
from stream_jobs.currencies.document import USD, Amount, Currencies, CurrencyCode, Day, rising_dates, without_usd

FILE_NAME: Final = "budgets.yaml"
SCHEMA_FILE_NAME: Final = "budgets.schema.json"
MAX_BUDGETS: Final = 10_000
TOTAL: Final = "total"
NAMED_PERIODS: Final = ("hour", "day", "week", "month", "quarter", "year", TOTAL)


Cost = Literal["effective", "contracted", "list"]
Measured = Literal["cost", "tokens", "requests", "gpu_hours"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RollingPeriod(_Part):
    """The last so many hours or days up to now, always."""

    rolling: Duration = Field(description="Whole hours (24h) or days of 24 hours (7d), at most 366d.")


class ListedPeriod(_Part):
    """Periods of one of the `calendars`."""

    calendar: CalendarName = Field(description="The name of one of the `calendars`.")


PERIOD_TAGS: Final = ("(named)", "(rolling)", "(calendar)")
"""Parts of pydantic's places that are not in the file."""


def _kind_of_period(value: Any) -> str | None:
    if isinstance(value, str):
        return PERIOD_TAGS[0]
    for tag, name, model in ((PERIOD_TAGS[1], "rolling", RollingPeriod), (PERIOD_TAGS[2], "calendar", ListedPeriod)):
        if isinstance(value, model) or (isinstance(value, dict) and name in value):
            return tag
    return None


BudgetPeriod = Annotated[
    Annotated[Literal["hour", "day", "week", "month", "quarter", "year", "total"], Tag(PERIOD_TAGS[0])]
    | Annotated[RollingPeriod, Tag(PERIOD_TAGS[1])]
    | Annotated[ListedPeriod, Tag(PERIOD_TAGS[2])],
    Discriminator(
        _kind_of_period,
        custom_error_type="period",
        custom_error_message=f"must be one of {', '.join(NAMED_PERIODS)}, {{rolling: 24h}} or {{calendar: NAME}}",
    ),
]


class Threshold(_Part):
    """A share of the amount, or an amount, at which people are told. A number alone is short for {at_percent: ...}."""

    at_percent: PositivePercent | None = Field(default=None, description="Percent of the period's amount.")
    at_amount: Amount | None = Field(
        default=None, description="In place of at_percent: in the budget's currency, or what its quota counts."
    )
    severity: Severity | None = Field(
        default=None,
        description="Default: warning below 100 percent and for forecasts, critical from 150 on, else error.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, Threshold)) else {"at_percent": value}

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        check_one_of(self.at_percent, self.at_amount)
        return self

    def severity_of(self, amount: Decimal, *, forecast: bool) -> Severity:
        """The severity given, or else the default, of a budget with this amount."""
        if self.severity is not None:
            return self.severity
        reached, whole = (self.at_percent, Decimal(100)) if self.at_amount is None else (self.at_amount, amount)
        assert reached is not None
        if forecast or reached < whole:
            return "warning"
        return "error" if 2 * reached < 3 * whole or not whole else "critical"


def _one_required(schema: dict[str, Any], names: Sequence[str]) -> None:
    """Exactly one of these; none may be null."""
    for name in names:
        given = schema["properties"][name]
        given.pop("default", None)
        kinds = [kind for kind in given.pop("anyOf") if kind != {"type": "null"}]
        given |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    schema["oneOf"] = [{"required": [name]} for name in names]


def _threshold_short_form(schema: dict[str, Any]) -> None:
    full = {key: schema.pop(key) for key in list(schema) if key != "description"}
    _one_required(full, ("at_percent", "at_amount"))
    schema["anyOf"] = [full["properties"]["at_percent"], full]


Threshold.model_config["json_schema_extra"] = _threshold_short_form


def _rising(items: "Sequence[Threshold | Step]") -> None:
    """Raises ValueError where percents, or amounts, do not rise. Which of a percent and an amount is more depends on
    the period."""
    check_rising([item.at_percent for item in items if item.at_percent is not None])
    check_rising([item.at_amount for item in items if item.at_amount is not None], "amounts")


def _rising_thresholds(thresholds: tuple[Threshold, ...]) -> tuple[Threshold, ...]:
    _rising(thresholds)
    return thresholds


ThresholdList = Annotated[tuple[Threshold, ...], Field(max_length=20), AfterValidator(_rising_thresholds)]


class Thresholds(_Part):
    """When people are told; an empty list switches it off."""

    actual: ThresholdList = Field(
        default=(Threshold(at_percent=Decimal(80)), Threshold(at_percent=Decimal(100))),
        description="Of what is spent and held. Default: [80, 100].",
    )
    forecast: ThresholdList = Field(
        default=(Threshold(at_percent=Decimal(100)),),
        description="Of what will be spent by the period's end if it goes on like this. Default: [100].",
    )


class Step(_Part):
    """What services do from a share of the amount, from an amount on, or while one is forecast to be passed."""

    at_percent: Annotated[Percent, BeforeValidator(exact_input)] | None = Field(
        default=None, description="Percent of the period's amount."
    )
    at_amount: Amount | None = Field(
        default=None, description="In place of at_percent: in the budget's currency, or what its quota counts."
    )
    at_forecast_percent: PositivePercent | None = Field(
        default=None,
        description="In place of these or beside one: while the forecast says that the period will end above so many "
        "percent, and when they are used at the latest.",
    )
    action: Action = Field(description="What services do from there on.")
    max_input_tokens: StepTokens | None = Field(default=None, description="Of a `reduced` request.")
    max_output_tokens: StepTokens | None = Field(default=None, description="Of a `reduced` request.")

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        percent, foretold = self.at_percent, self.at_forecast_percent
        if foretold is None and percent is None and self.at_amount is None:
            raise ValueError("needs at_percent, at_amount or at_forecast_percent")
        if percent is not None and self.at_amount is not None:
            raise ValueError("needs either at_percent or at_amount")
        if percent is not None and foretold is not None and percent > foretold:
            raise ValueError(
                f"at_percent {exact(percent)} never counts: once at_forecast_percent, {exact(foretold)}, is used, the "
                "step applies"
            )
        return self


def _step_forms(schema: dict[str, Any]) -> None:
    """at_percent or at_amount, not both, or at_forecast_percent alone."""
    names = ("at_percent", "at_amount", "at_forecast_percent")
    _one_required(schema, names)
    schema["oneOf"][2]["not"] = {"anyOf": [{"required": [name]} for name in names[:2]]}


Step.model_config["json_schema_extra"] = _step_forms


class Policy(_Part):
    """What services do by themselves as the amount is used up."""

    steps: Annotated[tuple[Step, ...], Field(max_length=len(ACTIONS))] = Field(
        default=(),
        description="By rising at_percent, at_amount or at_forecast_percent, each stricter than the one before it: "
        f"{', '.join(ACTIONS)}.",
    )
    fail: FailMode = Field(
        default="open",
        description="What a service does that cannot know the budget's state: go on (open) or refuse (closed).",
    )

    @model_validator(mode="after")
    def _ladder(self) -> Self:
        _rising(self.steps)
        check_rising(self.forecast_percents, "forecast percents")
        for one, two in pairwise(self.steps):
            if ACTIONS.index(one.action) >= ACTIONS.index(two.action):
                raise ValueError(f"steps must get stricter: {two.action} comes after {one.action}")
        for step in self.steps:
            if step.action != "reduced" and (step.max_input_tokens or step.max_output_tokens):
                raise ValueError(f"max_input_tokens and max_output_tokens belong to reduced, not to {step.action}")
        return self

    @property
    def forecast_percents(self) -> tuple[Decimal, ...]:
        """That its steps ask the forecast about."""
        found = (step.at_forecast_percent for step in self.steps)
        return tuple(percent for percent in found if percent is not None)


class CarryOver(_Part):
    """What a period leaves to the next one."""

    unused: bool = Field(default=False, description="What was not spent is added to the next period's amount.")
    overspend: bool = Field(
        default=False, description="What was spent too much is taken from the next period's amount."
    )
    max: Amount | None = Field(
        default=None, description="At most so much is carried, either way, in the budget's currency."
    )
    since: Day = Field(description="Periods before the one that holds this date leave nothing.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.unused and not self.overspend:
            raise ValueError("carries nothing: set unused, overspend or both to true")
        return self


class Budget(_Part):
    """An amount that what is in scope may cost per period."""

    id: BudgetId = Field(description="Never changes and is never used again: alerts and states are kept under it.")
    name: Text = Field(description="What people read in alerts.")
    description: Annotated[str, Field(max_length=1000)] | None = Field(default=None, description="For people.")
    scope: Scope = Field(default_factory=dict, description="All conditions must hold; none: everything counts.")
    per: Annotated[tuple[ScopeField, ...], Field(max_length=4)] = Field(
        default=(),
        description="Each combination of values of these fields has a budget of its own, of the same amount.",
    )
    amount: AmountOrNothing = Field(
        description="Per period, in the budget's currency, or what it measures. 0: nothing may be spent."
    )
    amounts: dict[Annotated[str, Field(max_length=256), BeforeValidator(text_hint)], AmountOrNothing] = Field(
        default_factory=dict, description="Other amounts for some values of the only field in `per`."
    )
    measure: Measured = Field(
        default="cost",
        description="What counts: cost, or as a quota tokens (input and output), requests or gpu_hours.",
    )
    currency: CurrencyCode = Field(
        default=USD, description="USD, or one of the `currencies`, here or in currencies.yaml."
    )
    cost: Cost = Field(default="effective", description="Which cost counts.")
    period: BudgetPeriod = Field(
        description="hour, day, week, month, quarter, year, total (from valid_from on, and never anew), {rolling: 24h} "
        "or {calendar: NAME}."
    )
    timezone: Zone | None = Field(default=None, description="Where its periods begin, if not in the file's time zone.")
    year_starts: YearStarts = Field(
        default="01-01", description="Month, or month and day, on which years begin for quarters and years: 04-06."
    )
    thresholds: Thresholds = Field(default=Thresholds(), description="A list alone is short for {actual: list}.")
    parent: BudgetId | None = Field(default=None, description="The budget that this one is a part of.")
    carry_over: CarryOver | None = Field(default=None, description="What a period leaves to the next.")
    valid_from: Day | None = Field(
        default=None, description="First local date on which it is in force; the period of that date counts whole."
    )
    valid_to: Day | None = Field(default=None, description="First local date on which it no longer counts.")
    owner: Text | None = Field(default=None, description="Who answers for it.")
    channels: Annotated[tuple[Text64, ...], Field(max_length=16)] = Field(
        default=(), description="Receivers of its alerts, beside those that the routes in alerts.yaml find."
    )
    policy: Policy = Field(default=Policy(), description="What services do when it is used up.")
    unpriced_upper_bound_usd: Amount | None = Field(default=None, description="Replaces the file's.")
    link: Annotated[str, Field(max_length=1000, pattern=r"^https?://")] | None = Field(
        default=None, description="Runbook or dashboard, shown in its alerts."
    )
    what_to_do: Sentence | None = Field(default=None, description="Shown in its alerts.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("thresholds"), (list, tuple)):
            return value | {"thresholds": {"actual": value["thresholds"]}}
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fiscal = self.period in ("quarter", "year")
        if self.year_starts != "01-01" and not fiscal:
            raise ValueError("year_starts belongs to the periods quarter and year")
        if self.carry_over is not None and isinstance(self.period, RollingPeriod):
            raise ValueError("carry_over: a rolling period never ends, so it leaves nothing")
        if self.amounts and len(self.per) != 1:
            raise ValueError("amounts needs exactly one field in per")
        if len(set(self.per)) < len(self.per):
            raise ValueError("per: names a field twice")
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValueError(f"valid_from {self.valid_from} is not before valid_to {self.valid_to}")
        if self.period == TOTAL:
            if self.valid_from is None:
                raise ValueError("period: total needs valid_from: the date from which on everything counts")
            if self.carry_over is not None:
                raise ValueError("carry_over: a total never ends, so it leaves nothing")
        if self.policy.forecast_percents and self._never_ends:
            raise ValueError("policy: at_forecast_percent needs a period that ends: of this one nothing is foretold")
        if self.measure != "cost":
            self._check_quota()
        return self

    @property
    def _never_ends(self) -> bool:
        return isinstance(self.period, RollingPeriod) or (self.period == TOTAL and self.valid_to is None)

    def _check_quota(self) -> None:
        """Raises ValueError for what a quota does not have."""
        for name, nothing in (("currency", USD), ("cost", "effective"), ("unpriced_upper_bound_usd", None)):
            if getattr(self, name) != nothing:
                raise ValueError(f"{name}: a quota of {self.measure} has none")
        if self.measure in WHOLE:
            for amount in (self.amount, *self.amounts.values(), *self.stated_thresholds):
                if amount != amount.to_integral_value():
                    raise ValueError(f"a quota of {self.measure} has whole numbers, not {exact(amount)}")

    @property
    def foretold_percents(self) -> tuple[Decimal, ...]:
        """Of the amount, whose passing is forecast: what people are told, and what services do by it. Not those that
        are stated as amounts."""
        told = (item.at_percent for item in self.thresholds.forecast)
        return (*(percent for percent in told if percent is not None), *self.policy.forecast_percents)

    @property
    def stated_thresholds(self) -> tuple[Decimal, ...]:
        """Everything that is stated as an amount beside the amount itself."""
        thresholds = (*self.thresholds.actual, *self.thresholds.forecast)
        found = [*(item.at_amount for item in thresholds), *(step.at_amount for step in self.policy.steps)]
        return tuple(amount for amount in found if amount is not None)

    def amount_of(self, values: tuple[str, ...]) -> Decimal:
        """What is stated for these values of the fields in `per`."""
        return self.amounts[values[0]] if self.has_own_amount(values) else self.amount

    def has_own_amount(self, values: tuple[str, ...]) -> bool:
        """Whether `amounts` says another one of them."""
        return len(values) == 1 and values[0] in self.amounts


Dates = Annotated[tuple[Day, ...], Field(min_length=2), AfterValidator(rising_dates)]


class BudgetsDocument(_Part):
    """Budgets: what may be spent, on what, until when. See stream_jobs/budgets/README.md."""

    timezone: Zone = Field(
        default="UTC", description="IANA name of the zone in which periods begin, such as Europe/Berlin."
    )
    week_starts_on: Weekday = Field(default="monday", description="The day on which weeks begin.")
    currencies: Annotated[Currencies, AfterValidator(without_usd)] = Field(
        default_factory=dict, description="Other currencies than USD. Or in currencies.yaml, for figures too."
    )
    calendars: dict[CalendarName, Dates] = Field(
        default_factory=dict,
        description="Rising local dates that begin periods (4-4-5 and the like); the last one only ends a period.",
    )
    unpriced_upper_bound_usd: Amount = Field(
        default=Decimal(1),
        description=(
            "What an event without a price is held at whose model the price book does not know. Where it knows the "
            "model, it is what the event may have cost."
        ),
    )
    budgets: Annotated[tuple[Budget, ...], Field(max_length=MAX_BUDGETS)] = Field(
        default=(), description="What may be spent."
    )

    model_config = ConfigDict(title="spendstream budgets")

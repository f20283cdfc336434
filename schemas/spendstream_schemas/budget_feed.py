"""The records of `budget.state.v1`: what every service knows about every budget, a second after it happened.

The topic is compacted by key: `policy/ID` says what a budget demands, `state/ID/VALUES` how far it is used up, and
`heartbeat` that somebody keeps count. A record without a value takes back what its key said.

A policy that readers of version 1 do not understand stands under `policy/ID@2`, and nothing then stands under
`policy/ID`: they neither go on with what the budget demanded before, nor take its scope for another one. They count a
record that they cannot read, and go on without the budget.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, model_validator

from spendstream_schemas.scope import MAX_FIELDS, Scope, ScopeField, version_of
from spendstream_schemas.types import MAX_COUNT, PLAIN, Instant, Message, Text128, Usd, canonical

END_OF_TOTALS: Final = datetime(2050, 1, 1, tzinfo=UTC)
"""When a period ends that has no end. The store keeps it until then and some time after, which it counts in seconds up
to 2106."""
BudgetId = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Percent = Annotated[
    Decimal,
    Field(ge=0, le=100_000, max_digits=9, decimal_places=3, allow_inf_nan=False),
    AfterValidator(canonical),
    PLAIN,
]
ForecastPercent = Annotated[
    Decimal,
    Field(gt=0, le=100_000, max_digits=9, decimal_places=3, allow_inf_nan=False),
    AfterValidator(canonical),
    PLAIN,
]
"""Nothing is always used, and never forecast."""
MAX_STEPS: Final = 100
Action = Literal["full", "reduced", "cached_only", "essential_only", "refuse"]
ACTIONS: Final[tuple[Action, ...]] = ("full", "reduced", "cached_only", "essential_only", "refuse")
"""From the mildest to the strictest."""
FailMode = Literal["open", "closed"]
"""What a service does that cannot know a budget's state: go on (open) or refuse (closed)."""


StepTokens = Annotated[int, Field(ge=1, le=MAX_COUNT)]
QuotaUnit = Literal["tokens", "requests", "gpu_hours"]


class PolicyStep(Message):
    """What services do from a share of the amount, from an amount on, or while a forecast says that it will be passed.
    A step includes those that are milder."""

    at_percent: Percent  # where `at` is given: about the same, for guards that do not know it
    at: Usd | None = None  # counts in place of at_percent: USD, or of a quota its unit
    at_forecast_percent: ForecastPercent | None = None  # beside it: also while a state's forecast_percents reach it
    action: Action
    max_input_tokens: StepTokens | None = None  # of a `reduced` request
    max_output_tokens: StepTokens | None = None


class Quota(Message):
    """What may be used of something else than money. A guard that does not know quotas leaves it out, and sees a budget
    of money that nothing uses up: `amount_usd` is then the most that there is, and nothing of it is spent."""

    unit: QuotaUnit
    amount: Usd  # so many of the unit
    used: Usd = Decimal(0)


class BudgetPolicy(Message):
    """What a budget covers and demands. Key: `policy/ID`, or `policy/ID@2` of version 2."""

    type: Literal["policy"] = "policy"
    schema_version: Literal[1, 2] = 1  # 2 where a reader of 1 would not understand the scope: see `version_of`
    budget_id: BudgetId
    scope: Scope
    per: Annotated[
        tuple[ScopeField, ...], Field(max_length=MAX_FIELDS)
    ] = ()  # each combination of values of these has a budget of its own
    steps: Annotated[tuple[PolicyStep, ...], Field(max_length=MAX_STEPS)] = ()  # by rising at_percent
    fail: FailMode = "open"
    owner: Text128 | None = None
    parent: BudgetId | None = None
    amount_usd: Usd  # of a value whose state nobody has sent yet: it has spent nothing
    quota: Quota | None = None  # what counts in place of amount_usd

    @model_validator(mode="after")
    def _says_its_version(self) -> Self:
        if self.schema_version < (needed := version_of(self.scope, self.per)):
            raise ValueError(f"schema_version must be {needed} for this scope")
        return self


class BudgetState(Message):
    """Where one budget, of one combination of values, stands. Key: `state/ID/VALUES`, see `state_key`."""

    type: Literal["state"] = "state"
    schema_version: Literal[1] = 1
    budget_id: BudgetId
    values: Annotated[
        tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=MAX_FIELDS)
    ] = ()  # in the order of the policy's `per`
    period_start: Instant
    period_end: Instant | None = None  # none: a rolling window, which ends now
    amount_usd: Usd  # with what was carried over, and credits
    quota: Quota | None = None  # what counts in place of amount_usd and spent_usd
    spent_usd: Usd
    held_usd: Usd  # for usage without a price, at what it may have cost; not part of spent_usd
    as_of: Instant  # the ledger up to here is in the figures
    thresholds: Annotated[tuple[Percent, ...], Field(max_length=MAX_STEPS)] = ()  # those that are crossed
    threshold_amounts: Annotated[
        tuple[Usd, ...], Field(max_length=MAX_STEPS)
    ] = ()  # those that are amounts, in the budget's own currency or unit
    burn_usd_per_hour: Usd | None = None
    forecast_usd: Usd | None = None  # at the period's end, if it goes on like this
    exhausted_at: Instant | None = None  # when the amount is used up, if it goes on like this
    forecast_percents: Annotated[tuple[ForecastPercent, ...] | None, Field(max_length=MAX_STEPS)] = (
        None  # of the amount: the forecast says, by its protocol, that the period will end above these
    )
    next_amount: Usd | None = None  # of the next period, where the policy says another one; USD, or of a quota its unit


class Heartbeat(Message):
    """Somebody keeps count. Key: `heartbeat`."""

    type: Literal["heartbeat"] = "heartbeat"
    schema_version: Literal[1] = 1
    at: Instant
    job: Text128  # changes when another process takes over


BudgetRecord = Annotated[BudgetPolicy | BudgetState | Heartbeat, Field(discriminator="type")]
BUDGET_RECORD: Final[TypeAdapter[BudgetPolicy | BudgetState | Heartbeat]] = TypeAdapter(BudgetRecord)
HEARTBEAT_KEY: Final = "heartbeat"
POLICY_VERSIONS: Final = (1, 2)


def policy_key(budget_id: str, version: int = 1) -> str:
    """`version`: the policy's `schema_version`."""
    return f"policy/{budget_id}" if version == 1 else f"policy/{budget_id}@{version}"


def state_key(budget_id: str, values: tuple[str, ...]) -> str:
    """Length prefixes keep values apart that hold the separator."""
    return f"state/{budget_id}/{'/'.join(f'{len(value)}:{value}' for value in values)}"


def record_key(record: BudgetPolicy | BudgetState | Heartbeat) -> str:
    """The key under which a record replaces the one before it."""
    if isinstance(record, BudgetPolicy):
        return policy_key(record.budget_id, record.schema_version)
    if isinstance(record, BudgetState):
        return state_key(record.budget_id, record.values)
    return HEARTBEAT_KEY

"""What a report says. Amounts are exact Decimals of USD; instants are UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from stream_jobs.anomalies.found import Found
from stream_jobs.budget_terms.units import Unit

ZERO = Decimal(0)
Judged = Literal["judged", "too_early", "never"]
"""Whether there was anybody to say what is unusual: yes; yes, but nothing has enough history; nobody."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the whole period. Costs cover what has a price; `unpriced_events` says how many events have none."""

    entries: int = 0  # ledger rows
    events: int = 0
    list_cost: Decimal = ZERO
    contracted_cost: Decimal = ZERO
    effective_cost: Decimal = ZERO
    avoided_cost: Decimal = ZERO  # what the services' own caches saved
    unpriced_events: int = 0
    unallocated_events: int = 0
    unallocated_cost: Decimal = ZERO
    cached_responses: int = 0
    errors: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """The costs of one team, model, user, ... An empty name is what nobody has claimed."""

    name: str
    effective_cost: Decimal
    contracted_cost: Decimal
    list_cost: Decimal
    events: int
    unpriced_events: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Costs by one dimension: the largest, and `rest` for the `rest_groups` others. All together are `total`."""

    dimension: str
    shares: tuple[Share, ...]
    rest: Share | None
    rest_groups: int
    total: Share


@dataclass(frozen=True, slots=True)
class Series:
    """Effective cost per bucket: one row of `values` per name, the last name being all others (if there are any).

    By model it covers the calls of models only: GPU jobs, storage and the like have none.
    """

    names: tuple[str, ...]
    has_others: bool  # then `names` ends with "" for the others
    values: tuple[tuple[Decimal, ...], ...]


@dataclass(frozen=True, slots=True)
class StackLevel:
    """A second level of the cost stack. Those of a category follow each other, and add up to it."""

    category: str
    subcategory: str
    effective_cost: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class CachePoint:
    """What caches did in one bucket."""

    input_tokens: int
    cache_read_tokens: int
    events: int
    cached_responses: int


@dataclass(frozen=True, slots=True)
class UnusualTime:
    """A finding that leads those of its cause."""

    found: Found
    headline: str
    why: tuple[str, ...]
    others: int  # further findings of the same cause


@dataclass(frozen=True, slots=True)
class Unusual:
    """What the job `anomalies` found in the period."""

    times: tuple[UnusualTime, ...] = ()  # in the order of time; the gravest, if there are too many
    all_times: int = 0
    silenced: int = 0  # beside these: planned, or marked as expected
    judged: Judged = "judged"


@dataclass(frozen=True, slots=True)
class Request:
    """One expensive event."""

    event_id: str
    occurred_at: datetime
    source: str
    team: str
    feature: str
    user_id: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    gpu_seconds: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Usage without a price."""

    provider: str
    model: str
    events: int
    reasons: str
    example: str


@dataclass(frozen=True, slots=True)
class Unallocated:
    """A service that leaves out mandatory tags."""

    source: str
    missing: str
    events: int
    effective_cost: Decimal


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Messages that could not be accepted."""

    reason: str
    source: str
    messages: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class EntryKind:
    """How many ledger entries of a kind there are, and what they add up to."""

    kind: str
    entries: int
    effective_cost: Decimal


@dataclass(frozen=True, slots=True)
class Crossed:
    """A threshold that is crossed."""

    percent: Decimal  # of the amount
    at: datetime
    amount: Decimal = ZERO  # in place of a percent: in the budget's currency or unit


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """Where a budget stood, for one combination of its values (none for a budget that is not per value)."""

    values: tuple[str, ...]
    period_start: datetime  # of a rolling window: of the hour in which it ended
    period_end: datetime
    amount: Decimal  # like all figures here in USD, or in what a quota counts
    used: Decimal  # spent and held
    held: Decimal  # for usage without a price, at what it may have cost
    unpriced_events: int
    over: bool  # more is used than the amount
    crossed: tuple[Crossed, ...]  # rising
    updated_at: datetime
    unit: Unit  # what the budget is stated in, which is what people read

    def threshold(self, crossed: Crossed) -> str:
        """'80 %', '500.00 EUR'; of an amount of nothing there are no percents."""
        return self.unit.threshold(crossed.percent, crossed.amount, of=self.amount)


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """One budget with its standings, those that have used most of their amount first, and how many there are in all."""

    budget_id: str
    name: str
    owner: str
    parent: str
    depth: int  # below the topmost of the budgets shown
    per: tuple[str, ...]
    window: timedelta | None  # of a rolling one
    standings: tuple[BudgetStanding, ...]
    all_values: int
    crossed_values: int  # how many of them have crossed a threshold
    over_values: int


@dataclass(frozen=True, slots=True)
class Told:
    """A receiver that heard of an alert, and when it first did."""

    receiver: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert that was opened in the period, as it stands now."""

    alert_id: str
    opened_at: datetime
    kind: str
    severity: str
    summary: str
    owner: str
    money: Decimal  # at stake
    status: str  # open, acknowledged, silenced or resolved
    acknowledged_by: str
    resolved_at: datetime | None
    resolution: str
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class ReceiverLine:
    """What became of the notifications to one receiver."""

    receiver: str
    sent: int
    failed: int  # attempts; they are tried again
    problem: str  # of the last failed attempt
    last_sent: datetime | None


@dataclass(frozen=True, slots=True)
class Watched:
    """Budgets and alerts, as far as they were known at `until`."""

    until: datetime
    budgets: tuple[BudgetReport, ...] = ()  # children below their parents
    defined: int = 0  # how many budgets there are now, whether or not they stand anywhere
    alerts: tuple[AlertLine, ...] = ()  # the gravest first
    all_alerts: int = 0
    receivers: tuple[ReceiverLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows about [start, end)."""

    start: datetime
    end: datetime
    generated_at: datetime
    bucket: timedelta
    buckets: tuple[datetime, ...]
    totals: Totals
    breakdowns: dict[str, Breakdown]  # by dimension, see queries.DIMENSIONS
    stack: tuple[StackLevel, ...]  # the dearest category first
    series: dict[str, Series]  # model, team
    cache: tuple[CachePoint, ...]  # one per bucket
    unusual: Unusual
    requests: tuple[Request, ...]  # calls of models
    jobs: tuple[Request, ...]  # GPU jobs, storage and other usage
    unpriced: tuple[Unpriced, ...]
    unallocated: tuple[Unallocated, ...]
    quarantined: tuple[Quarantined, ...]
    watched: Watched
    entry_kinds: tuple[EntryKind, ...]
    price_book_versions: tuple[str, ...]  # most used first
    attribution_versions: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return self.totals.entries == 0

"""What a report says. Amounts are exact Decimals of USD; instants are UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

ZERO = Decimal(0)


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
class CachePoint:
    """What caches did in one bucket."""

    input_tokens: int
    cache_read_tokens: int
    events: int
    cached_responses: int


@dataclass(frozen=True, slots=True)
class Driver:
    """One value of a dimension that stands out in an unusual span: its cost above its usual pace."""

    dimension: str
    name: str
    excess: Decimal


@dataclass(frozen=True, slots=True)
class UnusualSpan:
    """Neighbouring buckets in which calls of models cost more than three times the median bucket."""

    start: datetime
    end: datetime
    cost: Decimal
    usual_cost: Decimal  # the median bucket times the number of buckets
    drivers: tuple[Driver, ...]


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
class ReportData:
    """Everything a report shows about [start, end)."""

    start: datetime
    end: datetime
    generated_at: datetime
    bucket: timedelta
    buckets: tuple[datetime, ...]
    totals: Totals
    breakdowns: dict[str, Breakdown]  # by dimension, see queries.DIMENSIONS
    series: dict[str, Series]  # model, team
    cache: tuple[CachePoint, ...]  # one per bucket
    unusual: tuple[UnusualSpan, ...]
    requests: tuple[Request, ...]  # calls of models
    jobs: tuple[Request, ...]  # GPU jobs, storage and other usage
    unpriced: tuple[Unpriced, ...]
    unallocated: tuple[Unallocated, ...]
    quarantined: tuple[Quarantined, ...]
    entry_kinds: tuple[EntryKind, ...]
    price_book_versions: tuple[str, ...]  # most used first
    attribution_versions: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return self.totals.entries == 0

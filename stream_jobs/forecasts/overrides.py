"""What people expect of a time, in ClickHouse: kept beside what the model says, with who, when and why."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, cast
from uuid import uuid4

from stream_jobs.base.errors import ConfigError
from stream_jobs.base.instants import as_utc
from stream_jobs.base.readable import clock
from stream_jobs.series.measures import Measure, is_dimension
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

TOTAL: Final = "total"
BUDGET: Final = "budget"
MOST: Final = 2_000
"""Overrides at a time."""
LONGEST: Final = timedelta(days=400)
MOST_USD: Final = Decimal(10) ** 15
_COLUMNS: Final = (
    "override_id, toString(action), at, by, note, budget_id, dims, vals, measure, starts_at, ends_at, amount, "
    "model_p10, model_p50, model_p90"
)


class OfSeries(NamedTuple):
    """Whose cost it is: everything's without a budget and dimensions."""

    budget_id: str = ""
    dims: tuple[str, ...] = ()
    vals: tuple[str, ...] = ()
    measure: Measure = "effective_cost"

    @property
    def words(self) -> str:
        """As it is asked for."""
        budget = [f"{BUDGET}={self.budget_id}"] if self.budget_id else []
        pairs = [f"{name}={value}" for name, value in zip(self.dims, self.vals, strict=True)]
        return " ".join([*budget, *pairs]) or TOTAL


class Said(NamedTuple):
    """What the model said of the same time."""

    p10: Decimal
    p50: Decimal
    p90: Decimal


@dataclass(frozen=True, slots=True)
class Override:
    """One that was set."""

    override_id: str
    at: datetime
    by: str
    note: str
    series: OfSeries
    starts_at: datetime
    ends_at: datetime
    amount: Decimal  # USD of the whole time
    model: Said | None = None


Row = tuple[Literal["set", "unset"], Override]


def series_of(words: Sequence[str]) -> OfSeries:
    """'total', NAME=VALUE, or budget=ID and a NAME=VALUE for each of its `per`. Raises ConfigError."""
    if [*words] == [TOTAL]:
        return OfSeries()
    given = [word.partition("=") for word in words]
    budget = given[0][2] if given and given[0][0] == BUDGET else ""
    pairs = given[1:] if budget else given
    names = [name for name, _, _ in pairs]
    wrong = next((name for name, equals, value in pairs if not (equals and value and is_dimension(name))), None)
    if wrong is not None or (not budget and not pairs) or len({*names}) < len(names):
        raise ConfigError(
            f"{' '.join(words)[:200]!r} is no series: write {TOTAL}, NAME=VALUE such as team=search, or {BUDGET}=ID "
            "and a NAME=VALUE for each value that it is cut by"
        )
    return OfSeries(budget, tuple(names), tuple(value for _, _, value in pairs))


def in_force(rows: Iterable[Row]) -> list[Override]:
    """Of what was set and taken back, in any order, what counts: by when it begins. What was replaced does not come
    back when what replaced it is taken back."""
    found: dict[tuple[OfSeries, datetime, datetime], Override] = {}
    for action, override in sorted(rows, key=lambda row: (row[1].at, row[0], row[1].override_id)):
        key = override.series, override.starts_at, override.ends_at
        if action == "set":
            found[key] = override
        elif key in found and found[key].override_id == override.override_id:
            del found[key]
    return sorted(found.values(), key=lambda one: (one.starts_at, one.series, one.at))


def read_overrides(store: StoreClient) -> list[Override]:
    """Those that count. Raises StoreUnavailableError."""
    rows = cast(
        list[tuple[Any, ...]], store.rows(f"SELECT {_COLUMNS} FROM forecast_overrides ORDER BY at, override_id")
    )
    return in_force((row[1], _override(row)) for row in rows)


def set_override(
    store: StoreClient,
    series: OfSeries,
    time: tuple[datetime, datetime],
    amount: Decimal,
    *,
    by: str,
    note: str = "",
    model: Said | None = None,
) -> Override:
    """Keep what a person expects of [start, end), from now on. One of the same series and time is replaced. Raises
    ConfigError for what cannot be expected, StoreUnavailableError."""
    start, end = time
    now, others = store.now(), read_overrides(store)
    if not start < end or end - start > LONGEST:
        raise ConfigError(f"{clock(start)} to {clock(end)} UTC is no time of up to {LONGEST.days} days")
    if end <= now:
        raise ConfigError(f"it is over since {clock(end)} UTC: what came is known")
    if not amount.is_finite() or not 0 <= amount <= MOST_USD:
        raise ConfigError(f"the amount must be between 0 and {MOST_USD:,} USD")
    for one in others:
        same = (one.starts_at, one.ends_at) == time
        if one.series == series and not same and one.starts_at < end and start < one.ends_at:
            raise ConfigError(
                f"{series.words} has one from {clock(one.starts_at)} to {clock(one.ends_at)} UTC: unset it first"
            )
    if len(others) >= MOST:
        raise ConfigError(f"there are {len(others)} already: unset some first")
    made = Override(uuid4().hex, now, by, note, series, start, end, amount, model)
    _write(store, "set", made)
    return made


def unset_override(store: StoreClient, override: Override, *, by: str, note: str = "") -> None:
    """Take it back; what was said stays in the table. Raises StoreUnavailableError."""
    taken = Override(
        override.override_id, store.now(), by, note, override.series, override.starts_at, override.ends_at,
        override.amount, override.model,
    )  # fmt: skip
    _write(store, "unset", taken)


def _write(store: StoreClient, action: str, override: Override) -> None:
    row: Mapping[str, Any] = {
        **{"override_id": override.override_id, "action": action, "at": override.at},
        **{"by": override.by, "note": override.note, **override.series._asdict()},
        **{"starts_at": override.starts_at, "ends_at": override.ends_at, "amount": override.amount},
        **{f"model_{name}": override.model and getattr(override.model, name) for name in Said._fields},
    }
    token = hashlib.sha256(f"{override.override_id} {action} {override.at.isoformat()}".encode()).hexdigest()
    insert(store.client, "forecast_overrides", arrow_table("forecast_overrides", [dict(row)]), token)


def _override(row: tuple[Any, ...]) -> Override:
    override_id, _, at, by, note, budget_id, dims, vals, measure, start, end, amount, *model = row
    series = OfSeries(str(budget_id), tuple(dims), tuple(vals), measure)
    said = None if any(amount is None for amount in model) else Said(*model)
    return Override(str(override_id), as_utc(at), by, note, series, as_utc(start), as_utc(end), amount, said)

"""Policies and states of budgets as the guard keeps them: integers and look-ups, made once when a record arrives."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from spendstream.guard.money import pico_of_record
from spendstream.guard.pending import METERS, Pending
from spendstream_schemas.budget_feed import ACTIONS, BudgetPolicy, BudgetState, PolicyStep
from spendstream_schemas.scope import Condition

Facts = Mapping[str, Any]
"""What is known of a request, by SCOPE_FIELDS; what it lacks is None. Its labels are a mapping or None, in `labels`."""
ValuesKey = Any
"""The values of a policy's `per`: nothing for none, the value itself for one, a tuple for more. Saves a tuple each."""

RANKS: Final = {action: rank for rank, action in enumerate(ACTIONS)}
FULL, REDUCED, CACHED_ONLY, ESSENTIAL_ONLY, REFUSE = range(len(ACTIONS))
MILLI_PERCENT: Final = 100_000
"""All of it, in thousandths of a percent: the unit of `at_percent`, which has three decimal places."""
NEVER_FORETOLD: Final = 10**12
"""More than any percent that a state can say, in thousandths."""
_BOUNDLESS: Final = 10**60  # more than the record's 38 digits can hold
_REMEMBERED: Final = 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Step(NamedTuple):
    """What applies from a share of the amount, or from an amount on, milder steps included."""

    at_milli: int  # thousandths of a percent
    at: int | None  # in place of at_milli: so much, whatever the amount is
    at_foretold: int  # also where so much is forecast, in thousandths of a percent; NEVER_FORETOLD: it does not matter
    rank: int  # the strictest action up to here
    max_input_tokens: int | None  # the least of all reduced steps up to here
    max_output_tokens: int | None


class State(NamedTuple):
    """Where one budget, of one combination of values, stands. Amounts in pico-USD, or 1e-12 of a quota's unit, instants
    in microseconds.

    A tuple of integers, which Python's garbage collector stops looking at: there may be a hundred thousand.
    """

    amount: int
    used: int  # spent and held
    period_end: int | None  # none: a rolling window
    as_of: int
    generation: int
    unit: str | None  # of a quota
    next_amount: int | None  # of the period after this one; none: the policy's
    foretold: int  # thousandths of a percent that the period will end above, by the forecast; 0: it does not say


@dataclass(slots=True, eq=False)
class CompiledPolicy:
    """What a budget covers and demands, with where it stands."""

    budget_id: str
    version: int
    any_of: tuple[tuple[str, tuple[str, ...]], ...]  # conditions that an index can look up
    others: tuple[tuple[str, Callable[[str], bool]], ...]  # conditions that are tried
    per: tuple[str, ...]
    reads: frozenset[str]  # all fields that it looks at
    values_of: Callable[[Facts], ValuesKey] | None  # None: not per anything
    unit: str | None  # that a quota counts; None: money
    meter: int  # the place of the unit in Amounts
    amount: int
    steps: tuple[Step, ...]  # the strictest first
    first_reached: int | None  # the use of `amount` below which no step applies; None: none ever does
    fail_closed: bool
    owner: str | None
    generation: int
    states: dict[ValuesKey, State]
    pending: dict[ValuesKey, Pending]


def compile_policy(
    record: BudgetPolicy, states: dict[ValuesKey, State], pending: dict[ValuesKey, Pending], generation: int
) -> CompiledPolicy:
    """`states` and `pending` are shared: they outlive a change of the policy."""
    any_of = {field: condition.any_of for field, condition in record.scope.items() if condition.any_of is not None}
    quota = record.quota
    amount = pico_of_record(record.amount_usd if quota is None else quota.amount)
    steps = _cumulative(record.steps)
    return CompiledPolicy(
        budget_id=record.budget_id,
        version=record.schema_version,
        any_of=tuple(any_of.items()),
        others=tuple((field, _test(item)) for field, item in record.scope.items() if field not in any_of),
        per=record.per,
        reads=frozenset((*record.scope, *record.per)),
        values_of=itemgetter(*record.per) if record.per else None,
        unit=None if quota is None else quota.unit,
        meter=METERS[None if quota is None else quota.unit],
        amount=amount,
        steps=steps,
        first_reached=_first_reached(steps, amount),
        fail_closed=record.fail == "closed",
        owner=record.owner,
        generation=generation,
        states=states,
        pending=pending,
    )


def _first_reached(steps: tuple[Step, ...], amount: int) -> int | None:
    if not steps:
        return None
    if amount <= 0:
        return -_BOUNDLESS
    return min(-(-step.at_milli * amount // MILLI_PERCENT) if step.at is None else step.at for step in steps)


def _test(condition: Condition) -> Callable[[str], bool]:
    """`Condition.holds`, without looking first which kind of condition it is."""
    if condition.none_of is not None:
        refused = frozenset(condition.none_of)
        return lambda value: value not in refused
    if condition.missing is not None:
        missing = condition.missing
        return lambda value: (not value) == missing
    return lru_cache(_REMEMBERED)(condition.holds)  # a pattern, over the same few models again and again


def _cumulative(steps: tuple[PolicyStep, ...]) -> tuple[Step, ...]:
    """A step takes nothing back that a milder one demands, whatever the order they were written in: it may be forecast,
    or an amount, before the milder one's share is reached."""
    parts = [(RANKS[step.action], *part, step) for step in steps for part in _parts(step)]
    made: list[Step] = []
    inputs, outputs = None, None
    for rank, at_milli, at, at_foretold, step in sorted(parts, key=itemgetter(0, 1)):
        if rank == REDUCED:
            inputs, outputs = least(inputs, step.max_input_tokens), least(outputs, step.max_output_tokens)
        made.append(Step(at_milli, at, at_foretold, rank, inputs, outputs))
    return tuple(reversed(made))


def _parts(step: PolicyStep) -> Iterator[tuple[int, int | None, int]]:
    """Each `at_milli`, `at`, `at_foretold` from which it applies. What is used is more certain than any forecast."""
    yield _milli(step.at_percent), None if step.at is None else pico_of_record(step.at), NEVER_FORETOLD
    if step.at_forecast_percent is not None:
        foretold = _milli(step.at_forecast_percent)
        yield foretold, None, foretold


def _milli(percent: Decimal) -> int:
    """It has three decimal places."""
    return int(percent * 1000)


def least(first: int | None, second: int | None) -> int | None:
    """The lesser of two limits, either of which may not be there."""
    if first is None:
        return second
    return first if second is None else min(first, second)


def compile_state(record: BudgetState, generation: int) -> State:
    quota = record.quota
    if quota is None:
        amount, used = record.amount_usd, pico_of_record(record.spent_usd) + pico_of_record(record.held_usd)
    else:
        amount, used = quota.amount, pico_of_record(quota.used)
    return State(
        amount=pico_of_record(amount),
        used=used,
        period_end=None if record.period_end is None else micros(record.period_end),
        as_of=micros(record.as_of),
        generation=generation,
        unit=None if quota is None else quota.unit,
        next_amount=None if record.next_amount is None else pico_of_record(record.next_amount),
        foretold=_milli(max(record.forecast_percents)) if record.forecast_percents else 0,
    )


def values_key(values: tuple[str, ...]) -> ValuesKey:
    """As `CompiledPolicy.values_of` gives it."""
    return values[0] if len(values) == 1 else values


def key_values(key: ValuesKey) -> tuple[str, ...]:
    """The values themselves."""
    return (key,) if isinstance(key, str) else tuple(key)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)

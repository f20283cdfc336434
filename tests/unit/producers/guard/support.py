"""What the guard's tests share: a guard without a broker, its clocks, and records."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from spendstream import Attribution, Guard, GuardConfig
from spendstream_schemas.budget_feed import Action, BudgetPolicy, BudgetState, Heartbeat, PolicyStep
from spendstream_schemas.scope import version_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


class Clocks:
    """Both clocks of a guard, moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def wall_ns(self) -> int:
        return int((self.now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000

    def monotonic_ns(self) -> int:
        return self.wall_ns()

    def pass_s(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def config(**fields: Any) -> GuardConfig:
    return GuardConfig(**({"bootstrap_servers": "localhost:1", "source": "test"} | fields))


def new_guard(clocks: Clocks, *records: Any, beat: bool = True, **fields: Any) -> Guard:
    """A guard that knows these records and has just had a heartbeat."""
    guard = Guard(config(**fields), connect=False, wall_ns=clocks.wall_ns, monotonic_ns=clocks.monotonic_ns)
    if beat:
        guard.apply(heartbeat(clocks))
    guard.apply(*records)
    return guard


def heartbeat(clocks: Clocks) -> Heartbeat:
    return Heartbeat(at=clocks.now, job="test")


def step(at_percent: int | str, action: Action, **fields: Any) -> PolicyStep:
    return PolicyStep(at_percent=Decimal(at_percent), action=action, **fields)


def policy(budget_id: str = "b", scope: Mapping[str, Any] | None = None, **fields: Any) -> BudgetPolicy:
    """100 USD, refusing from 100% on."""
    values: dict[str, Any] = {"scope": scope or {}, "amount_usd": Decimal(100), "steps": (step(100, "refuse"),)}
    made = BudgetPolicy(schema_version=2, budget_id=budget_id, **(values | fields))
    return made.model_copy(update={"schema_version": version_of(made.scope, made.per)})


def state(spent_usd: int | str, budget_id: str = "b", **fields: Any) -> BudgetState:
    """Of March 2026, as of NOW, of 100 USD."""
    values: dict[str, Any] = {
        "period_start": START,
        "period_end": END,
        "amount_usd": Decimal(100),
        "held_usd": Decimal(0),
        "as_of": NOW,
    }
    return BudgetState(budget_id=budget_id, spent_usd=Decimal(spent_usd), **(values | fields))


def who(**fields: Any) -> Attribution:
    return Attribution(**fields)

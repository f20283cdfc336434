"""Sends where budgets stand to `budget.state.v1`, for the guards in the services.

What changed is sent at once, and only the latest of each key: between two sendings a state may change a hundred times.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from spendstream_schemas.budget_feed import (
    HEARTBEAT_KEY,
    POLICY_VERSIONS,
    BudgetState,
    Heartbeat,
    Quota,
    policy_key,
    state_key,
)
from stream_jobs.budgets.book import StandingUpdate
from stream_jobs.budgets.document import Budget
from stream_jobs.budgets.feed_money import NOTHING_USES_IT_UP
from stream_jobs.budgets.resolve import Budgets
from stream_jobs.budgets.standing import Standing, ThresholdKey
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import BUDGET_STATE
from stream_jobs.series.facts import Values


class BudgetFeed:
    """Used by one thread."""

    def __init__(self, producer: RecordProducer) -> None:
        self._producer = producer
        self._job = secrets.token_hex(8)
        self._waiting: dict[str, bytes | None] = {}
        self._sent: dict[str, dict[Values, datetime | None]] = {}  # by budget: states, and when their period ends
        self._policies: dict[str, tuple[int, bytes]] = {}  # by budget: the version, and the record

    def policies(self, budgets: Budgets, now: datetime) -> None:
        """These and no others. Those that are as they were are not sent again."""
        for budget in budgets:
            policy = budgets.policy_record(budget, now)
            record = policy.schema_version, policy.model_dump_json(exclude_none=True).encode()
            before = self._policies.get(budget.id)
            if before != record and budgets.in_force(budget, now):
                self._policies[budget.id] = record
                self._put(policy_key(budget.id, record[0]), record[1])
                # After it: who understands both is never without one. Without `before` there may be one of version 1
                # in the topic; one of version 2 is older than this, and for its readers replaced.
                if record[0] > 1 or (before is not None and before[0] > 1):
                    self._withdraw(budget.id, but=record[0])
        for budget_id in [one for one in self._policies if self._gone(budgets, one, now)]:
            del self._policies[budget_id]
            self._withdraw(budget_id)
            for values in self._sent.pop(budget_id, ()):
                self._waiting[state_key(budget_id, values)] = None

    def withdraw(self, budget_ids: Iterable[str]) -> None:
        """Budgets that there once were: another process may have sent their policies, and nobody took them back."""
        for budget_id in budget_ids:
            if budget_id not in self._policies:
                self._withdraw(budget_id)

    def _withdraw(self, budget_id: str, but: int | None = None) -> None:
        """Its policies of all versions but this one."""
        for version in POLICY_VERSIONS:
            if version != but:
                self._put(policy_key(budget_id, version), None)

    def _put(self, key: str, record: bytes | None) -> None:
        self._waiting.pop(key, None)  # to the end: they are sent in the order in which they were put
        self._waiting[key] = record

    def withdraw_states(self, budget_id: str, values: Iterable[Values]) -> None:
        """Of periods that the budget no longer has. Those of its periods now are sent after this."""
        for one in values:
            self._sent.get(budget_id, {}).pop(one, None)
            self._waiting[state_key(budget_id, one)] = None

    def sent_of(self, budget_id: str) -> list[Values]:
        """The values whose states were sent and hold."""
        return list(self._sent.get(budget_id, ()))

    @staticmethod
    def _gone(budgets: Budgets, budget_id: str, now: datetime) -> bool:
        budget = budgets.get(budget_id)
        return budget is None or not budgets.in_force(budget, now)

    def states(self, updates: Iterable[StandingUpdate], now: datetime) -> None:
        """Those of the current periods; a guard knows by itself when one is over."""
        for update in updates:
            if update.standing.rolling or update.standing.period.start <= now < update.standing.period.end:
                self._state(update.budget, update.place.values, update.standing, update.crossed, now)

    def _state(
        self, budget: Budget, values: Values, standing: Standing, crossed: Iterable[ThresholdKey], now: datetime
    ) -> None:
        unit = standing.unit
        rates = (standing.burn, standing.forecast) if unit.is_money else (None, None)
        burn, forecast = (None if one is None else unit.kept(one) for one in rates)
        amount, nothing = unit.kept(standing.amount), Decimal(0)
        record = BudgetState(
            budget_id=budget.id,
            values=values,
            period_start=standing.period.start,
            period_end=None if standing.rolling else standing.period.end,
            amount_usd=amount if unit.is_money else NOTHING_USES_IT_UP,
            spent_usd=unit.kept(standing.spent) if unit.is_money else nothing,
            held_usd=unit.kept(standing.held) if unit.is_money else nothing,
            quota=None
            if budget.measure == "cost"
            else Quota(unit=budget.measure, amount=amount, used=unit.kept(standing.used)),
            as_of=now,
            thresholds=tuple(sorted(key.percent for key in crossed if key.kind == "actual" and not key.amount)),
            threshold_amounts=tuple(sorted(key.amount for key in crossed if key.kind == "actual" and key.amount)),
            burn_usd_per_hour=burn,
            forecast_usd=forecast,
            exhausted_at=standing.exhausted_at,
        )
        self._waiting[state_key(budget.id, values)] = record.model_dump_json(exclude_none=True).encode()
        self._sent.setdefault(budget.id, {})[values] = record.period_end

    def forget_over(self, now: datetime) -> None:
        """Take back the states of periods that are over: who spends nothing in the next one needs none."""
        for budget_id, known in self._sent.items():
            for values in [values for values, end in known.items() if end is not None and end <= now]:
                del known[values]
                self._waiting[state_key(budget_id, values)] = None

    def beat(self, now: datetime) -> None:
        """Somebody keeps count."""
        self._waiting[HEARTBEAT_KEY] = Heartbeat(at=now, job=self._job).model_dump_json().encode()

    def flush(self) -> int:
        """Send what waits. Raises BrokerUnavailableError, and then keeps it."""
        if not self._waiting:
            return 0
        sent = self._producer.send(BUDGET_STATE, [(key.encode(), value) for key, value in self._waiting.items()])
        self._waiting.clear()
        return sent

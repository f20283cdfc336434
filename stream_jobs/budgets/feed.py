"""Sends where budgets stand to `budget.state.v1`, for the guards in the services.

What changed is sent at once, and only the latest of each key: between two sendings a state may change a hundred times.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime

from spendstream_schemas.budget_feed import (
    HEARTBEAT_KEY,
    POLICY_VERSIONS,
    Heartbeat,
    policy_key,
    state_key,
)
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.budgets.book import StandingUpdate
from stream_jobs.budgets.state_text import state_record
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
        self._over_at: datetime | None = None  # the first end of these, or earlier
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
            standing, values = update.standing, update.place.values
            period = standing.period
            if standing.rolling or period.start <= now < period.end:
                budget = update.budget
                record = state_record(budget, values, standing, update.crossed, now)
                self._waiting[state_key(budget.id, values)] = record
                end = None if standing.rolling else period.end
                self._sent.setdefault(budget.id, {})[values] = end
                if end is not None and (self._over_at is None or end < self._over_at):
                    self._over_at = end

    def forget_over(self, now: datetime) -> None:
        """Take back the states of periods that are over: who spends nothing in the next one needs none."""
        if self._over_at is None or now < self._over_at:
            return
        for budget_id, known in self._sent.items():
            for values in [values for values, end in known.items() if end is not None and end <= now]:
                del known[values]
                self._waiting[state_key(budget_id, values)] = None
        ends = (end for known in self._sent.values() for end in known.values() if end is not None)
        self._over_at = min(ends, default=None)

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

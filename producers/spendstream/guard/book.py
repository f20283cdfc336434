"""What the guard knows: policies, states, and when it last heard that somebody keeps count. Fed record by record."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spendstream.guard.index import Index
from spendstream.guard.pending import Pending, PendingBook
from spendstream.guard.policy import CompiledPolicy, State, ValuesKey, compile_policy, compile_state, micros, values_key
from spendstream.guard.records import Record, TakenBack
from spendstream.native import new_rlock
from spendstream_schemas.budget_feed import BudgetPolicy, BudgetState, Heartbeat

_NEVER: Final = -(1 << 63)


@dataclass(slots=True)
class _Budget:
    """The parts of a budget outlive its policy's record, and may come before it: partitions have no common order."""

    states: dict[ValuesKey, State]
    pending: dict[ValuesKey, Pending]
    unit: str | None = None  # of a quota: what is pending
    policy: CompiledPolicy | None = None


class Book:
    """Written under a lock, by the thread that feeds; read without one by everybody.

    A reader may see a policy as it was an instant ago, never half of one: each is replaced as a whole.
    """

    def __init__(self, pending: PendingBook, stale_after_ns: int, source: str) -> None:
        """`source`: of requests that name none."""
        self._pending = pending
        self._source = source
        self._stale_after_ns = stale_after_ns
        self._lock = new_rlock()
        self._budgets: dict[str, _Budget] = {}
        self._generation = 0
        self._sweep_at_ns: int | None = None
        self._sweep_waits = False
        self._changed = False
        self._reading = False
        self.index = Index((), source)
        self.policies = 0
        self.loaded = False
        self.heard = False  # there was a heartbeat
        self.beat_ns = _NEVER  # monotonic: when the last one came
        self.ahead_us = 0  # by how much the job's clock is ahead of ours, at least

    def apply(self, records: Iterable[Record | TakenBack], wall_us: int, now_ns: int) -> None:
        """Take records in, in their order."""
        with self._lock:
            for record in records:
                if isinstance(record, BudgetState):
                    self._put_state(record)
                elif isinstance(record, BudgetPolicy):
                    self._put_policy(record)
                elif isinstance(record, Heartbeat):
                    self._beat(record, wall_us, now_ns)
                else:
                    self._delete(record)
            if self._sweep_at_ns is not None and now_ns >= self._sweep_at_ns:
                self._sweep()
            if self._changed:
                self._changed = False
                found = [budget.policy for budget in self._budgets.values() if budget.policy is not None]
                self.policies = len(found)
                self.index = Index(found, self._source)

    def load_begins(self) -> None:
        """The topic is read from its start, maybe another topic of the same name: what it holds is the truth.

        What is known goes on being used. What has not come again when the topic is read and a heartbeat on it is
        older than `stale_after` is dropped: by then its writer has had the time to say everything again.
        """
        with self._lock:
            self._generation += 1
            self._sweep_at_ns = None
            self._sweep_waits = False
            self._reading = True

    def load_ended(self) -> None:
        """Everything that was in the topic when reading began has been read."""
        with self._lock:
            self.loaded = True
            self._reading = False
            self._sweep_waits = True

    def _budget(self, budget_id: str) -> _Budget:
        budget = self._budgets.get(budget_id)
        if budget is None:
            budget = self._budgets[budget_id] = _Budget({}, {})
        return budget

    def _put_policy(self, record: BudgetPolicy) -> None:
        budget = self._budget(record.budget_id)
        unit = None if record.quota is None else record.quota.unit
        if budget.unit != unit:
            budget.unit, budget.pending = unit, {}
        budget.policy = compile_policy(record, budget.states, budget.pending, self._generation)
        self._changed = True

    def _put_state(self, record: BudgetState) -> None:
        budget = self._budget(record.budget_id)
        key = values_key(record.values)
        state = budget.states[key] = compile_state(record, self._generation)
        # After the state: between the two a request counts twice, never not at all.
        pending = budget.pending.get(key)
        if pending is not None:
            self._pending.included(pending, state.as_of)

    def _beat(self, record: Heartbeat, wall_us: int, now_ns: int) -> None:
        at = micros(record.at)
        self.ahead_us = max(0, at - wall_us)
        # While the topic is read from its start, the heartbeat found there may be of yesterday.
        if not self._reading or (wall_us - at) * 1000 <= self._stale_after_ns:
            self.heard, self.beat_ns = True, now_ns
            if self._sweep_waits:
                self._sweep_waits = False
                self._sweep_at_ns = now_ns + self._stale_after_ns

    def _delete(self, key: TakenBack) -> None:
        budget = self._budgets.get(key.budget_id)
        if budget is None:
            return
        if key.values is None:
            if budget.policy is not None and budget.policy.version != key.version:
                return
            budget.policy = None
            self._changed = True
        else:
            budget.states.pop(values_key(key.values), None)
        self._forget_if_empty(key.budget_id, budget)

    def _forget_if_empty(self, budget_id: str, budget: _Budget) -> None:
        if budget.policy is None and not budget.states:
            del self._budgets[budget_id]

    def _sweep(self) -> None:
        self._sweep_at_ns = None
        for budget_id, budget in list(self._budgets.items()):
            if budget.policy is not None and budget.policy.generation != self._generation:
                budget.policy = None
                self._changed = True
            for key in [key for key, state in budget.states.items() if state.generation != self._generation]:
                del budget.states[key]
            self._forget_if_empty(budget_id, budget)

    def states(self) -> int:
        """How many are known."""
        with self._lock:
            return sum(len(budget.states) for budget in self._budgets.values())

    def after_fork(self, pending: PendingBook) -> None:
        """In the child: the parent's feeding thread may have held the lock, and its requests are not the child's."""
        self._lock = new_rlock()
        self._pending = pending
        for budget in self._budgets.values():
            budget.pending.clear()

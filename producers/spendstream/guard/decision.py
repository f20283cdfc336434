"""What the guard answers. Made in microseconds: what people read is put together only when they ask for it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from spendstream.guard.arguments import count_of
from spendstream.guard.money import (
    PICO_PER_USD,
    UsdAmount,
    pico_of,
    quota_texts,
    share_text,
    usd_of,
    usd_text,
    usd_texts,
)
from spendstream.guard.pending import NOTHING, Amounts, Reservation
from spendstream.guard.policy import (
    CACHED_ONLY,
    ESSENTIAL_ONLY,
    FULL,
    MILLI_PERCENT,
    NEVER_FORETOLD,
    REDUCED,
    REFUSE,
    CompiledPolicy,
    Step,
    ValuesKey,
    from_micros,
    key_values,
    micros,
)
from spendstream_schemas.budget_feed import ACTIONS, END_OF_TOTALS, Action

if TYPE_CHECKING:
    from spendstream.guard.evaluate import Verdict

Settle = Callable[[Reservation | None, "Verdict", Amounts], Reservation | None]
"""Counts other amounts in place of a reservation."""
ONE: Final = PICO_PER_USD
"""Of what a quota counts."""

_NEVER: Final = micros(END_OF_TOTALS)
_EFFECTS: Final = {
    REDUCED: "smaller requests only",
    CACHED_ONLY: "only cached answers and essential requests",
    ESSENTIAL_ONLY: "only essential requests",
    REFUSE: "no requests",
}


class Decision:
    """Whether, and how, a request may go on. Its figures are those of the moment it was made.

    `action`: one of budget_feed.ACTIONS, the strictest that applies. `allowed`: whether a fresh call may be made:
    always at full and reduced, never at refuse, and only for an essential request at cached_only and essential_only
    (what is open to essential requests at a stricter action is open to them at a milder one).
    `cached_answers_allowed`: whether an answer from the service's own cache may be given. `stale`: nobody has said for
    a while that the figures are kept up; what is known was used nevertheless, unless a policy demands otherwise.
    """

    __slots__ = (
        "_estimates",
        "_reservation",
        "_settle",
        "_verdict",
        "allowed",
        "essential",
        "rank",
        "stale",
    )

    def __init__(
        self,
        verdict: "Verdict",
        estimates: Amounts,
        essential: bool,
        reservation: Reservation | None,
        settle: Settle | None,
    ) -> None:
        self._verdict = verdict
        self._estimates = estimates
        self._reservation = reservation
        self._settle = settle
        self.essential = essential
        self.stale = verdict.stale
        self.rank = verdict.rank
        self.allowed = verdict.rank <= (ESSENTIAL_ONLY if essential else REDUCED)

    @property
    def action(self) -> Action:
        return ACTIONS[self.rank]

    @property
    def cached_answers_allowed(self) -> bool:
        return self.allowed or self.rank <= CACHED_ONLY

    @property
    def max_input_tokens(self) -> int | None:
        """The least that a reduced step demands, also where a stricter one applies and this request passes it."""
        return self._verdict.max_input_tokens

    @property
    def max_output_tokens(self) -> int | None:
        """As `max_input_tokens`."""
        return self._verdict.max_output_tokens

    @property
    def budget_id(self) -> str | None:
        """The budget that decided; at full service the one with the least left. None when no budget covers it."""
        policy = self._verdict.policy
        return None if policy is None else policy.budget_id

    @property
    def values(self) -> tuple[str, ...]:
        """Of a budget per value: which ones this is about, in the order of the policy's `per`."""
        return key_values(self._verdict.key)

    @property
    def amount_usd(self) -> Decimal | None:
        """Of the budget that decided. None for a quota, too."""
        return usd_of(self._verdict.amount) if self.unit == "usd" else None

    @property
    def used_usd(self) -> Decimal | None:
        """Spent, held, and allowed here a moment ago; without this request. Of the budget that decided; None for a
        quota, too."""
        return usd_of(self._verdict.used) if self.unit == "usd" else None

    @property
    def unit(self) -> str | None:
        """What the budget that decided counts: usd, tokens, requests or gpu_hours. None when no budget covers it."""
        policy = self._verdict.policy
        return None if policy is None else policy.unit or "usd"

    @property
    def amount(self) -> Decimal | None:
        """Of the budget that decided, in `unit`."""
        return None if self._verdict.policy is None else usd_of(self._verdict.amount)

    @property
    def used(self) -> Decimal | None:
        """Of the budget that decided, in `unit`: what the ledger has, and of money what is held, with what was allowed
        here a moment ago; without this request."""
        return None if self._verdict.policy is None else usd_of(self._verdict.used)

    @property
    def estimate_usd(self) -> Decimal:
        """What this request was said to cost; 0 when nothing was said."""
        return usd_of(self._estimates[0])

    @property
    def reserved(self) -> int:
        """How many pico-USD were counted for this request when it was allowed."""
        return 0 if self._reservation is None else self._estimates[0]

    @property
    def remaining_usd(self) -> Decimal | None:
        """The least that any budget of this request has left, without this request; not below 0. None: no budget of
        money."""
        remaining = self._verdict.least_remaining
        return None if remaining is None else usd_of(max(0, remaining))

    @property
    def period_end(self) -> datetime | None:
        """When the deciding budget begins anew; None for a rolling window, and where nothing is known yet."""
        end = self._verdict.period_end
        return None if end is None else from_micros(end)

    @property
    def by_forecast(self) -> bool:
        """Whether it is a forecast that brings this action: by what is used a milder one would do."""
        return self._verdict.step is not None and _used_step(self._verdict, self._estimates) is None

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return _sentence(self._verdict, self._estimates, self.essential and self.allowed)

    def settle(self, actual_usd: UsdAmount, *, tokens: int | None = None, gpu_hours: UsdAmount | None = None) -> None:
        """The request is over and cost this, and used so many tokens and GPU hours (None: as estimated): that counts in
        place of the estimates until the ledger has it.

        Worth while where estimates are rough or requests take long. Does nothing the second time, and nothing for a
        request that was not allowed. Raises TypeError and ValueError for what is no amount or count.
        """
        _, may_use, _, may_run = self._estimates
        self._count(
            (
                pico_of(actual_usd, "actual_usd"),
                may_use if tokens is None else count_of(tokens, "tokens") * ONE,
                ONE,
                may_run if gpu_hours is None else pico_of(gpu_hours, "gpu_hours", "hours"),
            )
        )

    def cancel(self) -> None:
        """The request was not made: nothing of it counts any more. Does nothing after `settle`."""
        self._count(NOTHING)

    def _count(self, actual: Amounts) -> None:
        settle, self._settle = self._settle, None
        if settle is not None and self.allowed:
            self._reservation = settle(self._reservation, self._verdict, actual)

    def __repr__(self) -> str:
        return f"<Decision {self.action}, allowed={self.allowed}: {self.reason}>"


def _sentence(verdict: "Verdict", estimates: Amounts, exempt: bool) -> str:
    policy = verdict.policy
    stale = " (figures may be old: nobody has said lately that they are kept up)" if verdict.stale else ""
    if verdict.unknown is not None and policy is None:
        return f"{verdict.unknown}{'' if verdict.rank == FULL else '; this service then refuses'}"
    if policy is None:
        return f"no budget covers this request{stale}"
    name = _name(policy, verdict.key)
    if verdict.unknown is not None:
        return f"refuse: {name} cannot be known: {verdict.unknown}; its policy then refuses"
    if policy.unit is None:
        used, amount = usd_texts(verdict.used, verdict.amount)
        figures = f"{name} has used {used} of {amount} USD"
    else:
        used, amount = quota_texts(verdict.used, verdict.amount)
        figures = f"{name} has used {used} of {amount} {policy.unit.replace('gpu_', 'GPU ')}"
    if verdict.amount > 0:
        figures += f" ({share_text(verdict.used, verdict.amount)})"
    figures += _adds(policy, estimates)
    end = verdict.period_end
    until = "" if end is None or end >= _NEVER else f", until {from_micros(end):%Y-%m-%d %H:%M} UTC"
    if verdict.rank == FULL:
        return f"full: {figures}{until}{stale}"
    effect = (
        "this request is essential and passes" if exempt and verdict.rank >= CACHED_ONLY else _EFFECTS[verdict.rank]
    )
    step = _used_step(verdict, estimates)
    if step is None and verdict.step is not None:
        why = f"it is forecast to pass {_percent_text(verdict.step.at_foretold)}: "
    else:
        why = _from(policy, step)
    return f"{ACTIONS[verdict.rank]}: {figures}; {why}{effect}{until}{stale}"


def _used_step(verdict: "Verdict", estimates: Amounts) -> Step | None:
    """Of those as strict as the one that applies, the one that what is used would bring by itself."""
    policy, found, amount = verdict.policy, verdict.step, verdict.amount
    if policy is None or found is None or found.at_foretold == NEVER_FORETOLD:
        return found
    total = verdict.used + estimates[policy.meter]
    for step in policy.steps:
        is_used = total * MILLI_PERCENT >= step.at_milli * amount if step.at is None else total >= step.at
        if step.rank == found.rank and (is_used or amount < 0):
            return step
    return None


def _adds(policy: CompiledPolicy, estimates: Amounts) -> str:
    estimate = estimates[policy.meter]
    if not estimate or policy.unit == "requests":
        return ""
    if policy.unit is None:
        return f", this request may cost {usd_text(estimate)} USD"
    return f", this request may use {quota_texts(estimate, estimate)[0]}"


def _name(policy: CompiledPolicy, key: ValuesKey) -> str:
    values = ", ".join(f"{field}={value}" for field, value in zip(policy.per, key_values(key), strict=False))
    who = "; ".join(part for part in (values, f"owner {policy.owner}" if policy.owner else "") if part)
    return f"budget {policy.budget_id}{f' ({who})' if who else ''}"


def _from(policy: CompiledPolicy, step: Step | None) -> str:
    if step is None:
        return f"nothing may be {'spent' if policy.unit is None else 'used'}: "
    if step.at is not None:
        at = usd_text(step.at) if policy.unit is None else quota_texts(step.at, step.at)[0]
        return f"from {at} {'USD' if policy.unit is None else policy.unit.replace('gpu_', 'GPU ')} on "
    return f"from {_percent_text(step.at_milli)} on "


def _percent_text(milli: int) -> str:
    tenths = milli // 100
    return f"{tenths // 10}{f'.{tenths % 10}' if tenths % 10 else ''}%"

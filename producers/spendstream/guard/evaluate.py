"""How a request stands against the budgets it falls under. Integers and look-ups only: this is the hot path."""

from typing import Final, NamedTuple

from spendstream.guard.index import Index, Tests
from spendstream.guard.pending import Amounts, Place
from spendstream.guard.policy import FULL, MILLI_PERCENT, REFUSE, CompiledPolicy, Facts, Step, ValuesKey, least


class Verdict(NamedTuple):
    """The strictest that any budget says, and the budget that says it."""

    rank: int
    stale: bool
    unknown: str | None  # why nothing could be known, where that decided
    policy: CompiledPolicy | None
    key: ValuesKey
    amount: int
    used: int
    period_end: int | None
    step: Step | None  # that applies; none at full service, and where the amount is zero or unknown
    max_input_tokens: int | None
    max_output_tokens: int | None
    least_remaining: int | None  # of budgets of money
    places: list[Place]  # the pendings of all budgets it falls under
    meters: int  # a bit for each that these budgets count


_QUOTAS_LAST: Final = 10**60


def nothing_known(rank: int, why: str) -> Verdict:
    """The answer without any budget."""
    return Verdict(rank, True, why, None, (), 0, 0, None, None, None, None, None, [], 0)


# One function, since each call would cost as much as what it does: noqa for its branches and statements.
def evaluate(index: Index, facts: Facts, more: Amounts, now: int, unknown: str | None) -> Verdict:  # noqa: PLR0912, PLR0915
    """`more`: what this request adds to what is used. `now` in microseconds since 1970; `unknown` says why what is
    known may be old, if it may.

    Of equally strict budgets the one with the least left is named (one of money before a quota), and of those the first
    by its id.
    """
    best: CompiledPolicy | None = None
    best_rank, best_key, best_amount, best_used, best_end = FULL, (), 0, 0, None
    best_left, best_step, meters = 0, None, 0
    least_left: int | None = None
    inputs, outputs = None, None
    places: list[Place] = []
    if index.more:
        facts = index.with_more(facts)
    for policy, tests, values_of, states, pendings, policy_amount, first_reached in index.candidates(facts):
        if tests and not _hold(tests, facts):
            continue
        if values_of is None:
            key: ValuesKey = ()
        else:
            key = values_of(facts)
            # The budgets job counts what has a value for each of `per`; so does this.
            if not key or (type(key) is tuple and not all(key)):
                continue
        amount, used, end = policy_amount, 0, None
        foretold = 0  # on its own: Python makes a tuple of four
        state = states.get(key)
        if state is not None:
            amount, used, end, _, _, unit, next_amount, foretold = state
            if (end is not None and now >= end) or unit != policy.unit:
                # Rolled over, or of another unit. What is carried into the new period, and forecast of it, the job will
                # say.
                amount = policy_amount if next_amount is None or unit != policy.unit else next_amount
                used, end, foretold = 0, None, 0
        rank, step, meter = FULL, None, policy.meter
        pending = pendings.get(key)
        if pending is not None:
            used += pending.total
        places.append((pendings, key, meter))
        meters |= 1 << meter
        total = used + more[meter]
        if amount == 0 or (unknown is not None and policy.fail_closed):
            rank = REFUSE
        elif amount != policy_amount or foretold or (first_reached is not None and total >= first_reached):
            reached = total * MILLI_PERCENT
            for candidate in policy.steps:
                # What was carried over can make an amount negative: then everything is used up.
                if (
                    amount < 0
                    or (candidate.at is None and reached >= candidate.at_milli * amount)
                    or (candidate.at is not None and total >= candidate.at)
                    or foretold >= candidate.at_foretold
                ):
                    step = candidate
                    rank = candidate.rank
                    inputs = least(inputs, candidate.max_input_tokens)
                    outputs = least(outputs, candidate.max_output_tokens)
                    break
        left = amount - used
        if meter:
            left += _QUOTAS_LAST
        elif least_left is None or left < least_left:
            least_left = left
        if (
            best is None
            or rank > best_rank
            or (rank == best_rank and (left < best_left or (left == best_left and policy.budget_id < best.budget_id)))
        ):
            best, best_rank, best_key, best_amount, best_used, best_end = policy, rank, key, amount, used, end
            best_left, best_step = left, step
    closed = unknown is not None and best is not None and best.fail_closed
    return Verdict(
        best_rank,
        unknown is not None,
        unknown if closed else None,
        best,
        best_key,
        best_amount,
        best_used,
        best_end,
        best_step,
        inputs,
        outputs,
        least_left,
        places,
        meters,
    )


def _hold(tests: Tests, facts: Facts) -> bool:
    for field, test in tests:  # noqa: SIM110 - all() of a generator takes twice as long
        if not test(facts[field] or ""):
            return False
    return True

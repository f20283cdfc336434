"""The index finds what a plain loop over all budgets finds, and the integers say what fractions say."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream.guard import index as index_module
from spendstream_schemas import Attribution
from spendstream_schemas.budget_feed import ACTIONS, BudgetPolicy, BudgetState, PolicyStep, Quota
from spendstream_schemas.scope import in_scope
from tests.fuzz import examples
from tests.unit.producers.guard.support import NOW, START, Clocks, new_guard

FIELDS = ("team", "feature", "user_id", "model", "category", "source", "region", "labels.x", "labels.y.z")
WORDS = st.sampled_from(["a", "b", "c", "ab"])
CONDITIONS: st.SearchStrategy[Any] = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=4),
    st.fixed_dictionaries({"none_of": st.lists(WORDS, min_size=1, max_size=2)}),
    st.sampled_from([{"glob": "a*"}, {"glob": "?"}, {"missing": True}, {"missing": False}]),
)
USD = st.decimals("-2", "12", places=12)
FORETOLD = st.decimals("0.001", 150, places=3)
STEPS = st.lists(
    st.builds(
        PolicyStep,
        at_percent=st.decimals(0, 150, places=3),
        at=st.none() | st.none() | st.decimals(0, 12, places=12),
        at_forecast_percent=st.none() | st.none() | FORETOLD,
        action=st.sampled_from(ACTIONS),
        max_output_tokens=st.none() | st.integers(1, 9),
    ),
    max_size=3,
)


QUOTAS = st.none() | st.builds(
    Quota,
    unit=st.sampled_from(["tokens", "requests"]),
    amount=st.decimals(0, 10, places=2),
    used=st.decimals(0, 12, places=12),
)


@st.composite
def state_of(draw: st.DrawFn, policy: BudgetPolicy, values: tuple[str, ...]) -> BudgetState:
    return BudgetState(
        budget_id=policy.budget_id,
        values=values,
        period_start=START,
        period_end=draw(st.sampled_from([None, NOW, NOW + timedelta(days=1)])),
        amount_usd=draw(st.just(policy.amount_usd) | USD),
        spent_usd=draw(USD),
        held_usd=draw(st.sampled_from([Decimal(0), Decimal(1)])),
        quota=draw(QUOTAS if policy.quota is not None else st.none()),
        forecast_percents=draw(st.none() | st.lists(FORETOLD, max_size=2).map(tuple)),
        as_of=NOW,
    )


@st.composite
def budgets(draw: st.DrawFn) -> tuple[list[BudgetPolicy], list[BudgetState]]:
    policies, states = [], []
    for number in range(draw(st.integers(0, 8))):
        per = draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=2))
        record = BudgetPolicy(
            schema_version=2,
            budget_id=f"b{number}",
            scope=draw(st.dictionaries(st.sampled_from(FIELDS), CONDITIONS, max_size=3)),
            per=tuple(per),
            steps=tuple(sorted(draw(STEPS), key=lambda step: step.at_percent)),
            amount_usd=draw(st.decimals("0", "10", places=2)),
            quota=draw(QUOTAS),
        )
        policies.append(record)
        for values in draw(st.lists(st.tuples(*[WORDS] * len(per)), unique=True, max_size=4)):
            states.append(draw(state_of(record, values)))  # noqa: PERF401 - draw() in a comprehension reads worse
    return policies, states


class Clause(NamedTuple):
    """One of the ways in which a step applies; in the order in which each demands what those before it do."""

    rank: int
    percent: Fraction
    step: PolicyStep
    foretold: bool

    def holds(self, total: Fraction, amount: Fraction, foretold: Fraction) -> bool:
        if self.foretold:
            return total >= self.percent / 100 * amount or foretold >= self.percent
        return total >= (self.percent / 100 * amount if self.step.at is None else Fraction(self.step.at))


def clauses(policy: BudgetPolicy) -> list[Clause]:
    found = []
    for step in policy.steps:
        rank = ACTIONS.index(step.action)
        found.append(Clause(rank, Fraction(step.at_percent), step, False))
        if step.at_forecast_percent is not None:
            found.append(Clause(rank, Fraction(step.at_forecast_percent), step, True))
    return sorted(found, key=lambda clause: clause[:2])


def plain(
    policies: list[BudgetPolicy], states: list[BudgetState], facts: dict[str, str], estimate: Decimal, tokens: int
) -> tuple[Any, ...]:
    """The decision by the contract's own words: every budget is looked at, in fractions."""
    known = {(state.budget_id, state.values): state for state in states}
    found: list[tuple[int, bool, Fraction, str, tuple[str, ...]]] = []
    limits: list[int] = []
    for policy in policies:
        values = tuple(facts.get(field, "") for field in policy.per)
        if not in_scope(policy.scope, facts) or "" in values:
            continue
        state = known.get((policy.budget_id, values))
        foretold = max(map(Fraction, (state and state.forecast_percents) or ()), default=Fraction(0))
        quota = policy.quota
        other = state is not None and (state.quota and state.quota.unit) != (quota and quota.unit)
        if state is None or other or (state.period_end is not None and state.period_end <= NOW):
            amount, used = Fraction(policy.amount_usd if quota is None else quota.amount), Fraction(0)
            foretold = Fraction(0)
        elif state.quota is not None:
            amount, used = Fraction(state.quota.amount), Fraction(state.quota.used)
        else:
            amount, used = Fraction(state.amount_usd), Fraction(state.spent_usd) + Fraction(state.held_usd)
        total = used + (Fraction(estimate) if quota is None else tokens if quota.unit == "tokens" else 0)
        ladder = clauses(policy)
        holds = [amount < 0 or clause.holds(total, amount, foretold) for clause in ladder]
        reached = ladder[: max((index + 1 for index, held in enumerate(holds) if held), default=0)]
        rank = reached[-1].rank if reached else 0
        if amount == 0:
            rank = ACTIONS.index("refuse")
        else:
            limits += [
                clause.step.max_output_tokens
                for clause in reached
                if clause.step.action == "reduced" and clause.step.max_output_tokens
            ]
        found.append((-rank, quota is not None, amount - used, policy.budget_id, values))
    if not found:
        return ("full", None, (), None, None)
    rank, _, _, budget_id, values = min(found)
    of_money = [left for _, is_quota, left, _, _ in found if not is_quota]
    least = max(Fraction(0), min(of_money)) if of_money else None
    return (ACTIONS[-rank], budget_id, values, least, min(limits, default=None))


@pytest.mark.slow
@settings(max_examples=examples(150))
@given(
    budgets(),
    st.dictionaries(st.sampled_from(FIELDS), WORDS),
    st.decimals(0, 10, places=12),
    st.integers(0, 10),
    st.sampled_from([1, 2, 4096]),
)
def test_the_index_decides_like_a_plain_loop(
    known: tuple[list[BudgetPolicy], list[BudgetState]],
    facts: dict[str, str],
    estimate: Decimal,
    tokens: int,
    entries: int,
) -> None:
    """Same action, budget, values, remaining amount and limits, however little the index may hold."""
    policies, states = known
    before, index_module._MAX_ENTRIES = index_module._MAX_ENTRIES, entries  # type: ignore[misc]
    try:
        guard = new_guard(Clocks(), *states, *policies)
    finally:
        index_module._MAX_ENTRIES = before  # type: ignore[misc]
    labels = {name.removeprefix("labels."): text for name, text in facts.items() if name.startswith("labels.")}
    decision = guard.decide(
        Attribution(
            team=facts.get("team"), feature=facts.get("feature"), user_id=facts.get("user_id"), labels=labels or None
        ),
        estimate,
        model=facts.get("model"),
        category=facts.get("category"),
        source=facts.get("source"),
        region=facts.get("region"),
        estimate_tokens=tokens,
    )
    facts = {"source": "test", **facts}  # the guard's own
    remaining = None if decision.remaining_usd is None else Fraction(decision.remaining_usd)
    got = (decision.action, decision.budget_id, decision.values, remaining, decision.max_output_tokens)
    assert got == plain(policies, states, facts, estimate, tokens)
    assert decision.reason

"""The index finds what a plain loop over all budgets finds, and the integers say what fractions say."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

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
STEPS = st.lists(
    st.builds(
        PolicyStep,
        at_percent=st.decimals(0, 150, places=3),
        at=st.none() | st.none() | st.decimals(0, 12, places=12),
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
        quota = policy.quota
        other = state is not None and (state.quota and state.quota.unit) != (quota and quota.unit)
        if state is None or other or (state.period_end is not None and state.period_end <= NOW):
            amount, used = Fraction(policy.amount_usd if quota is None else quota.amount), Fraction(0)
        elif state.quota is not None:
            amount, used = Fraction(state.quota.amount), Fraction(state.quota.used)
        else:
            amount, used = Fraction(state.amount_usd), Fraction(state.spent_usd) + Fraction(state.held_usd)
        total = used + (Fraction(estimate) if quota is None else tokens if quota.unit == "tokens" else 0)
        bounds = [Fraction(step.at_percent) / 100 * amount if step.at is None else step.at for step in policy.steps]
        highest = max((index for index, bound in enumerate(bounds) if amount < 0 or total >= bound), default=-1)
        reached = policy.steps[: highest + 1]  # a step demands what those before it do
        rank = max((ACTIONS.index(step.action) for step in reached), default=0)
        if amount == 0:
            rank = ACTIONS.index("refuse")
        else:
            limits += [
                step.max_output_tokens for step in reached if step.action == "reduced" and step.max_output_tokens
            ]
        found.append((-rank, quota is not None, amount - used, policy.budget_id, values))
    if not found:
        return ("full", None, (), None, None)
    rank, _, _, budget_id, values = min(found)
    of_money = [left for _, is_quota, left, _, _ in found if not is_quota]
    least = max(Fraction(0), min(of_money)) if of_money else None
    return (ACTIONS[-rank], budget_id, values, least, min(limits, default=None))


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

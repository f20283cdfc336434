"""What the guard answers, case by case."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import spendstream
from spendstream.guard.records import TakenBack
from spendstream_schemas.budget_feed import ACTIONS, Action, Quota
from tests.unit.producers.guard.support import END, Clocks, heartbeat, new_guard, policy, state, step, who

STEPS = (
    step(50, "reduced", max_input_tokens=8000, max_output_tokens=1000),
    step(70, "cached_only"),
    step(80, "essential_only"),
    step(100, "refuse"),
)


@pytest.mark.parametrize(
    ("spent", "action", "allowed", "essential", "cached"),
    [
        ("49.999999999999", "full", True, True, True),
        ("50", "reduced", True, True, True),
        ("69.999999999999", "reduced", True, True, True),
        ("70", "cached_only", False, True, True),
        ("80", "essential_only", False, True, False),
        ("99.999999999999", "essential_only", False, True, False),
        ("100", "refuse", False, False, False),
        ("250", "refuse", False, False, False),
    ],
)
def test_each_step_applies_from_its_share_on(
    spent: str, action: Action, allowed: bool, essential: bool, cached: bool
) -> None:
    """To the pico-USD; what is open to essential requests at a stricter step is open to them at a milder one."""
    guard = new_guard(Clocks(), policy(steps=STEPS), state(spent))
    decision = guard.decide(who())
    assert (decision.action, decision.allowed, decision.cached_answers_allowed) == (action, allowed, cached)
    assert guard.decide(who(), essential=True).allowed is essential


FORESEEING = (
    step(80, "reduced", at_forecast_percent=100, max_output_tokens=300),
    step(120, "cached_only", at_forecast_percent=120),
    step(100, "refuse"),
)


@pytest.mark.parametrize(
    ("spent", "foretold", "action", "by_forecast", "why"),
    [
        (10, None, "full", False, "has used 10.00 of 100.00 USD (10.0%), until"),
        (10, [80], "full", False, "has used 10.00 of 100.00 USD (10.0%), until"),
        (10, [80, 100], "reduced", True, "it is forecast to pass 100%: smaller requests only"),
        (80, [], "reduced", False, "from 80% on smaller requests only"),
        (10, [150], "cached_only", True, "it is forecast to pass 120%: only cached answers"),
        (100, [150], "refuse", False, "from 100% on no requests"),
    ],
)
def test_a_step_applies_while_it_is_forecast(
    spent: int, foretold: list[int] | None, action: Action, by_forecast: bool, why: str
) -> None:
    """Of what will be passed, all that is less will be, too; a forecast brings no stricter step than its own."""
    guard = new_guard(Clocks(), policy(steps=FORESEEING), state(spent, forecast_percents=foretold))
    decision = guard.decide(who())
    assert (decision.action, decision.by_forecast) == (action, by_forecast)
    assert why in decision.reason
    assert decision.max_output_tokens == (None if action == "full" else 300)


def test_what_is_used_is_more_certain_than_a_forecast() -> None:
    """A step that waits for a forecast alone applies once so much is used, whatever is forecast: a budget that is used
    up never asks for less than one that will be."""
    steps = (step(100, "refuse", at_forecast_percent=100),)
    assert new_guard(Clocks(), policy(steps=steps), state(99)).decide(who()).action == "full"
    decision = new_guard(Clocks(), policy(steps=steps), state(99)).decide(who(), "1")
    assert (decision.action, decision.by_forecast) == ("refuse", False)
    later = (step(110, "reduced", at_forecast_percent=90),)
    assert new_guard(Clocks(), policy(steps=later), state(90)).decide(who()).action == "reduced"


def test_a_forecast_is_of_its_period_and_of_its_amount() -> None:
    """In the next period nothing is forecast until the job says so; of another unit nothing is known."""
    clocks = Clocks()
    steps = (step(100, "refuse", at_forecast_percent=100),)
    guard = new_guard(clocks, policy(steps=steps), state(1, forecast_percents=[100]))
    assert guard.decide(who()).action == "refuse"
    clocks.pass_s((END - clocks.now).total_seconds())
    assert guard.decide(who()).action == "full"
    quota = Quota(unit="tokens", amount=Decimal(5))
    guard = new_guard(Clocks(), policy(steps=steps, quota=quota), state(1, forecast_percents=[100]))
    assert guard.decide(who()).action == "full"


def test_the_estimate_and_what_is_held_count_as_spent() -> None:
    """The step applies to spent + held + estimate, to the last pico-USD."""
    guard = new_guard(Clocks(), policy(), state(60, held_usd=Decimal(30)))
    assert guard.decide(who(), Decimal("9.999999999999")).action == "full"
    guard = new_guard(Clocks(), policy(), state(60, held_usd=Decimal(30)))
    decision = guard.decide(who(), "10")
    assert (decision.action, decision.remaining_usd, decision.used_usd) == ("refuse", Decimal(10), Decimal(90))


def test_the_strictest_of_all_budgets_wins() -> None:
    """Also where a milder one is closer to its end; the limits of reduced requests are the least of any."""
    guard = new_guard(
        Clocks(),
        policy("company", steps=(step(10, "reduced", max_output_tokens=300),)),
        policy("team", {"team": "search"}, parent="company", steps=(step(90, "reduced", max_output_tokens=500),)),
        policy("user", per=("user_id",), steps=(step(20, "cached_only"),)),
        state(11, "company"),
        state(99, "team"),
        state(20, "user", values=("u1",)),
    )
    decision = guard.decide(who(team="search", user_id="u1"))
    assert (decision.action, decision.budget_id, decision.values) == ("cached_only", "user", ("u1",))
    assert (decision.max_output_tokens, decision.max_input_tokens, decision.remaining_usd) == (300, None, Decimal(1))
    assert guard.decide(who(team="search")).budget_id == "team"
    assert guard.decide(who(team="other", user_id="u2")).budget_id == "company"


def test_each_combination_of_values_has_its_own_budget() -> None:
    """A value without a state has spent nothing; a request that lacks a value is not this budget's."""
    guard = new_guard(
        Clocks(),
        policy("pair", per=("feature", "user_id"), amount_usd=Decimal(5)),
        state(5, "pair", values=("search", "u1"), amount_usd=Decimal(5)),
    )
    assert guard.decide(who(feature="search", user_id="u1")).action == "refuse"
    fresh = guard.decide(who(feature="chat", user_id="u1"))
    assert (fresh.action, fresh.remaining_usd, fresh.values) == ("full", Decimal(5), ("chat", "u1"))
    assert guard.decide(who(feature="chat", user_id="u1"), 5).action == "refuse"
    assert guard.decide(who(feature="search"), 1000).budget_id is None


def test_scopes_look_at_provider_model_and_category() -> None:
    """What the call does not name matches only budgets that do not ask for it."""
    guard = new_guard(
        Clocks(),
        policy("gpt", {"model": {"glob": "gpt-*"}, "provider": "openai"}, amount_usd=Decimal(0)),
        policy("training", {"category": "training"}, amount_usd=Decimal(0)),
    )
    assert guard.decide(who(), provider="openai", model="gpt-4o").budget_id == "gpt"
    assert guard.decide(who(), provider="azure", model="gpt-4o").budget_id is None
    assert guard.decide(who(), provider="openai").budget_id is None
    assert guard.decide(who(), category="training").budget_id == "training"


@pytest.mark.parametrize("steps", [(), (step(100, "reduced"),), (step(0, "full"),)])
def test_an_amount_of_zero_lets_nothing_be_spent(steps: Any) -> None:
    """Whatever the steps are."""
    guard = new_guard(Clocks(), policy(amount_usd=Decimal(0), steps=steps))
    decision = guard.decide(who(), essential=True)
    assert (decision.action, decision.allowed) == ("refuse", False)
    assert "nothing may be spent" in decision.reason


def test_an_amount_below_zero_is_used_up() -> None:
    """More was carried over than there is: every step applies, and no other."""
    guard = new_guard(Clocks(), policy(steps=(step(500, "reduced"),)), state(0, amount_usd=Decimal(-3)))
    assert guard.decide(who()).action == "reduced"


def test_a_period_that_is_over_has_rolled_over() -> None:
    """Nothing is spent of the policy's amount until the job says more; a rolling window goes on."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(), policy("window"), state(100), state(100, "window", period_end=None))
    guard.apply(TakenBack("window", ()))
    assert guard.decide(who()).action == "refuse"
    clocks.now = END - timedelta(microseconds=1)
    guard.apply(heartbeat(clocks))
    assert guard.decide(who()).action == "refuse"
    clocks.now = END
    decision = guard.decide(who())
    assert (decision.action, decision.remaining_usd, decision.period_end) == ("full", Decimal(100), None)
    guard.apply(state(100, "window", period_end=None))
    assert guard.decide(who()).budget_id == "window"


def test_what_a_state_says_of_the_next_period_counts_from_its_end_on() -> None:
    """A value with an amount of its own has it, and no longer when the job says another one, or another unit counts."""
    clocks = Clocks()
    guard = new_guard(clocks, policy(amount_usd=Decimal(0)), state(100, next_amount=Decimal(7)))
    assert guard.decide(who()).amount_usd == 100
    clocks.now = END
    guard.apply(heartbeat(clocks))
    decision = guard.decide(who(), 6)
    assert (decision.action, decision.amount_usd, decision.used_usd) == ("full", Decimal(7), Decimal(0))
    guard.apply(policy(amount_usd=Decimal(0), quota=Quota(unit="tokens", amount=Decimal(5))))
    assert guard.decide(who()).amount == 5
    guard.apply(policy(), TakenBack("b", ()))
    assert guard.decide(who()).amount == 100


def test_records_are_taken_back() -> None:
    """A policy's and a state's; the state of a policy that comes back is still known."""
    guard = new_guard(Clocks(), policy(), state(100))
    guard.apply(TakenBack("b", None))
    assert guard.decide(who()).budget_id is None
    guard.apply(policy())
    assert guard.decide(who()).action == "refuse"
    guard.apply(TakenBack("b", ()), TakenBack("unknown", ("x",)))
    assert guard.decide(who()).action == "full"


def test_the_attribution_of_the_context_is_taken() -> None:
    """Inside of `spendstream.attribution`, nothing has to be passed."""
    guard = new_guard(Clocks(), policy("team", {"team": "search"}, amount_usd=Decimal(0)))
    assert guard.decide().allowed
    with spendstream.attribution(team="search"):
        assert not guard.decide().allowed


@pytest.mark.parametrize("wrong", [0.5, True, b"1", [1]])
def test_a_float_is_no_amount_of_money(wrong: Any) -> None:
    """The error says what to pass."""
    with pytest.raises(TypeError, match=r"estimate_usd must be a Decimal, an int or a str.*Decimal\('0.05'\)"):
        new_guard(Clocks()).decide(who(), wrong)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "a lot", -1])
def test_an_estimate_is_a_finite_amount(wrong: Any) -> None:
    """Neither negative nor infinite nor no number."""
    with pytest.raises(ValueError, match="estimate_usd"):
        new_guard(Clocks()).decide(who(), wrong)


def test_what_never_ends_is_not_said_to_end() -> None:
    """The feed has an end all the same, of what the store can hold."""
    ever = state(100, period_end=datetime(2050, 1, 1, tzinfo=UTC))
    reason = new_guard(Clocks(), policy(steps=(step(100, "refuse"),)), ever).decide(who()).reason
    assert reason == "refuse: budget b has used 100.00 of 100.00 USD (100.0%); from 100% on no requests"


def test_the_reason_says_who_what_and_until_when() -> None:
    """One sentence with budget, values, owner, figures, share, estimate, step and period."""
    guard = new_guard(
        Clocks(),
        policy("user", per=("user_id",), owner="ada", steps=(step("99.5", "refuse"),)),
        state("98.7", "user", values=("u1",)),
    )
    assert guard.decide(who(user_id="u1"), "1.25").reason == (
        "refuse: budget user (user_id=u1; owner ada) has used 98.70 of 100.00 USD (98.7%), this request may cost "
        "1.25 USD; from 99.5% on no requests, until 2026-04-01 00:00 UTC"
    )
    assert guard.decide(who(), 1).reason == "no budget covers this request"
    assert guard.decide(who(user_id="u2"), "0.0004").reason == (
        "full: budget user (user_id=u2; owner ada) has used 0.00 of 100.00 USD (0.0%), this request may cost 0.0004 USD"
    )


def test_an_essential_request_is_told_that_it_passes() -> None:
    """Only where it does."""
    guard = new_guard(Clocks(), policy(steps=(step(10, "essential_only"),)), state(10))
    assert "this request is essential and passes" in guard.decide(who(), essential=True).reason
    assert "only essential requests" in guard.decide(who()).reason


# -- not knowing


def test_without_a_heartbeat_each_budget_fails_in_its_own_way() -> None:
    """open: as last known, flagged stale. closed: refused, with the reason."""
    clocks = Clocks()
    records = policy("o", {"team": "o"}), policy("c", {"team": "c"}, fail="closed"), state(100, "o"), state(1, "c")
    guard = new_guard(clocks, *records, stale_after_s=30)
    clocks.pass_s(30)
    decision = guard.decide(who(team="c"))
    assert (decision.allowed, decision.stale) == (True, False)
    clocks.pass_s(1)
    guard.apply(state(2, "c"))  # a record is not a heartbeat
    decision = guard.decide(who(team="c"), essential=True)
    assert (decision.action, decision.allowed, decision.stale) == ("refuse", False, True)
    assert decision.reason == (
        "refuse: budget c cannot be known: nobody has said for 31 s that budgets are kept up; its policy then refuses"
    )
    decision = guard.decide(who(team="o"))
    assert (decision.action, decision.stale) == ("refuse", True)
    assert "figures may be old" in decision.reason
    assert guard.decide(who(team="x")).allowed
    guard.apply(heartbeat(clocks))
    assert guard.decide(who(team="c")).allowed


@pytest.mark.parametrize(("fail", "action"), [("open", "full"), ("closed", "refuse")])
def test_with_nothing_known_the_service_s_own_choice_counts(fail: str, action: str) -> None:
    """No policy and no heartbeat; a heartbeat without policies says that there are no budgets."""
    clocks = Clocks()
    guard = new_guard(clocks, beat=False, fail=fail)
    decision = guard.decide(who(), 5)
    assert (decision.action, decision.stale, decision.budget_id) == (action, True, None)
    assert decision.reason.startswith("nobody has said that budgets are kept")
    guard.apply(heartbeat(clocks))
    decision = guard.decide(who(), 5)
    assert (decision.action, decision.stale) == ("full", False)


def test_before_the_first_load_nothing_is_known() -> None:
    """What has come of it is used where the service fails open; a closed one refuses until all is read."""
    clocks = Clocks()
    for fail, action in (("open", "full"), ("closed", "refuse")):
        guard = new_guard(clocks, policy(), fail=fail)
        guard._book.loaded = False
        decision = guard.decide(who())
        assert (decision.action, decision.stale, guard.ready) == (action, True, False)
        guard._book.load_ended()
        assert guard.decide(who()).action == "full"
        assert guard.wait_ready(0)


def test_a_bug_of_the_guard_does_not_reach_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and the service's own choice counts."""
    guard = new_guard(Clocks(), policy(), fail="closed")
    monkeypatch.setattr(guard._book, "index", None)
    assert not guard.decide(who()).allowed
    assert guard.stats().errors["guard_internal"] == 1


def test_every_action_is_known() -> None:
    """A new one in the contract needs an effect here."""
    assert ACTIONS == ("full", "reduced", "cached_only", "essential_only", "refuse")


def test_labels_source_and_region_are_known_where_they_are_asked_for() -> None:
    """Labels by the attribution, also the one around; the source is the service's own unless another is named."""
    guard = new_guard(
        Clocks(),
        policy("tenant", {"labels.a.b": "t*"}, per=("labels.a.b",)),
        state(100, "tenant", values=("t1",)),
        policy("own", {"source": "test"}),
        state(100, "own"),
        policy("eu", {"region": ["eu-*", "eu"], "source": "other"}),
        state(100, "eu"),
    )
    with spendstream.attribution(labels={"a.b": "t1", "c": "d"}):
        assert guard.decide(source="x").budget_id == "tenant"
        assert guard.decide(spendstream.Attribution(team="a"), source="x").budget_id is None
    assert guard.decide().budget_id == "own"
    asked: list[tuple[str | None, str | None]] = [("other", "eu-1"), ("other", "us"), ("other", None), (None, "eu")]
    found = [guard.decide(source=source, region=region).budget_id for source, region in asked]
    assert found == ["eu", None, None, "own"]
    stream = guard.limit_stream(iter(range(9)), max_cost_usd=5, cost_of=lambda _: 1, source="other", region="eu")
    assert list(stream) == []
    for wrong in ({"source": 1}, {"region": b"eu"}):
        with pytest.raises(TypeError, match=r"(source|region) must be a str or None"):
            guard.decide(**wrong)


def test_a_policy_of_another_version_does_not_take_this_one_back() -> None:
    """Its key is another: what was said for older guards is not said for this one."""
    for mine, other in (({"labels.x": "y"}, 1), ({"team": "a"}, 2)):
        made = policy("b", mine)
        guard = new_guard(Clocks(), made, state(100))
        guard.apply(TakenBack("b", None, other))
        assert guard.stats().policies == 1
        guard.apply(TakenBack("b", None, made.schema_version))
        assert guard.stats().policies == 0

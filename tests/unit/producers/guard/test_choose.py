"""The cheapest model that can do a task and that the budgets allow."""

from decimal import Decimal

from spendstream import Guard, ModelOption, TaskNeeds
from spendstream.guard.choose import Price
from tests.unit.producers.guard.support import Clocks, new_guard, policy, state, step, who

SMALL = ModelOption("openai", "small", "0.1", "0.4", context_tokens=128_000, max_output_tokens=16_000, quality=1)
TOOLS = frozenset({"tools"})
BIG = ModelOption("openai", "big", "2", "8", context_tokens=1_000_000, capabilities=TOOLS, quality=3)
OTHER = ModelOption("anthropic", "other", "3", "15", context_tokens=200_000, capabilities=TOOLS, quality=3)
DARK = ModelOption("local", "dark", context_tokens=200_000, capabilities=TOOLS, quality=3)
ALL = (OTHER, DARK, BIG, SMALL)
TASK = TaskNeeds(input_tokens=10_000, output_tokens=1_000)


class Prices:
    """A source whose prices move."""

    def __init__(self, **prices: Price | None) -> None:
        self.prices = prices

    def price(self, provider: str, model: str) -> Price | None:
        return self.prices.get(model)


def chosen(guard: Guard, needs: TaskNeeds = TASK, **options: object) -> str | None:
    found = guard.cheapest_capable(ALL, needs, attribution=who(), **options)  # type: ignore[arg-type]
    return None if found.option is None else found.option.model


def test_the_cheapest_is_taken() -> None:
    """With its estimate, counted, and a sentence that says why."""
    guard = new_guard(Clocks(), policy())
    choice = guard.cheapest_capable(ALL, TASK, attribution=who())
    assert choice
    assert (choice.option, choice.estimated_usd, choice.max_output_tokens) == (SMALL, Decimal("0.0014"), 1_000)
    assert choice.why.startswith("openai small is the cheapest of 4 at 0.0014 USD; full: budget b")
    assert guard.decide(who()).used_usd == Decimal("0.0014")


def test_needs_are_met() -> None:
    """Each kind of them; what is lacking is said."""
    guard = new_guard(Clocks())
    assert chosen(guard, TaskNeeds(10_000, 1_000, TOOLS)) == "big"
    assert chosen(guard, TaskNeeds(10_000, 1_000, min_quality=2)) == "big"
    assert chosen(guard, TaskNeeds(127_001, 1_000)) == "big"
    assert chosen(guard, TaskNeeds(1_000, 16_001)) == "big"
    nothing = guard.cheapest_capable(ALL, TaskNeeds(1, 1, frozenset({"video"})))
    assert not nothing
    assert (nothing.decision, nothing.why) == (None, "no option can do what the task needs")
    assert {why for _, why in nothing.skipped} == {"it lacks video"}


def test_prices_are_asked_for_each_time() -> None:
    """A source goes before what the option says; where it is silent, the option speaks; where it fails, too."""
    guard = new_guard(Clocks())
    prices = Prices(small=(50, 50))
    assert chosen(guard, prices=prices) == "big"
    prices.prices = {"dark": (Decimal("0.01"), Decimal("0.01"))}
    assert chosen(guard, prices=prices) == "dark"

    class Broken:
        def price(self, provider: str, model: str) -> Price | None:
            raise OSError("no prices today")

    assert chosen(guard, prices=Broken()) == "small"
    assert guard.stats().errors["price_source"] == 4


def test_an_unknown_price_is_never_taken_for_nothing() -> None:
    """Chosen only when nothing else is left, and measured at the highest known price."""
    needs = TaskNeeds(100_000, 10_000, TOOLS)
    guard = new_guard(Clocks(), policy("paid", {"provider": ["openai", "anthropic"]}, amount_usd=Decimal(0)))
    choice = guard.cheapest_capable(ALL, needs, attribution=who())
    assert (choice.option, choice.estimated_usd) == (DARK, None)
    assert "its price is not known" in choice.why
    guard.apply(policy("local", {"provider": "local"}), state("99.6", "local"))
    assert chosen(guard, needs) is None  # OTHER would cost 0.45


def test_options_that_the_budgets_refuse_are_passed_over() -> None:
    """Budgets of a provider or a model; when all refuse, the decision says so."""
    guard = new_guard(Clocks(), policy("small", {"model": "small"}, amount_usd=Decimal(0)))
    choice = guard.cheapest_capable(ALL, TASK, attribution=who())
    assert choice.option == BIG
    assert [(option, why[:20]) for option, why in choice.skipped] == [(SMALL, "refuse: budget small")]
    guard.apply(policy("all", amount_usd=Decimal(0)))
    nothing = guard.cheapest_capable(ALL, TASK, attribution=who())
    assert not nothing
    assert nothing.decision is not None
    assert not nothing.decision.allowed
    assert nothing.why.startswith("no capable option is allowed: refuse: budget all")


def test_reduced_requests_are_reduced() -> None:
    """Fewer output tokens, and an estimate for those; too much input passes the option over."""
    guard = new_guard(
        Clocks(),
        policy(steps=(step(50, "reduced", max_output_tokens=100), step(100, "refuse"))),
        state("99.998"),
    )
    choice = guard.cheapest_capable(ALL, TASK, attribution=who())
    assert (choice.option, choice.max_output_tokens, choice.estimated_usd) == (SMALL, 100, Decimal("0.00104"))
    assert "with at most 100 output tokens instead of 1000" in choice.why
    assert guard.decide(who()).used_usd == Decimal("99.99904")
    guard = new_guard(Clocks(), policy("s", {"model": "small"}, steps=(step(0, "reduced", max_input_tokens=9_999),)))
    choice = guard.cheapest_capable(ALL, TASK, attribution=who())
    assert choice.option == BIG
    assert "its 10000 input tokens are more than the 9999" in choice.skipped[0][1]
    assert guard.decide(who(), model="small").used_usd == 0

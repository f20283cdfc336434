"""Whatever callers give the guard: an answer, or a TypeError or ValueError that says what to give."""

import asyncio
import math
from collections.abc import Callable
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream import Attribution, Guard, ModelOption, TaskNeeds
from spendstream.guard.money import pico_of
from spendstream.guard.records import TakenBack
from tests.fuzz import examples
from tests.unit.producers.guard.support import Clocks, new_guard, policy, state, step, who


class Plain(str, Enum):  # noqa: UP042 - what services have
    MODEL = "gpt-4o"


class Modern(StrEnum):
    MODEL = "gpt-4o"


class Odd:
    """Iterable without end, with a length that lies, and with attributes of any name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class Prices:
    """A source that answers with anything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def price(self, provider: str, model: str) -> Any:
        return self.answer


MONEY: Final = (
    *("1e400", "1e999999999", "1e-999999999", "-1e400", "NaN", "sNaN", "-NaN", "Infinity", "1e20", "1.0001e20", "0"),
    *("", " ", "1_0", "\u0661", "\ud800", "1" * 5000, "0." + "9" * 5000, "1e-13", "0x10", "1,5", "USD 1"),
    *map(Decimal, ("1e400", "1e-400", "sNaN", "NaN", "-0", "1e20", "9" * 90, "1E+999999", "1E-999999")),
    *(10**19, 10**400, 10**5000, -(10**5000), True, 0.1, math.nan, math.inf, b"1", (), [], {}, None, object(), 1j),
)
ANYTHING: Final = (
    *MONEY,
    *({"team": "search"}, {"team"}, ["gpt-4o"], ("gpt-4o",), frozenset({"tools"}), "tools", "no", "", "\x00", Odd()),
    *(Attribution(team="t"), TaskNeeds(1, 1), ModelOption("openai", "gpt-4o"), [ModelOption("openai", "gpt-4o")]),
    *([ModelOption("openai", "a", "1", "1")], [None], iter([]), range(3), type, len, lambda _: "1", lambda _: 10**400),
    *(lambda _: 0.5, Plain.MODEL, Modern.MODEL, TakenBack("b", None), TakenBack(["b"], None), TakenBack("b", 5)),  # type: ignore[arg-type]
    *(TakenBack("b", (1,)), TakenBack("b", ("x", "y")), policy(), state(5), Prices(None), Prices((0.1, 0.2)), -1, -0.5),  # type: ignore[arg-type]
    *(Prices(("1e400", "1")), Prices("1"), Prices(("NaN", 1)), Prices(5), Prices(("1", "2")), 1e308, 2**63),
)
NEEDS: Final = st.builds(
    TaskNeeds, *[st.sampled_from((1, 10**12, 10**13, -1, 0.5, True, None, "1"))] * 2, st.sampled_from(ANYTHING)
)
OPTIONS: Final = st.lists(
    st.builds(
        ModelOption,
        *[st.sampled_from(("openai", "", None, 5, ["x"], Plain.MODEL))] * 2,
        *[st.sampled_from(MONEY)] * 2,
        context_tokens=st.sampled_from((None, 0, 10**9, -1, 0.5, "1")),
        capabilities=st.sampled_from((frozenset(), frozenset({"tools"}), {"tools"}, "tools", None, frozenset({1}))),
        quality=st.sampled_from((0, 10**9, -1, 10**400, 0.5, None, "1")),
    ),
    max_size=3,
)
CALLS: Final = {
    "decide": ("attribution", "estimate_usd", "provider", "model", "category", "essential"),
    "limit_stream": (
        *("stream", "max_cost_usd", "cost_of", "usd_per_token", "tokens_of", "spent_usd", "decision", "attribution"),
        *("provider", "model", "category", "raise_on_limit"),
    ),
    "cheapest_capable": ("options", "needs", "task", "prices", "attribution", "category", "essential"),
    "wait_ready": ("timeout_s",),
}
REQUIRED: Final[dict[str, dict[str, Any]]] = {
    "limit_stream": {"stream": ["a", "b"], "cost_of": lambda _: "0.1"},
    "cheapest_capable": {"options": [ModelOption("openai", "small", "1", "2")], "needs": TaskNeeds(10, 10)},
}


def a_guard() -> Guard:
    """With budgets that look at all that can be given, so that nothing is passed by unseen."""
    fields = ("provider", "model", "category", "team")
    budgets = [policy(f"b-{name}", {name: "gpt-4o"}, amount_usd=Decimal(1)) for name in fields]
    globs = [policy(f"g-{name}", {name: {"glob": "*4o*"}}, steps=(step(1, "reduced"),)) for name in fields]
    return new_guard(Clocks(), policy("each", per=("model",)), policy("whole"), state(5, "whole"), *budgets, *globs)


def use(answer: Any) -> None:
    """All that can be asked of an answer."""
    for name in ("reason", "allowed", "amount_usd", "used_usd", "remaining_usd", "estimate_usd", "why", "period_end"):
        getattr(answer, name, None)
    repr(answer)
    if hasattr(type(answer), "__aiter__"):

        async def read() -> None:
            async for _ in answer:
                pass

        asyncio.run(read())
    elif hasattr(type(answer), "__next__"):
        for _ in answer:
            repr((answer.cost_usd, answer.stopped_reason))


def said(call: Callable[[], object]) -> str:
    """What the error says that is meant, or nothing when there is an answer."""
    try:
        use(call())
    except (TypeError, ValueError) as error:
        return str(error) if type(error) in (TypeError, ValueError) else repr(error)
    return ""


def tried(guard: Guard, name: str, arguments: dict[str, Any]) -> None:
    """Whatever the guard says to it; what is raised is meant, and is a sentence."""
    sentence = said(lambda: getattr(guard, name)(**arguments))
    assert not sentence or 10 < len(sentence) < 300, sentence
    assert "guard_internal" not in guard.stats().errors


@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name in CALLS for argument in CALLS[name]])
def test_each_argument_may_be_anything(name: str, argument: str) -> None:
    """One after the other: an answer, or an error that is meant."""
    for value in ANYTHING:
        if name == "limit_stream" and argument == "stream" and isinstance(value, type):
            continue
        tried(a_guard(), name, REQUIRED.get(name, {}) | {argument: value})


def test_records_may_be_anything() -> None:
    """What is no record is refused, and with it all that was given beside it."""
    for value in ANYTHING:
        guard = new_guard(Clocks())
        sentence = said(lambda guard=guard, value=value: guard.apply(policy("other"), value))  # type: ignore[misc]
        assert sentence.startswith("a record must be") or not sentence, value
        assert (guard.stats().policies == 0) == bool(sentence)
        assert "must be a GuardConfig" in said(lambda value=value: Guard(value, connect=False))  # type: ignore[misc]


def test_a_request_may_have_cost_anything() -> None:
    """`settle` answers as `decide` does."""
    for value in MONEY:
        decision = a_guard().decide(who(), "0.5", model="gpt-4o")
        sentence = said(lambda decision=decision, value=value: decision.settle(value))  # type: ignore[misc]
        assert sentence.startswith("actual_usd must be") or not sentence, value
        repr(decision)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=examples(200))
def test_all_arguments_at_once_may_be_anything(data: st.DataObject) -> None:
    """Values that pass alone meet each other."""
    name = data.draw(st.sampled_from(sorted(CALLS)))
    special = {"needs": NEEDS, "options": OPTIONS}
    given_values = data.draw(st.sets(st.sampled_from(CALLS[name])))
    arguments = {
        argument: data.draw(special.get(argument, st.sampled_from(ANYTHING)) | st.sampled_from(ANYTHING))
        for argument in sorted(given_values)
    }
    tried(a_guard(), name, REQUIRED.get(name, {}) | arguments)


def test_what_is_refused_is_said_with_what_to_give() -> None:
    """The two that were found, and those that would pass a budget by."""
    guard = new_guard(Clocks(), policy("team", {"team": "search"}, amount_usd=Decimal(0)))
    with pytest.raises(TypeError, match=r"attribution must be an Attribution, for instance spendstream.Attribution"):
        guard.decide({"team": "search"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"estimate_usd must be at most 100000000000000000000 USD, not 1E\+400"):
        guard.decide(who(), "1e400")
    with pytest.raises(TypeError, match="essential must be True or False, not str"):
        guard.decide(who(), essential="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="model must be a str or None, not list"):
        guard.decide(who(), model=["gpt-4o"])  # type: ignore[arg-type]
    stream = guard.limit_stream(["a"], usd_per_token="0.1", tokens_of=lambda _: 0.5)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"tokens_of\(chunk\) must be an int, not float"):
        list(stream)


@pytest.mark.parametrize("model", ["gpt-4o", Plain.MODEL, Modern.MODEL])
def test_an_enum_of_texts_is_its_text(model: Any) -> None:
    """A budget of the model is found, whatever the member's own hash and str are."""
    guard = new_guard(Clocks(), policy("m", {"model": "gpt-4o"}, amount_usd=Decimal(0)))
    assert not guard.decide(who(), model=model).allowed
    each = new_guard(Clocks(), policy("each", per=("model",)), state(100, "each", values=("gpt-4o",)))
    assert not each.decide(who(), model=model).allowed


def test_what_a_price_source_says_that_is_no_price_is_not_known() -> None:
    """It is counted, and the option's own price counts."""
    guard = new_guard(Clocks())
    option = ModelOption("openai", "small", "1", "2")
    for answer in ((0.1, 0.2), ("1e400", "1"), "1", ("NaN", 1), 5, (1, 2, 3, 4)):
        choice = guard.cheapest_capable([option], TaskNeeds(1_000_000, 0), prices=Prices(answer))
        assert choice.estimated_usd == 1
    assert guard.stats().errors["price_source"] == 6


@given(st.decimals(0, 10**20, allow_nan=False) | st.from_regex(r"\A[0-9]{1,15}\.[0-9]{0,90}\Z").map(Decimal))
def test_an_amount_is_never_rounded_to_less(usd: Decimal) -> None:
    """To the next pico-USD above, however many digits it has."""
    pico = pico_of(usd)
    assert 0 <= pico - Fraction(usd) * 10**12 < 1

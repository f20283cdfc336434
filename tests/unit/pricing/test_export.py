"""The price list that services' guards read, and the choice of a model by it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream import PriceList, TaskNeeds
from spendstream.guard.money import pico_of
from spendstream.guard.price_list import PriceListError
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.export import TasksFile, price_list, unlisted
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.rate_cards import RateCardFile
from tests.unit.pricing.events import token_event
from tests.unit.pricing.shipped import shipped_book
from tests.unit.producers.guard.support import Clocks, new_guard, policy, state, step, who

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OVERLAYS = OverlayFile.model_validate(
    {
        "overlays": [
            {"name": "ours", "scope": {"provider": "openai"}, "discount_percent": 10},
            {"name": "theirs", "scope": {"attribution": {"team": "search"}}, "multiplier": "0.1"},
        ]
    }
)
CARD = RateCardFile.model_validate(
    {
        "provider": "acme",
        "source": "our own machines",
        "checked": "2026-11-28",
        "self_hosted": [{"provider": "vllm", "models": ["qwen3"], "pool": "gpu-pool-a"}],
    }
)
BOOK = PriceBook.of(overlay_files=[OVERLAYS], card_files=[CARD], version="test")
TASKS = TasksFile.model_validate(
    {
        "tasks": {
            "summarization": [
                {"provider": "openai", "model": "gpt-4o", "quality": 3, "context_tokens": 128_000},
                {"provider": "openai", "model": "gpt-4o-mini", "quality": 2, "capabilities": ["tools"]},
            ],
            "offline": [{"provider": "vllm", "model": "qwen3"}, {"provider": "openai", "model": "gpt-4o-foo"}],
        }
    }
)


def exported(*providers: str, tasks: TasksFile | None = None, at: datetime = NOW) -> PriceList:
    return PriceList.of(json.loads(json.dumps(price_list(BOOK, at, providers, tasks))))


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "deepseek", "perplexity", "aws"])
@pytest.mark.parametrize("tokens", [1, 128_000, 200_000, 200_001, 272_000, 272_001, 900_000])
def test_a_listed_price_is_what_the_book_charges(provider: str, tokens: int) -> None:
    """Contracted, to the pico-USD, on both sides of every cliff; where it differs by the hour it is the dearest."""
    prices, compared = exported(provider), 0
    for owner, model in BOOK.catalog.models():
        found = prices.price_at(owner, model, tokens) if owner == provider else None
        if found is None:
            continue
        used = {"input_tokens": tokens, "output_tokens": 1000}
        searches = {"tool_calls": {"web_search": 1}} if "-search-" in model else {}
        answer = BOOK.price(facts_of(token_event(model, used, provider=owner, at=NOW, **searches)))
        inputs, outputs, request = (pico_of(amount) for amount in found)
        listed = -(-(inputs * tokens + outputs * 1000) // 1_000_000) + request
        assert answer.contracted_cost is not None
        assert listed >= answer.contracted_cost, model
        if provider != "deepseek":
            assert listed - answer.contracted_cost <= tokens // 1_000_000 + 2, model
        compared += 1
    assert compared > 3


def test_searches_that_a_model_makes_of_itself_are_in_the_list() -> None:
    """The one of each request is in its fee; where nobody knows how many there are, the model is not listed."""
    prices = PriceList.of(json.loads(json.dumps(price_list(shipped_book(), NOW, ["openai", "perplexity"]))))
    for model, fee in [("gpt-4o-search-preview", "0.025"), ("gpt-5-search-api", "0.01"), ("gpt-4o", "0")]:
        found = prices.price_at("openai", model, 1000)
        assert found is not None
        assert Decimal(found[2]) == Decimal(fee), model
    assert prices.price_at("perplexity", "sonar-deep-research", 1000) is None


def test_terms_of_single_teams_are_not_listed() -> None:
    """The discount for everybody is."""
    assert exported("openai").price("openai", "gpt-4o") == (Decimal("2.25"), Decimal("9"))


def test_a_price_that_was_due_to_change_is_not_known_any_more() -> None:
    """The list says until when it holds."""
    document = price_list(BOOK, NOW, ["openai"])
    (entry,) = [item for item in document["prices"] if item["model"] == "gpt-4o"]
    for until, known in (
        (datetime.now(UTC) - timedelta(seconds=1), False),
        (datetime.now(UTC) + timedelta(days=1), True),
    ):
        changed = document | {"prices": [entry | {"until": until.isoformat()}]}
        assert (PriceList.of(changed).price("openai", "gpt-4o") is not None) is known
    past = exported("openai", at=datetime(2023, 6, 1, tzinfo=UTC))
    assert past.price("openai", "gpt-4o") is None


def test_with_tasks_only_their_models_are_listed() -> None:
    """What has no price is named, and its price is not known."""
    document = price_list(BOOK, NOW, (), TASKS)
    assert {item["model"] for item in document["prices"]} == {"gpt-4o", "gpt-4o-mini", "qwen3"}
    assert unlisted(document) == ["openai/gpt-4o-foo"]
    assert PriceList.of(document).price("openai", "gpt-4o-foo") is None
    assert len(price_list(BOOK, NOW)["prices"]) > 1000


def test_the_guard_chooses_from_the_book_by_the_type_of_task() -> None:
    """The cheapest that is good enough, at the book's prices, within the budgets."""
    guard, prices = new_guard(Clocks()), exported(tasks=TASKS)
    needs = TaskNeeds(2_000, 500)
    choice = guard.cheapest_capable(None, needs, task="summarization", prices=prices, attribution=who())
    assert choice.option is not None
    assert choice.option.model == "gpt-4o-mini"
    assert choice.estimated_usd == (Decimal("0.15") * 2000 + Decimal("0.60") * 500) * Decimal("0.9") / 1_000_000
    better = TaskNeeds(2_000, 500, min_quality=3)
    choice = guard.cheapest_capable(None, better, task="summarization", prices=prices, attribution=who())
    assert choice.option is not None
    assert choice.option.model == "gpt-4o"
    own = guard.cheapest_capable(None, needs, task="offline", prices=prices, attribution=who())
    assert own.option is not None
    assert (own.option.model, own.estimated_usd) == ("qwen3", Decimal(0))


def test_budgets_still_decide() -> None:
    """A refused model is passed over, whatever it costs."""
    guard = new_guard(Clocks())
    scope = {"model": {"any_of": ["gpt-4o-mini"]}}
    guard.apply(policy(scope=scope, steps=(step(100, "refuse"),)), state(100))
    prices = exported(tasks=TASKS)
    choice = guard.cheapest_capable(None, TaskNeeds(9, 9), task="summarization", prices=prices, attribution=who())
    assert choice.option is not None
    assert choice.option.model == "gpt-4o"


def test_an_unknown_task_chooses_nothing_and_says_which_there_are() -> None:
    """It is no error in the request's path; a call without options and without a list is."""
    guard, prices = new_guard(Clocks()), exported(tasks=TASKS)
    choice = guard.cheapest_capable(None, TaskNeeds(1, 1), task="poetry", prices=prices)
    assert not choice
    assert choice.why == "the price list names no models for the task 'poetry'; it has summarization, offline"
    for wrong in ({"task": "poetry"}, {"prices": prices}, {}):
        with pytest.raises(ValueError, match="give options, or a task and a PriceList"):
            guard.cheapest_capable(None, TaskNeeds(1, 1), **wrong)


GOOD: dict[str, Any] = price_list(BOOK, NOW, (), TASKS)


@pytest.mark.parametrize(
    "broken",
    [
        [],
        None,
        {},
        GOOD | {"format": 2},
        GOOD | {"at": "2026-11-28"},
        GOOD | {"prices": [{}]},
        GOOD | {"prices": [GOOD["prices"][0] | {"tiers": []}]},
        GOOD | {"prices": [GOOD["prices"][0] | {"tiers": [GOOD["prices"][0]["tiers"][0] | {"above": 5}]}]},
        *[
            GOOD
            | {"prices": [GOOD["prices"][0] | {"tiers": [GOOD["prices"][0]["tiers"][0] | {"usd_per_request": bad}]}]}
            for bad in (0.1, "-1", "NaN", "x", None)
        ],
        GOOD | {"tasks": {"t": [{"provider": "p"}]}},
        GOOD | {"tasks": {"t": [{"provider": "p", "model": "m", "quality": "high"}]}},
    ],
)
def test_what_is_no_price_list_is_refused(broken: Any, tmp_path: Path) -> None:
    """With the place, and never half read; a float is no amount."""
    with pytest.raises(PriceListError):
        PriceList.of(broken)
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(PriceListError, match=r"prices\.json"):
        PriceList.load(path)


def test_the_command_writes_what_the_guard_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document on stdout; a model without a price is named, and the exit code is 1."""
    from spendstream.cli import main

    tasks = tmp_path / "tasks.yaml"
    tasks.write_text("tasks:\n  qa:\n    - {provider: openai, model: gpt-4o-mini, quality: 2}\n")
    command = ["prices", "export", "--tasks", str(tasks), "--config-dir", str(tmp_path)]
    assert main(command) == 0
    written = tmp_path / "prices.json"
    written.write_text(capsys.readouterr().out)
    loaded = PriceList.load(written)
    assert (loaded.tasks, loaded.price("openai", "gpt-4o-mini")) == (("qa",), (Decimal("0.15"), Decimal("0.6")))
    tasks.write_text("tasks:\n  qa:\n    - {provider: openai, model: gpt-4o-foo}\n")
    assert main(command) == 1
    assert "openai/gpt-4o-foo: has no price" in capsys.readouterr().err

"""Unknown names: the nearest known ones, and where to say what was meant."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream_schemas import UnpricedReason
from stream_jobs.cli.price import NearestNames, answer
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.nearest import MAX_NAMES, Nearest, nearest_models, nearest_providers, nearest_to
from tests.unit.pricing.events import event, token_event
from tests.unit.pricing.shipped import shipped_book

BOOK = shipped_book()
USED = {"input_tokens": 10, "output_tokens": 5}


@pytest.mark.parametrize(
    ("provider", "typed", "first"),
    [
        ("openai", "gpt4o", "openai/gpt-4o"),
        ("openai", "GPT-4o-mini-2031-01-01", "openai/gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
        ("azure", "gpt4o", "azure/gpt-4o"),
        ("google", "projects/p/locations/global/publishers/google/models/gemini-2.5-flsh", "google/gemini-2.5-flash"),
        ("openrouter", "openai/gpt-4oo:nitro", "openrouter/openai/gpt-4o"),
        (None, "gpt4o", "openai/gpt-4o"),
        (None, "mistral-large-lates", "mistral/mistral-large"),
    ],
)
def test_the_nearest_name_comes_first(provider: str | None, typed: str, first: str) -> None:
    """Case, dots, dashes and dates make no difference; an id is unwrapped before."""
    found = nearest_models(BOOK, typed, provider).models
    assert found[0] == first
    assert len(found) <= MAX_NAMES


@pytest.mark.parametrize(
    ("typed", "first"), [("open-ia", "openai"), ("anthropc", "anthropic"), ("bedrok", "aws"), ("Mistrall", "mistral")]
)
def test_providers_are_named_too(typed: str, first: str) -> None:
    """By any of their names; what comes back is the id."""
    assert nearest_providers(BOOK, typed).providers[0] == first


def test_what_is_like_nothing_has_no_neighbour() -> None:
    """No guess at any price."""
    assert nearest_models(BOOK, "zzzzqqqq", "openai").models == ()
    assert nearest_models(BOOK, "zzzzqqqq", "openai").advice("openai", "zzzzqqqq") == ""


def test_the_advice_is_an_alias_that_works() -> None:
    """What it says to declare makes the name known."""
    advice = nearest_models(BOOK, "gpt4o", "openai").advice("openai", "gpt4o")
    assert advice.endswith("If it is gpt-4o, declare it in corrections/: {alias: 'gpt4o', model: 'gpt-4o'}")
    alias = {"alias": "gpt4o", "model": "gpt-4o", "source": "us", "checked": "2026-11-28"}
    declared = PriceBook.of([CorrectionFile.model_validate({"provider": "openai", "aliases": [alias]})])
    assert declared.price(facts_of(token_event("gpt4o", USED))).priced


@pytest.mark.parametrize(
    ("provider", "model", "served", "names"),
    [
        ("openai", "gpt-4o-foo", None, "openai/gpt-4o"),
        ("litellm", "openai/gpt-4o-foo", None, "openai/gpt-4o"),
        ("openai", "gpt-4o", "gpt-5-foo", "openai/gpt-5"),
        ("opnai", "gpt-4o", None, "openai"),
    ],
)
def test_an_event_is_looked_for_where_its_price_was(provider: str, model: str, served: str | None, names: str) -> None:
    """Behind a gateway, by the served model, by the provider."""
    facts = facts_of(token_event(model, USED, provider=provider, response_model=served))
    found = nearest_to(BOOK, facts, BOOK.price(facts))
    assert names in (*found.models, *found.providers)


@pytest.mark.parametrize(
    ("provider", "usage", "fields", "first"),
    [
        ("aws", {"kind": "compute", "accelerator": "H10O", "gpu_seconds": "1"}, {}, "H100"),
        ("amazon", {"kind": "compute", "accelerator": "a100-40", "gpu_seconds": "1"}, {}, "A100-40GB"),
        ("gcp", {"kind": "compute", "accelerator": "TPU-v6ee", "gpu_seconds": "1"}, {}, "TPU-v6e"),
        ("anthropic", {"kind": "metered", "sku": "code-exec", "quantity": "1", "unit": "hour"}, {}, "code-execution"),
        ("aws", {"kind": "tokens"} | USED, {"model": "amazon.nova-pro-v1:0", "region": "eu-wst-1"}, "eu-west-1"),
        ("bedrock", {"kind": "tokens"} | USED, {"model": "amazon.nova-pro-v1:0", "region": "eu-wst-1"}, "eu-west-1"),
    ],
)
def test_accelerators_skus_and_regions_have_neighbours_too(
    provider: str, usage: dict[str, Any], fields: dict[str, Any], first: str
) -> None:
    """Each among the names of its own provider, by any of its names."""
    if usage["kind"] == "compute":
        usage = usage | {"purchase_option": "on_demand", "accelerator_count": 1}
    facts = facts_of(event(usage, provider=provider, **fields))
    pricing = BOOK.price(facts)
    assert pricing.reason is not None
    assert nearest_to(BOOK, facts, pricing).others[0] == first
    assert NearestNames()(BOOK, facts, pricing)[0] == first


def test_priced_and_otherwise_unpriced_events_are_not_looked_for() -> None:
    """Nothing is searched where no name is unknown."""
    for tier in (None, "unheard-of"):
        facts = facts_of(token_event("gpt-4o", USED, service_tier=tier))
        assert nearest_to(BOOK, facts, BOOK.price(facts)) == Nearest()


def line(**fields: Any) -> bytes:
    base = {"occurred_at": "2026-11-01T12:00:00Z", "source": "s", "provider": "openai", "model": "gpt-4o"}
    return json.dumps(base | {"usage": {"kind": "tokens"} | USED} | fields).encode()


def test_price_says_the_nearest_names_of_each_unknown_one() -> None:
    """In JSON and for people; a priced event has none."""
    looked_up = NearestNames()
    assert answer(BOOK, line(), looked_up)["nearest"] == []
    unknown = answer(BOOK, line(model="gpt-4o-foo"), looked_up)
    assert unknown["reason"] == UnpricedReason.UNKNOWN_MODEL
    assert "openai/gpt-4o" in unknown["nearest"]
    assert "an alias for it goes into corrections/" in unknown["detail"]


def test_hostile_numbers_of_names_are_not_all_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a hundred names the rest are priced without; those that were found stay known."""
    asked: list[str] = []

    def find(book: PriceBook, facts: Any, pricing: Any) -> Any:
        asked.append(facts.model)
        return nearest_providers(book, "opnai")

    monkeypatch.setattr("stream_jobs.pricing.nearest.nearest_to", find)
    looked_up = NearestNames()
    answers = [answer(BOOK, line(model=f"gpt-x{number % 300}"), looked_up)["nearest"] for number in range(600)]
    assert len(asked) == 100
    assert answers[0] == answers[300]
    assert answers[0][0] == "openai"
    assert answers[299] == []


@settings(max_examples=30)
@given(st.text(max_size=300), st.sampled_from([None, "openai", "aws", "nobody"]))
def test_any_name_is_looked_for_or_not(ref: str, provider: str | None) -> None:
    """Whatever it is made of, and however long it is."""
    found = nearest_models(BOOK, ref, provider)
    assert len(found.models) <= MAX_NAMES
    assert isinstance(found.advice(provider or "", ref), str)


def test_prices_show_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 1, as nothing was found; in JSON as advice."""
    from spendstream.cli import main

    assert main(["prices", "show", "gpt4o", "--provider", "openai", "--config-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "no provider openai has a model 'gpt4o'" in said
    assert "declare it in corrections/: {alias: 'gpt4o', model: 'gpt-4o'}" in said
    assert main(["prices", "show", "gpt4o", "--provider", "opnai", "--json", "--config-dir", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out)["advice"].startswith("nearest providers: openai")
    assert main(["prices", "show", "m", "--provider", "vllm", "--config-dir", str(tmp_path)]) == 1
    assert "declare them in rate_cards/ as self_hosted" in capsys.readouterr().out

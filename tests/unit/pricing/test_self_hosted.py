"""Models on one's own machines: their tokens cost nothing, and the receipt names the pool whose GPUs pay for them."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from spendstream_schemas import UnpricedReason
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.facts import facts_of
from stream_jobs.metering.process import Metering
from stream_jobs.pricing import receipt
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.lint import warnings
from stream_jobs.pricing.lookup import look_up
from stream_jobs.pricing.rate_cards import RateCardFile
from stream_jobs.pricing.result import Pricing
from stream_jobs.pricing.self_hosted import pool_of
from stream_jobs.streams.model import SourceRecord
from tests.unit.metering.build import NOW as PROCESSED
from tests.unit.metering.build import TOLERANCE, FakeLedger, block
from tests.unit.pricing import strategies
from tests.unit.pricing.events import NOW, event, token_event
from tests.unit.pricing.shipped import shipped_book

CARD: dict[str, Any] = {
    "provider": "acme-gpus",
    "source": "our own machines",
    "checked": "2026-11-28",
    "accelerators": [{"names": ["H100"], "usd_per_hour": 10}],
    "self_hosted": [
        {"provider": "vllm", "models": ["meta-llama/*", "qwen3"], "pool": "gpu-pool-a"},
        {"provider": "vllm", "models": ["meta-llama/Llama-3.1-70B*"], "pool": "gpu-pool-b"},
        {"provider": "ollama", "pool": "desk", "valid_from": "2026-06-01", "valid_to": "2027-01-01"},
        {"models": ["house-*"], "pool": "gpu-pool-a"},
        {"provider": "openai", "models": ["our-llama"], "pool": "gpu-pool-a"},
    ],
}
PLAIN = {"input_tokens": 1000, "output_tokens": 500}
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def book(card: dict[str, Any] = CARD) -> PriceBook:
    return PriceBook.of(card_files=[RateCardFile.model_validate(card)])


BOOK = book()


def price(model: str | None, usage: dict[str, Any] | None = None, prices: PriceBook = BOOK, **fields: Any) -> Pricing:
    return prices.price(facts_of(token_event(model, PLAIN if usage is None else usage, **fields)))


def test_declared_tokens_cost_nothing_and_name_their_pool() -> None:
    """A line for each part, so that a pool's cost can be shared out by tokens."""
    answer = price(LLAMA, PLAIN | {"cache_read_tokens": 600}, provider="vllm")
    assert answer.priced
    assert (answer.list_cost, answer.contracted_cost, answer.effective_cost) == (0, 0, 0)
    assert [(line.meter, line.quantity) for line in answer.lines] == [
        ("input_tokens", 400),
        ("cache_read_tokens", 600),
        ("output_tokens", 500),
    ]
    assert {pool_of(line.sku) for line in answer.lines} == {"gpu-pool-a"}
    assert answer.lines[0].sku == "vllm/meta-llama/*/input_mtok;pool=gpu-pool-a"
    assert receipt.priced("e", answer)["pool"] == "gpu-pool-a"
    assert receipt.priced("e", price("gpt-4o"))["pool"] is None


@pytest.mark.parametrize(
    ("provider", "model", "served", "pool"),
    [
        ("vllm", LLAMA, None, "gpu-pool-a"),
        ("hosted_vllm", LLAMA.upper(), None, "gpu-pool-a"),
        ("vllm", "alias", LLAMA, "gpu-pool-a"),
        ("vllm", None, "qwen3", "gpu-pool-a"),
        ("vllm", "meta-llama/Llama-3.1-70B-Instruct", None, "gpu-pool-b"),  # the last one that fits
        ("ollama", "whatever:8b", None, "desk"),
        ("acme-gpus", "house-1", None, "gpu-pool-a"),  # the card's own provider
        ("openai", "our-llama", None, "gpu-pool-a"),  # OpenAI's client with another address
        ("litellm", f"hosted_vllm/{LLAMA}", None, "gpu-pool-a"),
        ("litellm", "ollama/llama3.2", "llama3.2", "desk"),
    ],
)
def test_names_are_matched_as_everywhere(provider: str, model: str | None, served: str | None, pool: str) -> None:
    """Other names of the provider, the served model or the asked one, behind a gateway."""
    answer = price(model, provider=provider, response_model=served)
    assert {pool_of(line.sku) for line in answer.lines} == {pool}
    assert answer.effective_cost == 0


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        ({"status": "cancelled"}, {"input_tokens": 9}),
        ({"status": "cancelled"}, {}),
        ({}, {}),
        ({"service_tier": "turbo", "region": "rack-7", "conditions": {"speed": "warp"}}, PLAIN),
        ({"tool_calls": {"web_search": 3}}, PLAIN),
        ({}, {"input_tokens": 100, "input_audio_tokens": 40, "cache_read_tokens": 30, "output_tokens": 1}),
        ({}, {"input_tokens": 7, "cache_write_1h_tokens": 7, "output_tokens": 1, "search_units": 2}),
        ({"operation": "image"}, {"output_images": 2, "output_video_seconds": "1.5"}),
    ],
)
def test_whatever_was_used_costs_nothing(fields: dict[str, Any], usage: dict[str, Any]) -> None:
    """Cut streams, unknown usage, tiers and tools that nobody knows: the GPUs' time has paid for all of it."""
    answer = price(LLAMA, usage, provider="vllm", **fields)
    assert answer.priced
    assert answer.effective_cost == 0
    assert {pool_of(line.sku) for line in answer.lines} == {"gpu-pool-a"}


@given(strategies.events())
def test_a_declared_model_is_never_unpriced(any_event: Any) -> None:
    """Any usage under any conditions; also what this version of the contract does not know."""
    facts = facts_of(any_event)._replace(provider="vllm", model=LLAMA, response_model=None)
    if facts.kind == "tokens":
        for unknown in ((), ("usage.thought_tokens",), ("conditions.phase",)):
            answer = BOOK.price(facts, unknown)
            assert answer.priced
            assert answer.effective_cost == 0


def test_what_is_not_declared_stays_unpriced_and_says_how_to_declare_it() -> None:
    """Another model of the same server, a server without a card, a time before the declaration."""
    undeclared = [
        price("mistral-7b", provider="vllm"),
        price(LLAMA, provider="sglang"),
        price("llama3.2", provider="ollama", at=datetime(2026, 5, 31, tzinfo=UTC)),
        price("llama3.2", provider="ollama", at=datetime(2027, 1, 1, tzinfo=UTC)),
        price(LLAMA, provider="vllm", prices=shipped_book()),
    ]
    for answer in undeclared:
        assert answer.reason is UnpricedReason.UNKNOWN_PROVIDER
        assert "declare them in rate_cards/ as self_hosted, with the pool" in answer.detail
    assert "declare its models in rate_cards/ as self_hosted" in price("m", provider="acme-inference").detail


def test_a_declaration_holds_from_its_first_instant_to_its_last() -> None:
    """Both sides of each boundary, in any order of asking; what others sell keeps its price outside of it."""
    item = {
        "provider": "openai",
        "models": ["gpt-4o"],
        "pool": "p",
        "valid_from": "2026-06-01",
        "valid_to": "2026-07-01",
    }
    prices = book(CARD | {"self_hosted": [item]})
    first, last = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    sold = price("gpt-4o", at=first).effective_cost
    assert sold
    step = timedelta(microseconds=1)
    for at, cost in ((last, sold), (first, 0), (first - step, sold), (last - step, 0), (NOW, sold)):
        assert price("gpt-4o", prices=prices, at=at).effective_cost == cost


def test_gpu_time_of_the_pool_is_billed_by_its_own_events() -> None:
    """And what others sell is not touched by the card."""
    hour = {"kind": "compute", "accelerator": "H100", "gpu_seconds": 3600, "purchase_option": "on_demand"}
    assert BOOK.price(facts_of(event(hour, provider="acme-gpus"))).effective_cost == 10 * 10**12
    assert price("gpt-4o") == price("gpt-4o", prices=PriceBook.of())


def test_the_ledger_has_a_price_of_zero_and_the_pool() -> None:
    """Not unpriced: nothing is held against budgets, and the pool stands in the receipt's lines."""
    raw = token_event(LLAMA, PLAIN, provider="vllm", at=PROCESSED - timedelta(minutes=1)).model_dump_json()
    records = [SourceRecord(0, None, None, raw.encode())]
    metering = Metering(BOOK, AttributionRules.load(None), FakeLedger({}), TOLERANCE)
    (row,) = metering.process(block(0, 0), records).tables["ledger"].to_pylist()
    assert (row["effective_cost"], row["unpriced_reason"]) == (Decimal(0), "")
    assert row["line_sku"] == [f"vllm/meta-llama/*/{key};pool=gpu-pool-a" for key in ("input_mtok", "output_mtok")]


def test_prices_show_names_the_pool() -> None:
    """Beside whoever sells a model of that name."""
    (found,) = look_up(BOOK, LLAMA, NOW, "vllm")
    assert [(row.conditions, row.usd) for row in found.rows] == [("self-hosted on gpu-pool-a", "0")] * 2
    assert look_up(BOOK, "mistral-7b", NOW, "vllm") == []


def test_a_card_that_makes_a_sellers_models_free_is_warned_of(tmp_path: Path) -> None:
    """`*` at a provider that sells is hardly meant."""
    (tmp_path / "rate_cards").mkdir()
    card = CARD | {"self_hosted": [{"provider": "openai", "pool": "p"}, {"provider": "vllm", "pool": "p"}]}
    (tmp_path / "rate_cards" / "mine.yaml").write_text(json.dumps(card))
    found = [text for text in warnings(tmp_path, PriceBook.load(tmp_path), date(2026, 11, 28)) if "self_hosted" in text]
    assert len(found) == 1
    assert "openai sells models, and all of them would cost nothing" in found[0]


@pytest.mark.parametrize("pool", ["", "a b", "a;b", "x" * 65])
def test_a_pool_has_a_plain_name(pool: str) -> None:
    """It is read out of SKUs again."""
    with pytest.raises(ValueError, match="pool"):
        book(CARD | {"self_hosted": [{"provider": "vllm", "pool": pool}]})


def test_invented_names_share_their_rates() -> None:
    """What is kept grows with the card, not with what comes in."""
    prices = book()
    for number in range(50):
        assert price(f"meta-llama/{number}", provider="vllm", prices=prices).priced
    assert (
        len({id(prices.engine.self_hosted.rates(item, "vllm")) for _, item in prices.engine.self_hosted.declared}) == 5
    )


@pytest.mark.parametrize(
    ("model", "served", "pattern"),
    [
        ("qwen3", None, "qwen3"),
        ("Meta-Llama/Llama-3", None, "meta-llama/*"),
        ("mistral-7b", None, "*-7b"),
        ("nobody", "meta-llama/x", "meta-llama/*"),
        ("meta-llama/x-7b", None, "meta-llama/*"),
    ],
)
def test_a_receipt_names_the_pattern_that_the_model_fits(model: str, served: str | None, pattern: str) -> None:
    """The first of its declaration, whatever was asked before."""
    declared = {"models": ["qwen3", "meta-llama/*", "*-7b"], "pool": "gpu-pool-a"}
    card = {"provider": "vllm", "source": "us", "checked": "2026-11-28", "self_hosted": [declared]}
    book = PriceBook.of(card_files=[RateCardFile.model_validate(card)])
    for asked, answered in (("qwen3", None), (model, served), ("other-7b", None), (model, served)):
        one = token_event(asked, {"input_tokens": 1}, provider="vllm", response_model=answered)
        found = book.price(facts_of(one))
    assert found.price_model == f"vllm/{pattern}"
    assert [line.sku for line in found.lines] == [f"vllm/{pattern}/input_mtok;pool=gpu-pool-a"]


@pytest.mark.parametrize(
    ("declared", "model", "served", "own"),
    [
        ("*", "gpt-oss:120b", None, True),
        ("*", "gpt-oss:120b-cloud", None, False),
        ("gpt-oss*", "gpt-oss:120b-cloud", "gpt-oss:120b", False),
        ("*", "kimi-k2.6:cloud", "kimi-k2.6:cloud", False),
        ("*", "KIMI-K2.6:Cloud", None, False),
        ("gpt-oss:120b-cloud", "gpt-oss:120b-cloud", None, True),
        ("*-cloud", "gpt-oss:120b-cloud", None, True),
        ("*", "cloud-7b", None, True),
    ],
)
def test_what_ollama_hands_on_to_its_cloud_is_not_ones_own(
    declared: str, model: str, served: str | None, own: bool
) -> None:
    """Somebody bills it: all models of a server are those that it runs, unless the declaration names the others."""
    pool = {"models": [declared], "pool": "desk"}
    card = {"provider": "ollama", "source": "us", "checked": "2026-11-28", "self_hosted": [pool]}
    book = PriceBook.of(card_files=[RateCardFile.model_validate(card)])
    found = book.price(facts_of(token_event(model, {"input_tokens": 1}, provider="ollama", response_model=served)))
    assert found.list_cost == (0 if own else None)

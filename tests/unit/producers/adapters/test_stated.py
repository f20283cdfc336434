"""What providers say that a call cost: read to the last digit, or left out with a reason."""

import json
from decimal import Decimal
from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from spendstream.adapters import StreamAccumulator, extract, usage_event
from spendstream_schemas import parse_usage_event
from tests.unit.producers.adapters.support import meters
from tests.unit.producers.adapters.test_openai_compatible import chat

TOKENS: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("provider", "said", "cost"),
    [
        ("openrouter", {"cost": 0.0033789}, "0.0033789"),
        ("openrouter", {"cost": 0}, "0"),
        ("openrouter", {"cost": 0.1 + 0.2}, "0.3"),
        ("openrouter", {"cost": 1.5e-7}, "0.00000015"),
        (
            "openrouter",
            {"cost": 0.0034, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0034}},
            "0.0034",
        ),
        ("openrouter", {"cost": 0.0034, "cost_details": {"upstream_inference_cost": 0.0034}}, "0.0034"),
        ("openrouter", {"cost": 0.0034, "cost_details": {"upstream_inference_cost": None}}, "0.0034"),
        ("openrouter", {"cost": 0.95, "is_byok": True, "cost_details": {"upstream_inference_cost": 19}}, "19.95"),
        ("openrouter", {"cost": 0.95, "cost_details": {"upstream_inference_cost": 19}}, "19.95"),
        ("openrouter", {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}, "0.25"),
        ("openrouter", {"cost": 0.01, "is_byok": True}, None),
        ("openrouter", {"cost": None}, None),
        ("openrouter", {}, None),
        ("x-ai", {"cost_in_usd_ticks": 37756000}, "0.0037756"),
        ("x-ai", {"cost_in_usd_ticks": 1}, "0.0000000001"),
        ("x-ai", {"cost_in_usd_ticks": 0}, "0"),
        ("perplexity", {"cost": {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}}, "0.006"),
        ("perplexity", {"cost": {"currency": "USD", "total_cost": 0.00023}}, "0.00023"),
        ("perplexity", {"cost": {"request_cost": 0.005}}, None),
        ("openai", {"cost": 3}, None),
        ("together", {"cost": 3, "cost_in_usd_ticks": 5}, None),
    ],
)
def test_a_stated_cost_is_read_in_the_providers_own_unit(provider: str, said: dict[str, Any], cost: str | None) -> None:
    """Only of providers that say it is what they charge; OpenRouter's own fee alone is no cost of a call."""
    found = extract(provider, chat(**TOKENS, **said))
    assert (found.stated_cost_usd, found.stated_cost_refused) == (None if cost is None else Decimal(cost), None)


@pytest.mark.parametrize(
    ("provider", "said", "reason"),
    [
        ("openrouter", {"cost": -0.01}, "greater than or equal to 0"),
        ("openrouter", {"cost": 1e9}, "less than or equal to 1000000"),
        ("openrouter", {"cost": float("nan")}, "finite"),
        ("openrouter", {"cost": float("inf")}, "finite"),
        ("openrouter", {"cost": "0.02 EUR"}, "nothing but a number"),
        ("openrouter", {"cost": True}, "Decimal"),
        ("openrouter", {"cost": [1]}, "Decimal"),
        ("openrouter", {"cost": 0.1, "cost_details": 7}, "an object"),
        ("openrouter", {"cost": 1, "is_byok": True, "cost_details": {"upstream_inference_cost": -1}}, "upstream"),
        ("x-ai", {"cost_in_usd_ticks": -1}, "cost_in_usd_ticks"),
        ("x-ai", {"cost_in_usd_ticks": 10**40}, "cost_in_usd_ticks"),
        ("x-ai", {"cost_in_usd_ticks": 1.5}, "whole number"),
        ("x-ai", {"cost_in_usd_ticks": "12"}, "whole number"),
        ("perplexity", {"cost": {"currency": "EUR", "total_cost": 0.1}}, "in EUR"),
        ("perplexity", {"cost": {"currency": 7, "total_cost": 0.1}}, "currency"),
        ("perplexity", {"cost": 0.1}, "an object"),
        ("perplexity", {"cost": {"total_cost": float("nan")}}, "finite"),
    ],
)
def test_what_is_no_cost_is_left_out_and_says_why(provider: str, said: dict[str, Any], reason: str) -> None:
    """And the counts of the response are there all the same."""
    found = extract(provider, chat(**TOKENS, **said))
    assert found.stated_cost_usd is None
    assert reason in (found.stated_cost_refused or "")
    assert meters(found) == {"input_tokens": 100, "output_tokens": 5}


def test_the_sdks_own_objects_and_streams_carry_it() -> None:
    """OpenAI's client keeps fields that it does not know; in a stream the last chunk has them."""
    usage = CompletionUsage.model_validate(TOKENS | {"total_tokens": 105, "cost": 0.0033789})
    whole = ChatCompletion.model_construct(id="1", object="chat.completion", model="m", usage=usage)
    stream = StreamAccumulator("openrouter")
    stream.add({"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": []})
    stream.add({"id": "1", "object": "chat.completion.chunk", "model": "m", "usage": TOKENS | {"cost": 0.0033789}})
    for response in (whole, stream.result()):
        event = usage_event("openrouter", response, source="s", model="m")
        assert event.stated_cost_usd == Decimal("0.0033789")
        message = event.model_dump_json(exclude_none=True).encode()
        assert json.loads(message)["stated_cost_usd"] == "0.0033789"
        assert parse_usage_event(message).message == event


def test_responses_of_xai_state_the_whole_call() -> None:
    """Tools included, in the same field of the usage."""
    found = extract(
        "x-ai",
        {"id": "r", "object": "response", "model": "grok-4.5",
         "usage": {"input_tokens": 9212, "output_tokens": 3417, "total_tokens": 12629, "cost_in_usd_ticks": 318319000}},
    )  # fmt: skip
    assert found.stated_cost_usd == Decimal("0.0318319")


def test_a_call_that_becomes_several_events_states_no_cost_of_one_of_them() -> None:
    """What it says is what all of them cost together."""
    response = {
        "id": "r", "object": "response", "model": "m",
        "usage": {"input_tokens": 9, "output_tokens": 3, "cost": 0.5},
        "output": [{"type": "image_generation_call"}],
        "tool_usage": {"image_gen": {"input_tokens": 50, "output_tokens": 1000}},
    }  # fmt: skip
    found = extract("openrouter", response)
    assert len(found.also) == 1
    assert (found.stated_cost_usd, found.stated_cost_refused) == (None, None)

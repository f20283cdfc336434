"""Every model of the base data that reads or writes images, audio or video is priced for what it is sold for."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import UnpricedReason
from stream_jobs.facts import facts_of
from tests.unit.pricing.events import token_event
from tests.unit.pricing.shipped import shipped_book as book

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MAKERS = ("aws", "elevenlabs", "google", "groq", "mistral", "openai", "x-ai")
"""Who sells such models under names of its own; resellers are held to what their tables say."""
EDIT = {"input_tokens": 2000, "input_image_tokens": 1600, "output_tokens": 4000, "output_image_tokens": 4000}
SPEECH = {"input_tokens": 100, "output_tokens": 1000, "output_audio_tokens": 1000}
TALK = {"input_tokens": 1000, "input_audio_tokens": 800, "output_tokens": 500, "output_audio_tokens": 400}
HEARING = {"input_tokens": 1000, "input_audio_tokens": 1000, "output_tokens": 100}
FILM = {"input_tokens": 1000, "input_image_tokens": 500, "output_tokens": 500, "output_video_tokens": 500}
SEEING = {"input_tokens": 1000, "input_image_tokens": 900, "cache_read_tokens": 500, "output_tokens": 10}
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"image|banana", EDIT),
    (r"tts", SPEECH),
    (r"transcri|whisper", HEARING),
    (r"audio|realtime|live|sonic|voice", TALK),
    (r"omni", FILM),
    (r"vision|-vl-", SEEING),
)
BY_TIME = {"input_audio_seconds": 90}
BY_CHARACTER = {"input_characters": 900}
NOT_SOLD = {
    ("openai", "gpt-5-image"): UnpricedReason.NO_PRICE_FOR_METER,  # OpenRouter's names: OpenAI's pages have no price
    ("openai", "gpt-5-image-mini"): UnpricedReason.NO_PRICE_FOR_METER,
    ("openai", "gpt-5.4-image-2"): UnpricedReason.NO_PRICE_FOR_METER,
    ("x-ai", "grok-voice-latest"): UnpricedReason.MOVING_ALIAS,
}


def prices_of(model: genai.ModelInfo) -> set[str]:
    return {key for key, value in model.get_prices(NOW).__dict__.items() if value is not None}


def cases() -> list[Any]:
    found = []
    for provider in get_snapshot().providers:
        for model in provider.models if provider.id in MAKERS else ():
            usage = next((usage for pattern, usage in KINDS if re.search(pattern, model.id)), None)
            if usage is not None:
                keys = prices_of(model)
                usage = BY_TIME if "audio_hours" in keys else BY_CHARACTER if "input_mchars" in keys else usage
                found.append(pytest.param(provider.id, model.id, usage, id=f"{provider.id}/{model.id}"))
    return found


@pytest.mark.parametrize(("provider", "model", "usage"), cases())
def test_a_model_of_images_or_sound_is_priced_for_them(provider: str, model: str, usage: dict[str, Any]) -> None:
    """What it is sold for has a price, unless the list says why not."""
    pricing = book().price(facts_of(token_event(model, usage, provider=provider, at=NOW)))
    assert pricing.reason is NOT_SOLD.get((provider, model)), pricing.detail
    assert (pricing.list_cost or 0) > 0 or pricing.reason is not None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        *[("openai", name) for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-nano", "gpt-5", "gpt-5-mini")],
        *[("openai", name) for name in ("gpt-5.1", "gpt-5.2-pro", "gpt-5.3-codex", "gpt-5.4-mini", "gpt-5.6-sol")],
        *[("openai", name) for name in ("gpt-6-sol", "gpt-6.1-terra", "o1", "o3", "o4-mini")],
        *[("azure", name) for name in ("gpt-4o", "gpt-4.1", "gpt-5")],
        *[("anthropic", name) for name in ("claude-sonnet-4-5", "claude-opus-5")],
        *[("google", name) for name in ("gemini-2.5-flash", "gemini-3-flash-preview", "gemini-3.8-flash")],
        *[("aws", name) for name in ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-premier-v1:0")],
        *[("x-ai", name) for name in ("grok-4.7", "grok-4-0709", "grok-2-vision-1212")],
    ],
)
def test_image_tokens_of_chat_models_cost_what_text_costs(provider: str, model: str) -> None:
    """Their pages have one input price: which tokens are of images, and which are cached, does not move it."""
    text = {name: n for name, n in SEEING.items() if name != "input_image_tokens"}
    costs = [book().price(facts_of(token_event(model, usage, provider=provider, at=NOW))) for usage in (SEEING, text)]
    assert costs[0].reason is None, costs[0].detail
    assert costs[0].list_cost == costs[1].list_cost


@given(whole=st.integers(1, 10**6), image=st.integers(0, 10**6), cached=st.integers(0, 10**6))
def test_how_images_and_cache_overlap_never_moves_the_price_of_grok(whole: int, image: int, cached: int) -> None:
    """Any counts: the price is that of the cached and the fresh tokens, and never ambiguous."""
    usage = {"input_tokens": whole, "cache_read_tokens": min(cached, whole), "output_tokens": 1}
    with_images = usage | {"input_image_tokens": min(image, whole)}
    costs = [book().price(facts_of(token_event("grok-4.5", u, provider="x-ai", at=NOW))) for u in (usage, with_images)]
    assert costs[1].reason is None, costs[1].detail
    assert costs[0].list_cost == costs[1].list_cost


@pytest.mark.parametrize("model", ["gpt-4o-audio-preview", "gpt-audio", "gpt-realtime", "gpt-image-2", "gpt-oss-120b"])
def test_what_no_page_calls_text_is_not_billed_as_text(model: str) -> None:
    """Audio and video never, and images only where they have no price of their own."""
    for meter in ("input_video_tokens", "output_video_tokens"):
        usage = {"input_tokens": 1000, "output_tokens": 1000, meter: 900}
        pricing = book().price(facts_of(token_event(model, usage, at=NOW)))
        assert pricing.reason is UnpricedReason.NO_PRICE_FOR_METER

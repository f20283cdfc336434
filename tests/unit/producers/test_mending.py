"""`mending`: what the price book makes of fields that were bad."""

from typing import Any

import pytest

from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from tests.unit.pricing.shipped import shipped_book
from tests.unit.producers.recorder import Recorder

RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}
ASKED: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return shipped_book()


@pytest.mark.parametrize(
    "bad",
    [
        {"service_tier": "s" * 300},
        {"service_tier": 5},
        {"conditions": {"speed": "f" * 300}},
        {"conditions": {"sped": "fast"}},
        {"conditions": {"fine_tuned": "yes"}},
        {"conditions": 7},
        {"tool_calls": {"web_search": -1}},
        {"tool_calls": {"web_serch": 1}},
        {"response_model": "m" * 300},
        {"usage": "many"},
        {"provider": "p" * 300},
    ],
    ids=str,
)
def test_a_bad_field_that_a_price_depends_on_leaves_the_event_unpriced(book: PriceBook, bad: dict[str, Any]) -> None:
    """Without the field the price would be another, often a cheaper one."""
    recorder = Recorder()
    with recorder.track(**ASKED) as call:
        call.record(RESPONSE)
    with recorder.track(**ASKED) as call:
        call.record(RESPONSE)
        call.set(**bad)
    good, mended = [book.price(facts_of(event)) for event in recorder.events]
    assert good.reason is None
    assert mended.reason is not None

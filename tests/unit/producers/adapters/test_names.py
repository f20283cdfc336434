"""What a provider is called never costs its counts."""

import re
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream.adapters import PROVIDERS, StreamAccumulator, extract, usage_event
from spendstream.adapters.names import NAMES, canonical
from spendstream_schemas import UnpricedReason
from stream_jobs.facts import facts_of
from stream_jobs.pricing.provider_rules import ProvidersFile
from stream_jobs.pricing.providers import PROVIDERS_FILE
from stream_jobs.pricing.yaml_models import load_model
from tests.unit.pages import ROOT, code, section
from tests.unit.pricing.shipped import shipped_book
from tests.unit.producers.adapters import test_openai
from tests.unit.producers.adapters.forms import FORMS
from tests.unit.producers.adapters.local_api import LocalApi
from tests.unit.producers.adapters.support import meters

BODIES = [(owner, body) for owner, bodies in FORMS.items() for body in bodies]


@pytest.mark.parametrize("name", sorted({name for names in NAMES.values() for name in names}))
def test_every_name_of_a_provider_is_read_as_its_id(name: str) -> None:
    """Upper case too; the event keeps the name that the service gave."""
    event = usage_event(name.upper(), {"id": "1", "model": "m"} | test_openai.CHAT, source="s")
    assert event.provider == name.upper()
    assert canonical(name) in PROVIDERS


def test_the_price_book_knows_the_same_names() -> None:
    """Whatever name is read is also priced as the same provider, and the other way round."""
    book = load_model(ProvidersFile, PROVIDERS_FILE).names
    for provider, names in book.items():
        if provider in NAMES:
            assert sorted(names) == sorted(NAMES[provider]), provider
    elsewhere = {name for names in book.values() for name in names}
    assert {p for p, names in NAMES.items() if names and p not in book} == {"litellm"}, "gateways are no providers"
    assert elsewhere.isdisjoint(NAMES)


@pytest.mark.parametrize(("owner", "body"), BODIES)
@pytest.mark.parametrize("name", ["acme-inference", "databricks", "my gateway"])
def test_a_provider_that_nobody_knows_loses_no_counts(name: str, owner: str, body: dict[str, Any]) -> None:
    """Its response is read by its form, to the same meters, model and id as under the name of who made the form."""
    own, found = extract(owner, body), extract(name, body)
    assert meters(found) == meters(own)
    assert (found.response_model, found.response_id) == (own.response_model, own.response_id)


@given(st.text(min_size=1, max_size=64).filter(str.isprintable).filter(str.strip), st.sampled_from(BODIES))
def test_any_name_whatever_reads_every_form(name: str, body: tuple[str, dict[str, Any]]) -> None:
    """Also names that are those of other providers' forms, but for the provider's own reading of the same form."""
    if canonical(name) not in PROVIDERS:
        assert meters(extract(name, body[1])) == meters(extract(*body))


@pytest.mark.parametrize("provider", ["deepseek", "moonshot", "zai", "openrouter", "litellm", "anthropic", "cohere"])
def test_the_form_decides_where_a_provider_serves_several_apis(provider: str) -> None:
    """Anthropic's messages at DeepSeek's or Moonshot's second API, OpenAI's chat at Anthropic's or Cohere's."""
    anthropic, openai = FORMS["anthropic"][0], test_openai.CHAT
    assert meters(extract(provider, anthropic)) == meters(extract("anthropic", anthropic))
    assert meters(extract(provider, openai))["input_tokens"] == meters(extract("openai", openai))["input_tokens"]


def test_a_stream_of_a_provider_that_nobody_knows_is_read_once_it_shows_its_form() -> None:
    """The first chunks may say nothing."""
    stream = StreamAccumulator("acme-inference")
    stream.add({"id": "x1", "event": "start"})
    stream.add({"type": "message_start", "message": {"id": "x1", "model": "m", "usage": {"input_tokens": 9}}})
    stream.add({"type": "message_delta", "usage": {"output_tokens": 4}})
    assert meters(stream.result()) == {"input_tokens": 9, "output_tokens": 4}


def test_an_unknown_provider_is_unpriced_with_its_counts() -> None:
    """What was used is in the event; the reason says what the price book does not know."""
    event = usage_event("acme-inference", test_openai.CHAT, source="s", model="acme-1")
    assert event.usage.model_dump(exclude_none=True)["input_tokens"] > 0
    answer = shipped_book().price(facts_of(event))
    assert answer.reason is UnpricedReason.UNKNOWN_PROVIDER


def test_the_readme_says_of_every_provider_what_its_service_must_say() -> None:
    """A row for each id that the adapters know."""
    page = ROOT / "producers" / "spendstream" / "adapters" / "README.md"
    rows = re.findall(r"^\| (`.*?) \|", section(page, "What the service must say itself"), re.MULTILINE)
    assert {name for row in rows for name in code(row)} >= set(PROVIDERS)


MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "deepseek-chat",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 0, "output_tokens": 7},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("provider", ["deepseek", "moonshot", "zai", "acme-inference"])
@pytest.mark.parametrize("streamed", [False, True])
def test_anthropics_client_against_another_providers_server(provider: str, streamed: bool) -> None:
    """Its messages are read as Anthropic's: what was cached stands outside of the input and is added."""
    ask: dict[str, Any] = {
        "model": "deepseek-chat",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hello"}],
    }
    with (
        LocalApi(EVENTS if streamed else MESSAGE) as api,
        anthropic.Anthropic(base_url=api.url, api_key="none") as client,
    ):
        if streamed:
            stream = StreamAccumulator(provider)
            for item in client.messages.create(**ask, stream=True):
                stream.add(item)
            found = stream.result()
        else:
            found = extract(provider, client.messages.create(**ask))
    assert meters(found)["input_tokens"] == 100
    assert meters(found)["output_tokens"] == 7
    assert (found.response_model, found.response_id) == ("deepseek-chat", "msg_1")


def test_openais_client_against_openrouter_with_searches() -> None:
    """`:online` is in the id that was asked for; the searches stand in the usage, and the event can be priced."""
    body = test_openai.CHAT | {
        "model": "openai/gpt-4o",
        "provider": "OpenAI",
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "total_tokens": 1500,
            "server_tool_use": {"web_search_requests": 0},
        },
    }
    with LocalApi(body) as api, openai.OpenAI(base_url=f"{api.url}/api/v1", api_key="none") as client:
        response = client.chat.completions.create(
            model="openai/gpt-4o:online", messages=[{"role": "user", "content": "hello"}]
        )
    event = usage_event("openrouter", response, source="s", model="openai/gpt-4o:online")
    assert event.tool_calls is not None
    assert event.tool_calls.web_search == 0
    answer = shipped_book().price(facts_of(event))
    assert answer.price_model == "openrouter/openai/gpt-4o"

"""What a provider is called never costs its counts."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream.adapters import PROVIDERS, StreamAccumulator, extract, usage_event
from spendstream.adapters.names import NAMES, canonical
from spendstream_schemas import UnpricedReason
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.providers import PROVIDERS_FILE, ProvidersFile
from stream_jobs.pricing.yaml_models import load_model
from tests.unit.pages import ROOT, code, section
from tests.unit.producers.adapters import test_openai
from tests.unit.producers.adapters.forms import FORMS
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
    answer = PriceBook.load().price(facts_of(event))
    assert answer.reason is UnpricedReason.UNKNOWN_PROVIDER


def test_the_readme_says_of_every_provider_what_its_service_must_say() -> None:
    """A row for each id that the adapters know."""
    page = ROOT / "producers" / "spendstream" / "adapters" / "README.md"
    rows = re.findall(r"^\| (`.*?) \|", section(page, "What the service must say itself"), re.MULTILINE)
    assert {name for row in rows for name in code(row)} >= set(PROVIDERS)

"""Golden bills: what the providers' own pages say a call cost, against what the price book says."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from genai_prices.data_snapshot import get_snapshot

from spendstream_schemas import UnpricedReason, UsageEvent
from stream_jobs.base.money import PICO_PER_USD
from stream_jobs.facts import facts_of
from stream_jobs.pricing import schedule
from stream_jobs.pricing.book import DATA
from stream_jobs.pricing.catalog import Identity
from stream_jobs.pricing.corrections import CorrectionFile, Entry, load_corrections
from stream_jobs.pricing.match import ProviderIndex
from stream_jobs.pricing.rates import Missing
from tests.unit.pricing.shipped import shipped_book as book

BILLS = Path(__file__).parent / "bills"
PROVIDERS = (
    "anthropic", "aws", "azure", "cohere", "dashscope", "deepgram", "deepseek", "elevenlabs", "google", "groq",
    "mistral", "openai", "perplexity", "voyageai", "x-ai", "zai",
)  # fmt: skip
TERM = re.compile(r"(?P<quantity>[0-9.]+) x (?P<price>[0-9.]+)(?: per (?P<per>thousand|hour))?")
PER = {None: 1_000_000, "thousand": 1_000, "hour": 3_600}


@cache
def bills() -> tuple[Any, ...]:
    found = []
    for path in sorted(BILLS.glob("*.yaml")):
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for stated in document["bills"]:
            bill = {"provider": document["provider"], "source": document["source"], **stated}
            found.append(pytest.param(bill, id=f"{bill['provider']}: {bill['name']}"))
    return tuple(found)


@cache
def correction_files() -> tuple[CorrectionFile, ...]:
    return tuple(load_corrections([DATA / "corrections"]))


def event_of(bill: Mapping[str, Any]) -> UsageEvent:
    return UsageEvent.model_validate(
        {
            "schema_version": 1,
            "event_id": "bill",
            "source": "test",
            "provider": bill["provider"],
            "usage": {"kind": "tokens", **bill["usage"]},
            **bill["event"],
        }
    )


def by_hand(bill: Mapping[str, Any]) -> Decimal:
    total = Decimal(0)
    for text in bill["bill"]:
        term = TERM.fullmatch(text)
        assert term is not None, f"not a term: {text!r}"
        total += Decimal(term["quantity"]) * Decimal(term["price"]) / PER[term["per"]]
    return total


@pytest.mark.parametrize("bill", bills())
def test_book_prices_a_call_as_the_providers_page_does(bill: dict[str, Any]) -> None:
    """The list cost of a dated call is, to the last pico-USD, what the provider's page adds up to."""
    pricing = book().price(facts_of(event_of(bill)))
    assert bill["source"].startswith("https://")
    if "unpriced" in bill:
        assert pricing.reason in {UnpricedReason(reason) for reason in bill["unpriced"].split(" or ")}, pricing
        assert pricing.list_cost is None
        return
    assert pricing.reason is None, pricing.detail
    assert round(by_hand(bill), 12) == Decimal(bill["usd"]), "the bill itself does not add up"
    assert pricing.list_cost == Decimal(bill["usd"]) * PICO_PER_USD, pricing.lines


def test_all_providers_have_bills_of_the_past_and_of_today() -> None:
    """Each provider with corrections has bills before 2026 and at least eighty exist in all."""
    cases = [case.values[0] for case in bills()]
    assert len(cases) >= 80
    years: dict[str, set[str]] = {}
    for case in cases:
        years.setdefault(case["provider"], set()).add(case["event"]["occurred_at"][:4])
    assert sorted(years) == sorted(PROVIDERS)
    assert all(seen & {"2024", "2025"} for seen in years.values()), years


def test_every_provider_has_corrections_with_pages_of_its_own() -> None:
    """Each correction names an https page, a day in the past on which it was read, and what was wrong."""
    files = correction_files()
    assert {file.provider for file in files} >= set(PROVIDERS)
    for file in files:
        for entry in (*file.entries, *file.aliases):
            assert entry.source.startswith("https://"), entry
            assert date(2026, 1, 1) <= entry.checked <= datetime.now(UTC).date(), entry
        assert all(entry.reason for entry in file.entries)


def test_corrected_ids_are_known_or_new() -> None:
    """An id that the base data does not know is a new model with a standard price, not a misspelt one."""
    indexes = {provider.id: ProviderIndex(provider.id, provider.models) for provider in get_snapshot().providers}
    fallbacks = {provider.id: provider.fallback_model_providers or [] for provider in get_snapshot().providers}
    new_of: dict[str, set[str]] = {}
    for file in correction_files():
        found = {model for entry in file.entries if entry.prices and not entry.when for model in entry.models}
        new_of.setdefault(file.provider, set()).update(found)
    for file in correction_files():
        new = new_of[file.provider]
        targets = [alias.model for alias in file.aliases]
        for model in {model for entry in file.entries for model in entry.models} | set(targets):
            owners = [owner for owner in (file.provider, *fallbacks.get(file.provider, ())) if owner in indexes]
            known = [indexes[owner].find(model.lower()) for owner in owners]
            ids = {found.id for owner in owners if (found := _by_id(owner, model))}
            assert model == "*" or any(known) or ids or model in new, f"{file.provider}: {model} is unknown"


def test_a_price_under_conditions_is_what_a_call_under_them_costs() -> None:
    """No multiplier of the same condition, of whatever file, speaks on top of a price that is given under it."""
    catalog = book().catalog
    for file in correction_files():
        for entry in (entry for entry in file.entries if entry.prices and entry.when):
            conditions = {name: min(values - {"*"}, default="anything") for name, values in entry.conditions.items()}
            at = entry.valid_from or (entry.valid_to and entry.valid_to - timedelta(days=1)) or datetime.now(UTC)
            for model in entry.models:
                identity = catalog.identify(file.provider, model, None, at)
                if not isinstance(identity, Identity) or entry not in identity.entries:
                    continue
                given: dict[str, Any] = {}
                for other in identity.entries:
                    if other.conditions and other.speaks_at(at) and other.speaks_under(conditions):
                        given.update(other.table)
                table = schedule.table_at(identity, conditions, at)
                assert not isinstance(table, Missing), (file.provider, model, conditions)
                for key in entry.table.keys() & table.keys():
                    assert table[key] == given[key], (file.provider, model, conditions, key)


def _by_id(provider: str, model: str) -> Any:
    owner = next(item for item in get_snapshot().providers if item.id == provider)
    return next((item for item in owner.models if item.id == model), None)


def test_no_two_plain_entries_speak_at_once() -> None:
    """Standard prices of one model don't overlap in time unless the later one is for certain hours only."""
    for file in correction_files():
        siblings = [other for other in correction_files() if other.provider == file.provider]
        plain: dict[tuple[str, str], list[Entry]] = {}
        for entry in (entry for other in siblings for entry in other.entries):
            if not entry.when and entry.time_of_day is None:
                for model in entry.models:
                    for key in entry.prices or ():
                        plain.setdefault((model, key), []).append(entry)
        for (model, key), unordered in plain.items():
            entries = sorted(unordered, key=lambda entry: entry.valid_from or datetime.min.replace(tzinfo=UTC))
            for earlier, later in pairwise(entries):
                ended, began = earlier.valid_to, later.valid_from
                assert ended is not None, f"{file.provider} {model} {key}: {later.reason}"
                assert began is not None, f"{file.provider} {model} {key}: {later.reason}"
                assert ended <= began, f"{file.provider} {model} {key}: {later.reason}"

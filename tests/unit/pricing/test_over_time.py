"""What is worked out once for all conditions that are read alike is what each of them comes to by itself."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.listed import token_prices
from tests.unit.pricing.listed_plainly import plainly
from tests.unit.pricing.shipped import shipped_book as book
from tests.unit.pricing.test_listed import SAID

KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "output_audio_mtok", "web_searches_kcount", "requests_kcount")
AMOUNTS = st.sampled_from(("0", "0.25", "1", "2.5", "3.1"))
TIERED = st.builds(
    lambda base, start, price: {"base": base, "tiers": [{"start": start, "price": price}]},
    AMOUNTS, st.sampled_from((0, 1000, 2000)), st.none() | AMOUNTS,
)  # fmt: skip
DATES = st.sampled_from(("1970-01-01", "2025-03-01", "2026-11-01", "2026-11-04", "2027-01-01"))
WHEN = {
    "service_tier": ("batch", "flex", "priority"),
    "data_residency": ("us", "eu", "jp"),
    "search_context": ("low", "high"),
    "region": ("eu", "us-east"),
    "operation": ("chat", "embeddings"),
    "fine_tuned": ("true",),
    "size": ("small", "*"),
}


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    entry: dict[str, Any] = {**SAID, "source": draw(st.sampled_from(("one", "two")))}
    entry["models"] = draw(st.sampled_from((["m"], ["m2"], ["m", "m2"], ["*"])))
    names = draw(st.lists(st.sampled_from(sorted(WHEN)), max_size=2, unique=True))
    if names:
        entry["when"] = {name: draw(st.lists(st.sampled_from(WHEN[name]), min_size=1, unique=True)) for name in names}
    if draw(st.booleans()):
        entry["multiplier"] = draw(AMOUNTS)
        if draw(st.booleans()):
            entry["meters"] = draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))
    else:
        entry["prices"] = draw(st.dictionaries(st.sampled_from(KEYS), st.none() | AMOUNTS | TIERED, max_size=3))
        entry["replace"] = draw(st.booleans())
    entry["by_region"] = draw(st.sampled_from((False, False, False, True)))
    begin, end = draw(st.none() | DATES), draw(st.none() | DATES)
    entry |= {"valid_from": begin, "valid_to": end if begin is None or (end or "") > begin else None}
    if draw(st.sampled_from((False, False, True))):
        entry["time_of_day"] = {"from": "22:30", "to": draw(st.sampled_from(("06:00", "24:00")))}
    if draw(st.sampled_from((False, False, True))):
        entry["weekdays"] = draw(st.lists(st.sampled_from(("mon", "sat", "sun")), min_size=1, unique=True))
    entry["except_dates"] = draw(st.lists(st.sampled_from(("2026-11-03", "2026-11-04")), max_size=1))
    return entry


ALIASES = st.builds(
    lambda alias, model, at: {"alias": alias, "model": model, "valid_from": at, "source": "s", "checked": "2026-01-01"},
    st.sampled_from(("m", "m3", "ft:m")), st.sampled_from(("m2", "m3", "m")), st.none() | DATES,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(entries(), min_size=1, max_size=7), st.lists(ALIASES, max_size=2))
def test_the_rows_of_any_book_are_those_of_each_combination_by_itself(said: list[Any], aliases: list[Any]) -> None:
    """Tiers, regions, multipliers, cliffs, hours, dates and ids that move: row for row, in the same order."""
    whole = {**SAID, "prices": {"input_mtok": "1", "output_mtok": "3"}}
    both = [{**whole, "models": ["m"]}, {**whole, "models": ["m2"]}, *said]
    file = CorrectionFile.model_validate({"provider": "acme", "entries": both, "aliases": aliases})
    of = PriceBook.of([file])
    assert list(token_prices(of, {"acme"})) == list(plainly(of, "acme"))


@pytest.mark.parametrize("provider", ["deepseek", "x-ai", "mistral", "groq"])
def test_the_rows_of_the_book_are_those_of_each_combination_by_itself(provider: str) -> None:
    """Of providers with hours, cliffs, tiers and dates in the base data and in the corrections."""
    rows = list(token_prices(book(), {provider}))
    assert rows == list(plainly(book(), provider))
    assert len(rows) > 50


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["anthropic", "azure", "aws", "google"])
def test_the_rows_of_many_regions_are_those_of_each_combination_by_itself(provider: str) -> None:
    """Of those that sell in many places and under many names."""
    assert list(token_prices(book(), {provider})) == list(plainly(book(), provider))

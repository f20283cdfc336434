"""Both catalogues on the same events: a small made-up one against a book of made-up prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from tests.benchmarks.catalogue.compare import AT, Found, compare, only_ours
from tests.benchmarks.catalogue.probes import KINDS, probe
from tests.benchmarks.catalogue.theirs import Row, rows
from tests.unit.pricing.shipped import shipped_book


@pytest.fixture(scope="module")
def book() -> PriceBook:
    """One model of one provider: $1 in, $4 out, half in a batch, twice above 200,000 tokens, +10 % for EU residency."""
    checked: dict[str, Any] = {"source": "made up", "checked": date(2026, 11, 28), "models": ["tiny"]}
    entries = [
        {**checked, "prices": {
            "input_mtok": {"base": Decimal(1), "tiers": [{"start": 200000, "price": Decimal(2)}]},
            "output_mtok": Decimal(4), "web_searches_kcount": Decimal(10),
        }},
        {**checked, "when": {"service_tier": "batch"}, "multiplier": Decimal("0.5")},
        {**checked, "when": {"data_residency": "eu"}, "multiplier": Decimal("1.1")},
    ]  # fmt: skip
    return PriceBook.of([CorrectionFile.model_validate({"provider": "acme", "entries": entries})])


def found(book: PriceBook, **fields: Any) -> dict[str, Found]:
    """What is found of an entry with these figures, by the probe's name."""
    (row,) = rows({"acme/tiny": {"litellm_provider": "acme", **fields}})
    return {one.probe.name: one for one in compare(book, [row])}


def test_agreement_is_within_a_hundredth(book: PriceBook) -> None:
    """1 % off agrees, more does not, on either side; a factor is ours over theirs."""
    theirs = {"1.0": "agree", "1.0099": "agree", "0.9901": "agree", "1.02": "disagree", "0.98": "disagree"}
    for usd, verdict in theirs.items():
        one = found(book, input_cost_per_token=Decimal(usd) / 10**6)["input"]
        assert one.verdict == verdict, usd
        assert one.model == "tiny"
    assert found(book, input_cost_per_token=Decimal("0.0000005"))["input"].ratio == 2


def test_every_condition_is_an_event_of_its_own(book: PriceBook) -> None:
    """Tiers, cliffs, residency and tools are priced as the event says them, and only what the probe is about counts."""
    it = found(
        book,
        input_cost_per_token=Decimal("0.000001"),
        input_cost_per_token_batches=Decimal("0.0000005"),
        input_cost_per_token_above_200k_tokens=Decimal("0.000002"),
        output_cost_per_token_above_200k_tokens=Decimal("0.000004"),
        regional_processing_uplift_multiplier_eu=Decimal("1.1"),
        search_context_cost_per_query={"search_context_size_medium": Decimal("0.01")},
    )
    assert {name for name, one in it.items() if one.verdict == "agree"} == {
        "input", "input, batch", "input, input above 200000", "output, input above 200000",
        "input, data_residency=eu", "web_search",
    }  # fmt: skip


def test_vertex_is_asked_by_region_too() -> None:
    """An uplift of theirs is one of a region and of a multi-region; an entry without one costs the same there."""

    def on_vertex(**fields: Any) -> dict[str, Found]:
        entry = {"litellm_provider": "vertex_ai", "input_cost_per_token": Decimal("0.0000015"), **fields}
        return {one.probe.name: one for one in compare(shipped_book(), rows({"vertex_ai/gemini-3.5-flash": entry}))}

    places = ("input, region=europe-west4", "input, region=us")
    uplifted, plain = on_vertex(regional_endpoint_uplift_multiplier=Decimal("1.1")), on_vertex()
    assert [uplifted[place].verdict for place in places] == ["agree", "agree"]
    assert [plain[place].ratio for place in places] == [Decimal("1.1"), Decimal("1.1")]


def test_what_only_one_side_prices(book: PriceBook) -> None:
    """A meter without a price of ours names the book's reason; one without a figure of theirs is ours alone."""
    it = found(book, input_cost_per_token=Decimal("0.000001"), input_cost_per_token_flex=Decimal("0.0000005"))
    assert it["input, flex"].verdict == "only theirs"
    assert it["input, flex"].reason.startswith("no_price_for_tier: ")
    assert it["output"].verdict == "only ours"
    assert it["output, batch"].verdict == "only ours"
    assert "cache_read" not in it  # it has no price of its own: ours falls back on input
    unknown = compare(book, rows({"acme/huge": {"litellm_provider": "acme", "input_cost_per_token": 1}}))
    assert [one.reason.partition(":")[0] for one in unknown] == ["unknown_model"]


def test_a_figure_of_zero(book: PriceBook) -> None:
    """What is free there and priced here is a disagreement without a factor."""
    one = found(book, input_cost_per_token=0)["input"]
    assert (one.verdict, one.ratio) == ("disagree", None)


def test_models_that_only_we_know(book: PriceBook) -> None:
    """Models that some entry is about are not among them, whatever name the entry has."""
    assert ("acme", "tiny") in only_ours(book, [])
    assert ("acme", "tiny") not in only_ours(book, [Row("x", "acme", "tiny")])
    assert ("openai", "gpt-4o") not in only_ours(book, [Row("x", "openai", "gpt-4o-2024-11-20")])


def test_every_kind_is_a_valid_event(book: PriceBook) -> None:
    """The contract takes the event of each kind of probe, short and long."""
    row = Row("x", "acme", "tiny", probes=tuple(probe(kind, above=above, usd=Decimal(1)) for kind in KINDS
                                                for above in (0, 200_000)))  # fmt: skip
    assert len(compare(book, [row], AT)) >= 2 * len(KINDS)

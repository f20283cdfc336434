"""When our prices and those of genai-prices differ, and who has looked at it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from stream_jobs.data_quality.price_source import Difference, Used, disagreements, findings
from stream_jobs.pricing.book import PriceBook
from stream_jobs.pricing.corrections import CorrectionFile
from tests.unit.data_quality.build import SETTINGS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
GPT_4O = Used("openai", "gpt-4o", "", 7)


def book(**entry: object) -> PriceBook:
    """The base data, and one correction of gpt-4o (2.5 and 10 USD in the base)."""
    fields = {"models": ["gpt-4o"], "source": "https://example.com/prices", "checked": date(2026, 11, 1), **entry}
    return PriceBook.of([CorrectionFile.model_validate({"provider": "openai", "entries": [fields]})])


@pytest.mark.slow
def test_a_book_without_corrections_agrees() -> None:
    """It is made of the same data, matched by names that mean the same."""
    plain = PriceBook.of()
    used = [Used(provider, model, "") for provider, model in plain.catalog.models()]
    assert len(used) > 1000
    assert disagreements(plain, used, NOW) == []


def test_a_correction_that_contradicts_is_a_difference_with_its_explanation() -> None:
    (found,) = disagreements(book(prices={"input_mtok": "2"}), [GPT_4O, Used("openai", "", "gpt-4o", 3)], NOW)
    assert (found.provider, found.model, found.events) == ("openai", "gpt-4o", 10)
    assert found.differences == (Difference("input_mtok", Decimal(2), Decimal("2.5")),)
    assert found.differences[0].percent == Decimal("-20.0")
    assert found.checked == date(2026, 11, 1)


@pytest.mark.parametrize(
    "entry",
    [
        {"prices": {"input_mtok": "2.5"}},  # says the same
        {"prices": {"web_fetches_kcount": "3"}},  # says more
        {"prices": {"input_mtok": None}},  # has no price: what depends on it is unpriced, and that is an alert
        {"multiplier": "0.4", "when": {"service_tier": "batch"}},  # is about a condition
        {"prices": {"input_mtok": "2"}, "valid_to": date(2026, 11, 1)},  # does not hold any more
    ],
)
def test_what_is_no_disagreement(entry: dict[str, object]) -> None:
    assert disagreements(book(**entry), [GPT_4O], NOW) == []


def test_models_that_one_of_the_two_does_not_know_are_left_out() -> None:
    """They cannot disagree; without a price usage is unpriced."""
    corrected = book(models=["gpt-99"], prices={"input_mtok": "2"})
    used = [Used("openai", "gpt-99", ""), Used("openai", "nothing", ""), Used("nobody", "gpt-4o", "")]
    assert disagreements(corrected, used, NOW) == []


def test_a_cliff_is_compared_where_it_is() -> None:
    tiers = {"input_mtok": {"base": "2.5", "tiers": [{"start": 200_000, "price": "5"}]}}
    (found,) = disagreements(book(prices=tiers), [GPT_4O], NOW)
    assert found.differences == (Difference("input_mtok", Decimal(5), Decimal("2.5"), above=200_000),)


@pytest.mark.parametrize(("age_days", "told"), [(0, False), (90, False), (91, True)])
def test_a_checked_correction_is_a_decision_until_it_is_stale(age_days: int, told: bool) -> None:
    corrected = book(prices={"input_mtok": "2", "output_mtok": "11"}, checked=NOW.date() - timedelta(days=age_days))
    assert len(list(findings(disagreements(corrected, [GPT_4O], NOW), SETTINGS, NOW))) == told


def test_what_a_person_reads() -> None:
    corrected = book(
        prices={"input_mtok": "2", "output_mtok": "11"}, checked=date(2026, 1, 2), reason="we were told so"
    )
    (found,) = findings(disagreements(corrected, [GPT_4O], NOW), SETTINGS, NOW)
    assert found.alert_id == "data_quality/price_source/openai/gpt-4o"
    assert found.summary == "openai/gpt-4o: our input_mtok is -20.0 % off genai-prices (checked on 2026-01-02)"
    assert found.facts["output_mtok"] == "ours 11, theirs 10 USD (+10.0 %)"
    assert found.causes == ("entry of https://example.com/prices, checked 2026-01-02: we were told so",)
    assert "`spendstream prices show --provider openai -- gpt-4o`" in found.action


def test_a_difference_that_nothing_explains_is_told() -> None:
    """An id that we take for one model and genai-prices for another, by an alias that nobody has checked lately."""
    alias = {"alias": "gpt-4o", "model": "gpt-4.1-nano", "source": "https://example.com", "checked": date(2025, 1, 1)}
    aliased = PriceBook.of([CorrectionFile.model_validate({"provider": "openai", "aliases": [alias]})])
    (found,) = findings(disagreements(aliased, [GPT_4O], NOW), SETTINGS, NOW)
    assert found.subject == ("openai", "gpt-4.1-nano")
    assert found.causes[0].startswith("alias of https://example.com, checked 2025-01-01")

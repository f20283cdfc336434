"""Which rate holds on a day, wherever it stands, and what is said when none does."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.base.errors import ConfigError
from stream_jobs.budget_terms.resolve import load_budgets
from stream_jobs.currencies.document import Rate
from stream_jobs.currencies.rates import InForce, find_rate, rate_at, read_currencies

DAY = date(2026, 10, 1)
OLD = """
currencies: {EUR: [{usd: "1.08", valid_from: 2025-04-01}, {usd: "1.11", valid_from: 2026-11-01}]}
budgets: [{id: a, name: a, scope: {}, currency: EUR, amount: 100, period: month}]
"""
NEW = 'currencies: {GBP: [{usd: "1.29", valid_from: 2026-10-01, source: treasury}]}'


def folder(tmp_path: Path, budgets: str = "", currencies: str = "") -> Path:
    for name, text in (("budgets.yaml", budgets), ("currencies.yaml", currencies)):
        if text:
            (tmp_path / name).write_text(text)
    return tmp_path


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True), st.integers(-5, 410))
def test_the_last_rate_that_is_valid_holds(starts: list[int], day: int) -> None:
    """From its first day on until the next one's; before the first none does."""
    rates = tuple(Rate(usd=Decimal(1 + at), valid_from=DAY + timedelta(at)) for at in sorted(starts))
    found = rate_at(rates, DAY + timedelta(day))
    valid = [at for at in starts if at <= day]
    assert (None if found is None else int(found.usd) - 1) == (max(valid) if valid else None)


def test_rates_of_todays_budgets_yaml_and_of_the_file_of_their_own_are_found(tmp_path: Path) -> None:
    """With the date, what was read of its source, and when another one follows; for budgets as for figures."""
    here = folder(tmp_path, OLD, NEW)
    assert find_rate(here, "EUR", DAY) == InForce(
        "EUR", Decimal("1.08"), date(2025, 4, 1), "budgets.yaml", date(2026, 11, 1)
    )
    assert find_rate(here, "GBP", DAY) == InForce("GBP", Decimal("1.29"), DAY, "treasury")
    assert set(load_budgets(here).document.currencies) == {"EUR", "GBP"}


def test_a_rate_may_move_to_the_file_of_its_own(tmp_path: Path) -> None:
    """Budgets are the same, to the version of what they hold."""
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    section, rest = OLD.strip().split("\n", 1)
    before, after = load_budgets(folder(old, OLD)), load_budgets(folder(new, rest, section))
    assert before.document == after.document
    assert before.version == after.version
    assert find_rate(old, "EUR", DAY).usd == find_rate(new, "EUR", DAY).usd


def test_a_currency_in_both_files_is_refused_with_its_line(tmp_path: Path) -> None:
    """Nobody could say which rate counts."""
    here = folder(tmp_path, OLD, NEW.replace("GBP", "EUR"))
    for load in (lambda: load_budgets(here), lambda: find_rate(here, "EUR", DAY)):
        with pytest.raises(ConfigError, match=r"budgets\.yaml:2: currencies: EUR has rates in currencies.yaml too"):
            load()


def test_a_missing_rate_is_said_with_what_there_is(tmp_path: Path) -> None:
    """And where to put it."""
    with pytest.raises(ConfigError, match=r"no rate of EUR; there are none but USD. Rates stand in currencies.yaml"):
        find_rate(None, "EUR", DAY)
    with pytest.raises(ConfigError, match="there are none but USD"):
        find_rate(tmp_path, "EUR", DAY)
    here = folder(tmp_path, OLD, NEW)
    with pytest.raises(ConfigError, match="there is no rate of CHF; there are USD, EUR, GBP"):
        find_rate(here, "CHF", DAY)
    with pytest.raises(
        ConfigError, match=r"no rate of EUR on 2025-03-31: the first is valid from 2025-04-01.*budgets\.yaml"
    ):
        find_rate(here, "EUR", date(2025, 3, 31))


def test_a_file_that_is_wrong_is_wrong_for_all(tmp_path: Path) -> None:
    """Budgets that were read without the rates that they need would be others."""
    here = folder(tmp_path, OLD, "currencies: 5")
    for load in (lambda: load_budgets(here), lambda: read_currencies(here), lambda: find_rate(here, "EUR", DAY)):
        with pytest.raises(ConfigError, match=r"currencies\.yaml:1"):
            load()

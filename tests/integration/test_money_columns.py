"""No column of money is a float in the live store, whether a table holds it or a view computes it."""

import re
from collections.abc import Iterator

import pytest

from stream_jobs.store.client import StoreClient
from tests.store_server import StoreProcess

MONEY = re.compile(r"cost|usd|price|spend|amount")
NO_MONEY = re.compile(
    r"price_model|price_book|prices?_factor|cost_center|unpriced|without_price|share|rate\b|cost_buckets"
)
"""Texts, counts, factors and ratios whose names only sound like money; `cost_buckets` counts events."""

MEASURED = r"share|rate|ratio|utilization|latency_ms|_factor$|^(requests|tokens|tokens_per_request)_(lately|ahead)$"
"""Ratios and means, which are floats; what moves a cost with them."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreClient]:
    process = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    try:
        with StoreClient(process.settings) as store:
            yield store
    finally:
        process.kill()


def columns(store: StoreClient) -> list[tuple[str, str, str]]:
    """Table or view, column, type: everything that the migrations and the view files made."""
    rows = store.rows(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, name"
    )
    return [(str(table), str(name), str(kind)) for table, name, kind in rows]


def test_money_is_decimal_in_every_table_and_view(store: StoreClient) -> None:
    """Columns named like money are Decimal, alone or in arrays; an average or a quotient in a view would show here."""
    money = [
        (table, name, kind) for table, name, kind in columns(store) if MONEY.search(name) and not NO_MONEY.search(name)
    ]
    assert len({table for table, _, _ in money}) > 10
    assert len(money) > 50
    wrong = [column for column in money if "Decimal" not in column[2] and "String" not in column[2]]
    assert wrong == []


def test_the_only_floats_are_measured_or_ratios(store: StoreClient) -> None:
    """Every float column of the store is known by name; none of them is an amount of money that people are told."""
    # What plots draw; how good forecasts were; requests and tokens a second.
    statistics = ("anomaly_scores", "forecast_scores", "forecast_quality", "demand_ahead")
    of_forecasts = {"scale", "error", "coverage", "probabilities", "probability"}
    floats = {name for table, name, kind in columns(store) if "Float" in kind and table not in statistics}
    assert {"latency_ms", "complexity"} <= floats
    strange = {
        name for name in floats - {"latency_ms", "complexity", "score", *of_forecasts} if not re.search(MEASURED, name)
    }
    assert strange == set()


def test_the_engine_sums_money_without_a_float(store: StoreClient) -> None:
    """A sum of Decimals stays one; an average does not, which is why views must not use it."""
    kinds = store.rows("SELECT toTypeName(sum(list_cost)), toTypeName(avg(list_cost)) FROM ledger")
    assert kinds == [("Nullable(Decimal(38, 12))", "Nullable(Float64)")]

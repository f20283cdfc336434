"""What is cut, what stays where it began, and that the documents say it."""

from pathlib import Path

import pyarrow as pa
import pytest

from stream_jobs.economics.spread import AMOUNTS, COUNTS
from stream_jobs.store.tables import MONEY, TABLES

ROOT = Path(__file__).resolve().parents[3]


def test_every_column_that_is_added_up_is_cut_or_stays() -> None:
    """Amounts are exact Decimals, counts whole numbers; the ledger has no other columns of these kinds that add up."""
    kinds = {field.name: field.type for field in TABLES["ledger"]}
    facts = {"duration_s", "revision", "accelerator_count", "partition", "offset"}
    amounts = {name for name, kind in kinds.items() if kind == MONEY}
    numbers = {name for name, kind in kinds.items() if pa.types.is_integer(kind)}
    assert amounts - facts == set(AMOUNTS)
    assert numbers - facts == set(COUNTS)


@pytest.mark.parametrize(
    "page",
    [
        "schemas/EVENTS.md",
        "sql/TABLES.md",
        "sql/FIGURES.md",
        "sql/views/compute_by_hour.sql",
        "stream_jobs/budgets/README.md",
        "stream_jobs/economics/README.md",
    ],
)
def test_who_asks_about_time_is_told_where_compute_counts(page: str) -> None:
    """Where it began, and how to have it where it ran (tests/integration/test_spread.py holds that it is so)."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "began" in text
    assert "--spread" in text

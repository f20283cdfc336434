"""A figure that is not in the registry does not exist: what pages, views and named questions show is in it."""

import re
from dataclasses import fields

import pytest

from stream_jobs.economics.figures import FIGURES
from stream_jobs.report.data import Totals
from stream_jobs.report.figures import SHARES
from stream_jobs.store.sql_files import SQL_ROOT

SUMMED = re.compile(r"\bsum\((?:\w+\.)?(\w+)\) AS (\w+)")
OF_THEIR_OWN = {
    *("ok_events", "ok_cost", "known_gpu_seconds"),  # columns of the rollup: ok, its cost, what busy is known of
    *("received", "booked", "duplicates", "quarantined", "copies", "before_first", "gap", "overlap", "unpriced"),
    *("our_cost", "stated_for_them", "difference", "only_stated_events", "only_stated_cost"),
}
"""What is no figure, or has another name there: accounts of records, comparisons with what providers state."""


@pytest.mark.parametrize("names", [SHARES, [field.name for field in fields(Totals)]])
def test_what_the_report_sums_up_is_registered(names: list[str]) -> None:
    """Each figure of its totals and of its tables, by the registry's name."""
    assert set(names) <= FIGURES.keys()


def test_sums_of_views_and_questions_have_the_registrys_names() -> None:
    """`sum(x) AS x` of a rollup's column is the figure x; what is no figure is listed above, and nothing else is."""
    shown = [*(SQL_ROOT / "views").glob("*.sql"), *(SQL_ROOT / "queries").rglob("*.sql")]
    summed = [pair for path in shown for pair in SUMMED.findall(path.read_text(encoding="utf-8"))]
    assert {name for column, name in summed if name == column} - FIGURES.keys() - OF_THEIR_OWN == set()

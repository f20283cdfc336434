"""Which overrides count, and whose they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.forecasts.overrides import OfSeries, Override, Row, in_force, series_of

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
SEARCH = OfSeries("", ("team",), ("search",))
ONE = Override("a", NOW, "mara", "launch", SEARCH, NOW, NOW + 30 * DAY, Decimal(40_000))


@pytest.mark.parametrize(
    ("words", "series"),
    [
        ("total", OfSeries()),
        ("team=search", SEARCH),
        ("budget=all", OfSeries("all")),
        ("budget=per-team team=a=b", OfSeries("per-team", ("team",), ("a=b",))),
    ],
)
def test_a_series_is_named_in_words(words: str, series: OfSeries) -> None:
    """And told in the same."""
    assert series_of(words.split()) == series
    assert series.words == words


@pytest.mark.parametrize(
    "words", ["search", "team=", "teem=search", "team=a team=b", "=x", "total team=a", "team=a budget=b"]
)
def test_what_is_no_series_is_refused(words: str) -> None:
    """With what to write."""
    with pytest.raises(ConfigError, match="is no series: write total"):
        series_of(words.split())


def test_the_last_that_was_set_counts_and_what_was_taken_back_does_not() -> None:
    """In whatever order the rows are read."""
    later = replace(ONE, override_id="b", at=NOW + DAY, amount=Decimal(50_000))
    other = replace(ONE, override_id="c", series=OfSeries())
    back = replace(other, at=NOW + DAY, by="jo")
    rows: list[Row] = [("set", ONE), ("set", later), ("set", other), ("unset", back)]
    for order in permutations(rows):
        assert in_force(order) == [later]
    taken_back: list[Row] = [("set", ONE), ("set", later), ("unset", replace(later, at=NOW + 2 * DAY))]
    assert in_force(taken_back) == []  # what it had replaced does not come back

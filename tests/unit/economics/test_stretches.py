"""Which tables answer a question, and for which part of its time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream_jobs.base.instants import unix_micros
from stream_jobs.economics.asked import Question
from stream_jobs.economics.stretches import stretches_of
from stream_jobs.series.history import LEDGER

START = datetime(2026, 10, 1, tzinfo=UTC)
UNITS = (86_400, 3_600, 60, 1)
INSTANTS = st.builds(
    lambda number, unit, rest: START + timedelta(seconds=number * unit, microseconds=rest),
    st.integers(0, 40),
    st.sampled_from(UNITS),
    st.sampled_from([0, 0, 0, 1, 999_999]),
)
BY = st.lists(st.sampled_from(["team", "model", "customer", "user_id", "accelerator", "labels.tenant"]), unique=True)


@given(INSTANTS, INSTANTS, BY)
def test_they_are_all_of_the_time_once(one: datetime, other: datetime, by: Sequence[str]) -> None:
    """End to end, each from a table of which no row lies on a bound, and that knows what is asked for."""
    assume(one != other)
    since, until = sorted((one, other))
    found = stretches_of(Question([], since, until), by, ["events"])
    assert (found[0].since, found[-1].until) == (unix_micros(since), unix_micros(until))
    assert all(left.until == right.since for left, right in pairwise(found))
    for stretch in found:
        assert stretch.since < stretch.until
        assert stretch.source is LEDGER or stretch.source.has(by, [stretch.since, stretch.until])
    coarse = max(stretch.source.whole for stretch in found)
    days = -(-unix_micros(since) // 86_400_000_000) < unix_micros(until) // 86_400_000_000
    assert coarse == 86_400 or not days or {"accelerator", "labels.tenant"}.intersection(by)


@pytest.mark.parametrize(
    ("asked", "by", "parts", "tables"),
    [
        ({}, ["team"], ["events"], ["operations_1d"]),
        ({}, ["user_id"], ["events"], ["cost_1d"]),
        ({"until": START + timedelta(hours=49)}, ["team"], ["events"], ["operations_1d", "cost_1h"]),
        ({"until": START + timedelta(hours=49)}, ["user_id"], ["events"], ["cost_1d", "ledger"]),
        ({"until": START + timedelta(hours=49)}, [], ["users"], ["ledger"]),
        ({"until": START + timedelta(minutes=90)}, ["team"], ["events"], ["cost_1h", "cost_1m"]),
        ({"zone": ZoneInfo("Asia/Kolkata")}, ["day"], ["events"], ["cost_1m"]),
        ({"zone": ZoneInfo("Asia/Kolkata")}, ["team"], ["events"], ["operations_1d"]),
        ({"as_of": START}, ["team"], ["events"], ["ledger"]),
        ({}, ["team"], ["requests"], ["ledger"]),
    ],
)
def test_the_smallest_that_can_tell(asked: dict[str, Any], by: list[str], parts: list[str], tables: list[str]) -> None:
    """Of a whole month, if nothing else is said."""
    question = Question([], START, **{"until": START + timedelta(days=31), **asked})
    assert [stretch.source.table for stretch in stretches_of(question, by, parts)] == tables

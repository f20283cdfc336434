"""How much of the past is compared with the ledger at once."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stream_jobs.budgets.comparison import CELLS_AT_ONCE, ROWS_AT_ONCE, Asked, Question, _slices
from stream_jobs.budgets.tracked import Tracked
from stream_jobs.series.corrected import Touched
from tests.integration.budget_world import budgets


def asked() -> Asked:
    found = budgets({"id": "users", "name": "Users", "amount": 1, "period": "day", "per": ["user_id"]})
    (budget,) = found
    tracked = Tracked(budget, found)
    question = Question("users", changed=True)
    return Asked(question, tracked, tracked.counters.spec, {}, frozenset(), datetime(2026, 11, 28, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cells", "sizes", "parts"),
    [
        ([], {}, []),
        (range(5), {}, [5]),
        (range(CELLS_AT_ONCE + 1), dict.fromkeys(range(CELLS_AT_ONCE + 1), 1), [CELLS_AT_ONCE, 1]),
        (range(4), dict.fromkeys(range(4), ROWS_AT_ONCE), [1, 1, 1, 1]),
        (range(4), {0: ROWS_AT_ONCE + 7, 1: 1, 2: ROWS_AT_ONCE - 1, 3: 1}, [1, 2, 1]),
    ],
)
def test_a_question_has_so_many_rows_and_periods(cells: Any, sizes: dict[int, int], parts: list[int]) -> None:
    """At least one period, all of them, and in their order; each with what was touched of it."""
    touched: Touched = {cell: {(f"u{cell}",)} for cell in cells}
    for given in (None, touched):
        found = _slices(asked(), list(cells), sizes, given)
        assert [len(one.cells or ()) for one in found] == parts
        assert [cell for one in found for cell in one.cells or ()] == list(cells)
        assert all(one.changed and one.budget_id == "users" for one in found)
        assert all(
            one.touched == (None if given is None else {c: touched[c] for c in one.cells or ()}) for one in found
        )

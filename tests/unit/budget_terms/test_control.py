"""Changes of budgets, many at once: what fits is taken up together, what does not is found and refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.budget_terms import control
from stream_jobs.budget_terms.control import MAX_SET, BudgetChange, Definition, Definitions
from stream_jobs.budget_terms.notes import REFUSED

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Store:
    """Answers that there is nothing yet; the rows are kept by `taking` below."""

    def rows(self, sql: str, parameters: dict[str, object] | None = None) -> list[tuple[object, ...]]:
        return []


def definitions(monkeypatch: pytest.MonkeyPatch) -> tuple[Definitions, list[Definition]]:
    written: list[Definition] = []
    monkeypatch.setattr(Definitions, "_write", lambda self, rows: written.extend(rows))
    made = Definitions(Store(), None)  # type: ignore[arg-type]
    made.load(NOW)
    return made, written


def change(number: int, budget_id: str = "", **budget: Any) -> BudgetChange:
    name = budget_id or f"b{number}"
    document = {"id": name, "name": name, "amount": "1", "period": "day"} | budget
    return BudgetChange(schema_version=1, change_id=f"c{number}", budget_id=name, at=NOW, by="test", budget=document)


def removal(number: int, budget_id: str, *, reset: bool = False) -> BudgetChange:
    return BudgetChange(schema_version=1, change_id=f"c{number}", budget_id=budget_id, at=NOW, by="test", reset=reset)


def take_all(made: Definitions, changes: list[BudgetChange]) -> None:
    made.take_up(changes, NOW)
    while made.waiting:
        made.take_up((), NOW)


def test_a_good_change_behind_thousands_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good and bad ones before it, more than may be set: each is decided, in the order in which they came."""
    made, written = definitions(monkeypatch)
    changes = [change(number, **({"parent": "nobody"} if number % 3 == 0 else {})) for number in range(600)]
    take_all(made, [*changes, change(600, "last")])
    assert "last" in made.budgets
    assert [row.change_id for row in written] == [f"c{number}" for number in range(601)]
    assert [row.note.startswith(REFUSED) for row in written] == [number % 3 == 0 for number in range(600)] + [False]


def test_there_is_an_end_to_what_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to the topic cannot make the job watch any number of budgets."""
    made, written = definitions(monkeypatch)
    take_all(made, [change(number) for number in range(MAX_SET + 20)])
    assert len(made.budgets) == MAX_SET
    assert [row.note.startswith(REFUSED) for row in written] == [False] * MAX_SET + [True] * 20
    take_all(made, [change(9_999, "b0", amount="7")])
    assert made.budgets.get("b0").amount == 7  # type: ignore[union-attr] # what is set can still be changed


def test_a_turn_ends_and_the_rest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job has more to do than changes: after its slice it goes on with that."""
    monkeypatch.setattr(control, "SLICE_S", 0.0)
    made, written = definitions(monkeypatch)
    made.take_up([change(number, **({"parent": "nobody"} if number == 3 else {})) for number in range(8)], NOW)
    assert made.waiting
    assert 0 < len(written) < 8
    take_all(made, [])
    assert [row.change_id for row in written] == [f"c{number}" for number in range(8)]


KINDS = st.sampled_from(["set", "child", "orphan", "other id", "bad", "remove", "reset", "again"])


@given(st.lists(st.tuples(KINDS, st.integers(0, 5)), max_size=30))
def test_together_is_as_one_by_one(plan: list[tuple[str, int]]) -> None:
    """What counts at the end, and which changes are refused, does not depend on how many came at once; but a child that
    comes before its parent fits if both come together."""
    changes = []
    for number, (kind, which) in enumerate(plan):
        name = f"b{which}"
        if kind in ("remove", "reset"):
            changes.append(removal(number, name, reset=kind == "reset"))
        elif kind == "other id":
            changes.append(change(number, name).model_copy(update={"budget_id": "x"}))
        elif kind == "again" and changes:
            changes.append(changes[-1])
        else:
            extra = {"child": {"parent": "b0"}, "orphan": {"parent": "nobody"}, "bad": {"amount": "-1"}}.get(kind, {})
            changes.append(change(number, name, **extra))
    with pytest.MonkeyPatch.context() as patch:
        together, rows = definitions(patch)
        take_all(together, changes)
        at_once = len(rows)
        single, others = definitions(patch)
        rows_before = len(others)
        for one in changes:
            take_all(single, [one])
    assert at_once == len(others) - rows_before
    refused_single = {row.change_id for row in others if row.note.startswith(REFUSED)}
    refused_together = {row.change_id for row in rows[:at_once] if row.note.startswith(REFUSED)}
    assert refused_together <= refused_single
    if refused_together == refused_single:
        assert {one.id: one for one in together.budgets} == {one.id: one for one in single.budgets}

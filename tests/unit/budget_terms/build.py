"""Budgets for tests, from what differs from a plain one."""

from datetime import UTC, datetime
from typing import Any

from stream_jobs.budget_terms.document import Budget, BudgetsDocument
from stream_jobs.budget_terms.resolve import Budgets

NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)


def budget(budget_id: str = "one", **more: Any) -> Budget:
    """USD 10 a month for everything, told to somebody, unless said otherwise."""
    plain = {"name": f"Budget {budget_id}", "amount": "10", "period": "month", "owner": "somebody"}
    return Budget.model_validate({"id": budget_id, **plain, **more})


def budgets(*given: Budget, now: datetime = NOW, **shared: Any) -> Budgets:
    """These, with what a file says beside its budgets."""
    return Budgets(BudgetsDocument.model_validate({**shared, "budgets": given}), now=now)

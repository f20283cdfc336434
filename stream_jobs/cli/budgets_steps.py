"""How `spendstream budgets show` tells which step of the policy services follow, and why."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from stream_jobs.base.json_values import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_jobs.budget_terms.document import Policy
    from stream_jobs.budget_terms.units import Unit
    from stream_jobs.budgets.book import Place
    from stream_jobs.budgets.outlook import Outlook
    from stream_jobs.budgets.status import BudgetStanding, DefinedBudget
    from stream_jobs.budgets.step_now import StepNow
    from stream_jobs.output.console import Console
    from stream_jobs.store.client import StoreClient


class Steps(NamedTuple):
    """Of a budget that has some, with what is forecast of it."""

    budget_id: str
    policy: "Policy"
    outlooks: "Mapping[Place, Outlook]"


def read_steps(store: "StoreClient", budget: "DefinedBudget") -> Steps | None:
    """None: services do nothing by themselves. Raises SpendstreamError."""
    from stream_jobs.budget_terms.resolve import budget_from_json
    from stream_jobs.budgets.outlook_reader import read_outlooks

    if not budget.document.get("policy", {}).get("steps"):
        return None
    policy = budget_from_json(json_text(budget.document)).policy
    return Steps(budget.budget_id, policy, read_outlooks(store) if policy.forecast_percents else {})


def step_json(steps: Steps | None, told: dict[str, Any]) -> dict[str, Any] | None:
    """What services do by a standing that is told as `told_standings` does."""
    from stream_jobs.budgets.status import stated_unit

    if steps is None:
        return None
    amount, spent, held = (Decimal(told[name]) for name in ("amount", "spent", "held"))
    unit = stated_unit(told["unit"], told["currency"], Decimal(told["rate"]))
    return _step(steps, told["period_key"], tuple(told["vals"]), unit, amount, spent + held)._asdict()


def print_steps(console: "Console", standings: "Sequence[BudgetStanding]", steps: Steps | None) -> None:
    """A table; nothing where services do nothing by themselves."""
    from stream_jobs.output.tables import Table

    if steps is None or not standings:
        return
    table = Table("of", "action", "why", title="What services do")
    for standing in standings:
        now = _step(steps, standing.period_key, standing.vals, standing.stated, standing.amount, standing.used)
        table.add_row(", ".join(standing.vals) or "all", now.action, now.why)
    console.print(table)


def _step(
    steps: Steps, period_key: str, values: tuple[str, ...], unit: "Unit", amount: Decimal, used: Decimal
) -> "StepNow":
    from stream_jobs.budgets.book import Place
    from stream_jobs.budgets.step_now import foretold_percent, step_now

    outlook = steps.outlooks.get(Place(steps.budget_id, period_key, values))
    return step_now(steps.policy, unit, amount, used, foretold_percent(outlook, amount))

"""Which step of a budget's policy services follow by now, and why, for people: what the guards make of the same figures
(`producers/spendstream/guard`; a test holds the two together). Plain."""

from decimal import Decimal
from typing import Final, NamedTuple

from spendstream_schemas.budget_feed import Action
from stream_jobs.base.money import pico_from_usd
from stream_jobs.base.readable import exact
from stream_jobs.budget_terms.document import Policy
from stream_jobs.budget_terms.units import Unit
from stream_jobs.budgets.outlook import Outlook


class StepNow(NamedTuple):
    """What services do without an estimate of their own, and what they have just allowed."""

    action: Action
    why: str  # for people: 'from 80 % on', 'forecast to pass 100 %'; empty at full service
    by_forecast: bool  # less than the step's share is used


_FULL: Final = StepNow("full", "", False)
_NOTHING: Final = StepNow("refuse", "nothing may be used", False)


def step_now(policy: Policy, unit: Unit, amount: Decimal, used: Decimal, foretold: Decimal) -> StepNow:
    """Of a place that stands so: `amount` and `used` as they are kept, `foretold` as `foretold_percent` has it."""
    if not amount:
        return _NOTHING
    whole, so_far = pico_from_usd(amount), pico_from_usd(used)

    def is_used(percent: Decimal) -> bool:
        # What was carried over can make an amount negative: then everything is used up.
        return whole < 0 or so_far * 100_000 >= whole * int(percent * 1000)

    for step in reversed(policy.steps):  # the strictest first
        ahead = step.at_forecast_percent
        for percent in (step.at_percent, ahead):
            if percent is not None and is_used(percent):
                return StepNow(step.action, f"from {exact(percent)} % on", False)
        if step.at_amount is not None and (whole < 0 or so_far >= pico_from_usd(unit.kept(unit.pico(step.at_amount)))):
            return StepNow(step.action, f"from {unit.said(step.at_amount)} on", False)
        if ahead is not None and ahead <= foretold:
            return StepNow(step.action, f"forecast to pass {exact(ahead)} %", True)
    return _FULL


def foretold_percent(outlook: Outlook | None, amount: Decimal) -> Decimal:
    """The highest percent of the amount, as it is kept, that the forecast says will be passed; 0: it does not say. One
    of another amount says nothing of this one."""
    if outlook is None or outlook.amount != amount:
        return Decimal(0)
    return max(outlook.raised_percents, default=Decimal(0))

"""The demo's budgets: what an ordinary hour costs, with some headroom, so that only the incident goes beyond them.

How much traffic there is depends on the time of day, the rate and the seed. An amount that is right at noon would be
crossed at night by the batch jobs, or never.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream_jobs.base.money import usd_from_pico

if TYPE_CHECKING:
    from spendstream_schemas.scope import Scope
    from spendstream_traffic.simulate import SimulationConfig
    from stream_jobs.budget_terms.document import Budget

_AMOUNT: Final = r"(- id: {id}\n(?:(?!  - id:).*\n)*?    amount: )(\S+)(  # headroom )(\S+)"
_SMALLEST: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Spend:
    """What one combination of facts cost in the hour, with what is held for events without a price."""

    facts: Mapping[str, str]  # what a budget's scope looks at
    usd: Decimal
    unknown: int  # events of models that nobody knows, held at a flat bound


def ordinary_hour(config: "SimulationConfig", config_dir: Path) -> list[Spend]:
    """What the traffic costs without its incidents, by team and user."""
    from spendstream_traffic.simulate import generate
    from stream_jobs.facts import facts_of
    from stream_jobs.pricing.book import PriceBook
    from stream_jobs.pricing.hold import NOTHING, bound_of

    book = PriceBook.load(config_dir)
    costs: dict[tuple[str, str], int] = defaultdict(int)
    unknown: dict[tuple[str, str], int] = defaultdict(int)
    for event in generate(replace(config, incidents=())):
        who = event.attribution.team or "", event.attribution.user_id or ""
        pricing = book.price(facts_of(event))
        bound = NOTHING if pricing.priced else bound_of(pricing.hold)
        costs[who] += (pricing.effective_cost or 0) + bound.pico
        unknown[who] += bound.flat
    return [
        Spend({"team": team, "user_id": user}, usd_from_pico(cost), unknown[team, user])
        for (team, user), cost in costs.items()
    ]


def write_amounts(path: Path, hour: Iterable[Spend]) -> None:
    """Replace every amount in the file by what its budget's scope cost, times its headroom."""
    from stream_jobs.base.yaml_files import load_yaml
    from stream_jobs.budget_terms.document import BudgetsDocument

    spends = list(hour)
    document = BudgetsDocument.model_validate(load_yaml(path))
    text = path.read_text(encoding="utf-8")
    for budget in document.budgets:
        used = _used(budget, spends, document.unpriced_upper_bound_usd)
        found = re.search(_AMOUNT.format(id=re.escape(budget.id)), text)
        assert found is not None, budget.id
        text = text[: found.start(2)] + _amount(used * Decimal(found[4])) + text[found.end(2) :]
    path.write_text(text, encoding="utf-8")


def _used(budget: "Budget", spends: Iterable[Spend], upper_bound: Decimal) -> Decimal:
    """By the budget, or by the dearest of its values."""
    totals: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for spend in spends:
        if _in_scope(budget.scope, spend.facts):
            totals[tuple(spend.facts[name] for name in budget.per)] += spend.usd + spend.unknown * upper_bound
    return max(totals.values(), default=Decimal(0))


def _in_scope(scope: "Scope", facts: Mapping[str, str]) -> bool:
    from spendstream_schemas.scope import in_scope

    return in_scope(scope, facts)


def _amount(usd: Decimal) -> str:
    """Two digits are enough for a budget."""
    usd = max(usd, _SMALLEST)
    return f"{usd.quantize(Decimal(1).scaleb(usd.adjusted() - 1), ROUND_CEILING):f}"

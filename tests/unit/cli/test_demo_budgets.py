"""The demo's budgets fit its traffic."""

import shutil
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spendstream_traffic.simulate import SimulationConfig, generate, parse_incident
from stream_jobs.alerts.document import read_document
from stream_jobs.budget_terms.checks import problems_between
from stream_jobs.budget_terms.document import BudgetsDocument
from stream_jobs.cli.demo import ALERTS_FILE, BUDGETS_FILE, EXAMPLE_CONFIG, HOURS, INCIDENT
from stream_jobs.cli.demo_alerts import DEPARTMENT, read_budgets
from stream_jobs.cli.demo_budgets import Spend, ordinary_hour, write_amounts
from stream_jobs.facts import facts_of
from stream_jobs.pricing.book import PriceBook

DURATION = timedelta(hours=HOURS)


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE_CONFIG, tmp_path / "config"))


def _traffic(hour: int, rate: float) -> SimulationConfig:
    start = datetime(2026, 11, 26, hour, tzinfo=UTC)
    incident = parse_incident(INCIDENT, start, start + DURATION)
    return SimulationConfig(start=start, duration=DURATION, rate=rate, seed=7, incidents=(incident,))


def _amounts(document: BudgetsDocument) -> dict[str, Decimal]:
    return {budget.id: budget.amount for budget in document.budgets}


def test_the_example_is_valid_before_the_demo_touches_it() -> None:
    """It can be read as an example of its own; its department is the one that the demo waits for."""
    document = read_budgets(EXAMPLE_CONFIG)
    assert problems_between(document) == []
    assert DEPARTMENT in _amounts(document)
    assert [receiver.type for receiver in read_document(EXAMPLE_CONFIG / ALERTS_FILE).receivers] == ["webhook"]


def test_every_amount_is_what_its_scope_cost_times_its_headroom(config_dir: Path) -> None:
    """Two digits, rounded up; of users the dearest counts; usage without a price is held; nothing else changes."""
    before = (config_dir / BUDGETS_FILE).read_text()
    spends = [
        Spend({"team": "agents", "user_id": "u1"}, Decimal("100.001"), 20),
        Spend({"team": "agents", "user_id": ""}, Decimal(400), 0),
        Spend({"team": "support", "user_id": "u2"}, Decimal(10), 0),
        Spend({"team": "platform", "user_id": ""}, Decimal(9000), 0),
    ]
    write_amounts(config_dir / BUDGETS_FILE, spends)
    assert _amounts(read_budgets(config_dir)) == {
        "products": 870,  # (501.001 + 10) x 1.7
        "products.support": 25,
        "products.discovery": Decimal("0.01"),
        "products.content": Decimal("0.01"),
        "products.agents": 610,  # (500.001 + 20 x 0.05) x 1.2
        "user-day": 210,  # (100.001 + 20 x 0.05) x 2
    }
    after = (config_dir / BUDGETS_FILE).read_text()
    assert [line for line in after.splitlines() if "amount:" not in line] == [
        line for line in before.splitlines() if "amount:" not in line
    ]


@pytest.mark.slow
@pytest.mark.parametrize("hour", [3, 14, 23])
def test_only_the_incident_crosses_them_at_any_time_of_the_day(hour: int, config_dir: Path) -> None:
    """The team with little headroom and the user that runs away are over their amounts; an ordinary hour is not."""
    traffic = _traffic(hour, rate=2.5)
    write_amounts(config_dir / BUDGETS_FILE, ordinary_hour(traffic, config_dir))
    amounts = _amounts(read_budgets(config_dir))
    ordinary, really = _costs(replace(traffic, incidents=()), config_dir), _costs(traffic, config_dir)
    assert ordinary["team", "agents"] < amounts["products.agents"] < really["team", "agents"]
    assert max(cost for (kind, _), cost in ordinary.items() if kind == "user") < amounts["user-day"]
    assert really["user", "acme-u17"] > amounts["user-day"] * Decimal("1.5")


def _costs(traffic: SimulationConfig, config_dir: Path) -> dict[tuple[str, str], Decimal]:
    book = PriceBook.load(config_dir)
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event in generate(traffic):
        cost = Decimal(book.price(facts_of(event)).effective_cost or 0).scaleb(-12)
        found["team", event.attribution.team or ""] += cost
        if event.attribution.user_id:
            found["user", event.attribution.user_id] += cost
    return found

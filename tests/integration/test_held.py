"""Usage without a price whose model is known, from the event to the budget: held at what it may have cost, until its
price is there, and everywhere the same figure."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.pipeline import Pipeline, until, usage_event

FILE = """
budgets:
  - {id: company, name: Company, amount: 3000, period: month, thresholds: [80, 100]}
  - {id: models, name: Each model, amount: 3000, period: month, per: [model], thresholds: [100]}
"""
PRICE = """
provider: openai
entries:
  - {models: [gpt-4o], when: {service_tier: turbo}, multiplier: 1, source: the contract, checked: 2026-11-01}
"""
TIMEOUT_S = 120.0
CALL = {"kind": "tokens", "input_tokens": 4000, "output_tokens": 0}
"""A cent of gpt-4o."""
CENT = Decimal("0.01")
TURBO, UNTOLD = 382, 300
SPENT = Decimal("2384.98")
HELD = TURBO * CENT * Decimal("1.7") + UNTOLD * CENT
"""The dearest tier of the model takes 1.7 times as much; the longest calls of the model cost a cent."""


@pytest.fixture
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """With a month of 2,384.98, 20 of which are calls of gpt-4o."""
    data_dir = tmp_path_factory.mktemp("held")
    (data_dir / "config").mkdir()
    (data_dir / "config" / "budgets.yaml").write_text(FILE)
    pipeline = Pipeline(data_dir)
    pipeline.environment = {**pipeline.environment, "SPENDSTREAM_DATA_QUALITY_INTERVAL_S": "1"}
    try:
        pipeline.start()
        calls = [event(f"c{number}") for number in range(2000)]
        dear = {"kind": "tokens", "input_tokens": 1_000_000, "output_tokens": 0}
        others = [event(f"d{number}", model="gpt-4", usage=dear) for number in range(78)]
        rest = event("rest", model="gpt-4.1", usage=dear | {"input_tokens": 12_490_000})
        pipeline.send_events(*calls, *others, rest)
        pipeline.wait_received(2079)
        yield pipeline
        pipeline.stop()
    finally:
        pipeline.kill()


def event(event_id: str, **changes: Any) -> dict[str, Any]:
    return usage_event(event_id, **{"occurred_at": datetime.now(UTC).isoformat(), "usage": CALL, **changes})


def company(pipeline: Pipeline) -> tuple[Decimal, Decimal, int]:
    """Spent, held, and events without a price, as people are told."""
    line = next(one for one in listed(pipeline) if one["id"] == "company")
    standing = line["standing"] or {}
    return tuple(Decimal(standing.get(name, 0)) for name in ("spent", "held", "unpriced_events"))  # type: ignore[return-value]


def listed(pipeline: Pipeline) -> list[dict[str, Any]]:
    found = pipeline.run("budgets", "list", "--json", "--data-dir", str(pipeline.data_dir), check=True)
    return [json.loads(line) for line in found.stdout.splitlines()]


@pytest.mark.slow
def test_a_month_with_682_events_worth_a_cent_each_holds_dollars(pipeline: Pipeline) -> None:
    """Not a dollar each, by which the month was over budget. What the ledger, the budget and data quality say, and what
    stands after a restart, is one figure; it falls when a price comes."""
    until(lambda: company(pipeline)[0] == SPENT, TIMEOUT_S, "the month is counted")
    turbo = [event(f"t{number}", service_tier="turbo") for number in range(TURBO)]
    untold = [event(f"u{number}", status="cancelled", usage={"kind": "tokens"}) for number in range(UNTOLD)]
    pipeline.send_events(*turbo, *untold)
    until(lambda: company(pipeline)[2] == TURBO + UNTOLD, TIMEOUT_S, "what has no price is counted")
    assert company(pipeline) == (SPENT, HELD, TURBO + UNTOLD)
    assert Decimal(9) < HELD < Decimal(10)
    in_ledger = "SELECT sum(held_cost), sum(held_flat), sum(unpriced) FROM ledger"
    assert pipeline.rows(in_ledger) == [(HELD, 0, TURBO + UNTOLD)]
    each = pipeline.rows("SELECT vals[1], held FROM budget_status WHERE budget_id = 'models' ORDER BY held DESC")
    assert each[0] == ("gpt-4o", HELD)
    assert all(held == 0 for _, held in each[1:])

    def at_stake() -> list[tuple[Any, ...]]:
        return pipeline.rows(
            "SELECT labels['reason'], money_usd FROM alerts_open WHERE kind = 'data_quality' ORDER BY 1"
        )

    wanted = [("unknown_service_tier", HELD - UNTOLD * CENT), ("usage_unknown", UNTOLD * CENT)]
    until(lambda: len(at_stake()) == len(wanted), TIMEOUT_S, "data quality has looked")
    assert at_stake() == wanted
    assert pipeline.rows("SELECT name FROM alerts_open WHERE kind = 'budget'") == []

    pipeline.stop()
    pipeline.start()
    assert company(pipeline) == (SPENT, HELD, TURBO + UNTOLD)

    (pipeline.data_dir / "config" / "corrections").mkdir()
    (pipeline.data_dir / "config" / "corrections" / "turbo.yaml").write_text(PRICE)
    until(lambda: company(pipeline)[2] == UNTOLD, TIMEOUT_S, "what has a price now is priced")
    assert company(pipeline) == (SPENT + TURBO * CENT, UNTOLD * CENT, UNTOLD)
    assert pipeline.rows(in_ledger) == [(UNTOLD * CENT, 0, UNTOLD)]

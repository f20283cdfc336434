"""`spendstream up`, `reprice` and `reattribute` as a user calls them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event

RATE_CARD = """\
provider: acme-search
source: contract 17
checked: 2026-11-01
skus:
  - {sku: vector-reads, unit: reads, usd_per_unit: 0.000004}
"""
OVERLAY = """\
overlays:
  - {name: agreed, scope: {provider: openai}, discount_percent: 10}
"""
RULES = """\
rules:
  - {name: checkout, when: {source: tests}, set: {team: checkout}}
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path / "data")
    pipeline.start()
    yield pipeline
    pipeline.kill()


def reads(event_id: str, quantity: str) -> dict[str, Any]:
    usage = {"kind": "metered", "sku": "vector-reads", "quantity": quantity, "unit": "reads"}
    return usage_event(event_id, provider="acme-search", model=None, usage=usage)


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.slow
def test_history_is_corrected_by_hand_and_by_itself(pipeline: Pipeline, tmp_path: Path) -> None:
    """Usage without a price is priced after a restart with its rate card, without a hand. A contract and rules for what
    is past are applied by command: looked at first, then posted, then nothing differs."""
    pipeline.send_events(reads("r1", "1000000"), reads("r2", "250000.5"), usage_event("t1"))
    pipeline.wait_received(3)
    assert pipeline.value("SELECT sum(unpriced) FROM ledger") == 2
    pipeline.stop()

    own = pipeline.data_dir / "config"
    write(own, "rate_cards/search.yaml", RATE_CARD)
    pipeline.start()
    until(lambda: pipeline.value("SELECT sum(unpriced) FROM ledger") == 0, BOOK_TIMEOUT_S, "priced by itself")
    cost = "SELECT sum(effective_cost) FROM cost_1h WHERE provider = 'acme-search'"
    until(lambda: pipeline.value(cost) == Decimal("5.000002"), BOOK_TIMEOUT_S, "in the rollup")
    assert pipeline.value("SELECT count() FROM unpriced_usage") == 0
    assert pipeline.rows("SELECT kind, state, adjusted FROM adjustment_history") == [("unpriced", "done", 2)]

    changed = tmp_path / "changed"
    write(changed, "rate_cards/search.yaml", RATE_CARD)
    write(changed, "overlays/agreed.yaml", OVERLAY)
    write(changed, "attribution.yaml", RULES)
    flags = ("--since", "2026-11-01", "--until", "2026-11-02", "--data-dir", str(pipeline.data_dir), "--json")

    def answer(*command: str) -> dict[str, Any]:
        return dict(json.loads(pipeline.run(*command, *flags, "--config-dir", str(changed), check=True).stdout))

    before = pipeline.value("SELECT count() FROM ledger")
    dry = answer("reprice", "--dry-run")
    assert (dry["adjusted"], dry["contracted_cost"], dry["list_cost"]) == (1, "-0.25", "0")
    assert dry["by"] == [
        {"provider": "openai", "model": "gpt-4o", "team": "t", "events": 1, "list_cost": "0",
         "contracted_cost": "-0.25", "effective_cost": "-0.25"}
    ]  # fmt: skip
    assert pipeline.value("SELECT count() FROM ledger") == before
    done = answer("reprice", "--apply", "--note", "signed late")
    assert {**done, "outcome": "", "run": ""} == {**dry, "outcome": "", "run": ""}
    assert pipeline.value("SELECT count() FROM ledger WHERE reason_text LIKE '%signed late'") == 1
    assert answer("reprice", "--apply")["adjusted"] == 0

    assert answer("reattribute", "--dry-run")["adjusted"] == 3
    moved = answer("reattribute", "--apply")
    assert (moved["adjusted"], moved["entries"], moved["effective_cost"]) == (3, 6, "0")
    assert pipeline.rows("SELECT team, sum(events) FROM cost_by_team GROUP BY team HAVING sum(events) != 0") == [
        ("checkout", 3)
    ]
    shown = pipeline.run("reattribute", "--dry-run", *flags[:-1], "--config-dir", str(changed))
    assert "3 events looked at, 0 differ" in shown.stdout

    # Other files than the workers', and nobody said which: history is not corrected with them by accident.
    write(own, "overlays/agreed.yaml", OVERLAY)
    refused = pipeline.run("reprice", "--apply", *flags)
    assert refused.returncode == 2
    assert "the workers use version" in refused.stderr
    version = pipeline.value("SELECT version FROM price_book_versions ORDER BY loaded_at DESC LIMIT 1")
    back = pipeline.run("reprice", "--apply", "--book", version, *flags, check=True)
    assert json.loads(back.stdout)["contracted_cost"] == "0.25"
    pipeline.stop()

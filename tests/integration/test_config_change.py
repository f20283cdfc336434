"""Prices and rules that change while `spendstream up` runs."""

from collections.abc import Iterator

import pytest

from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event

MODEL = "our-own-model"
CORRECTION = f"""\
provider: openai
entries:
  - models: [{MODEL}]
    valid_from: 2026-01-01
    prices: {{input_mtok: 2, output_mtok: 4}}
    source: https://example.com/prices
    checked: 2026-11-01
    reason: a model that nobody else knows
"""
RULES = """\
rules:
  - name: what tests send belongs to quality since their price is known
    when: {source: tests}
    set: {team: quality}
"""


@pytest.fixture
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline") / "data")
    pipeline.start()
    yield pipeline
    pipeline.stop()


@pytest.mark.slow
def test_a_price_that_arrives_prices_what_was_booked_without_one(pipeline: Pipeline) -> None:
    """Nothing is restarted: files appear in the data folder's config/, and within seconds what was booked unpriced has
    its price, and what comes is booked by the new prices and rules."""
    pipeline.send_events(usage_event("before", model=MODEL))
    pipeline.wait_received(1)
    assert pipeline.rows("SELECT unpriced_reason, list_cost, team FROM ledger") == [("unknown_model", None, "t")]

    (pipeline.data_dir / "config" / "corrections").mkdir()
    (pipeline.data_dir / "config" / "corrections" / "ours.yaml").write_text(CORRECTION)
    (pipeline.data_dir / "config" / "attribution.yaml").write_text(RULES)
    until(
        lambda: pipeline.rows("SELECT sum(effective_cost), sum(unpriced_events) FROM cost_1d") == [(2, 0)],
        BOOK_TIMEOUT_S,
        "priced by itself",
    )
    assert pipeline.rows("SELECT sum(events), sum(effective_cost) FROM ledger") == [(1, 2)]
    pipeline.send_events(usage_event("after", model=MODEL))
    pipeline.wait_received(2)
    assert pipeline.rows("SELECT list_cost, team FROM ledger WHERE event_id = 'after'") == [(2, "quality")]
    done = pipeline.run(
        *("reattribute", "--since", "2026-11-01", "--dry-run", "--data-dir", str(pipeline.data_dir)), check=True
    )
    assert "1 differ" in done.stdout, "the commands see what the worker uses: only the old event has the old team"

"""One `spendstream up` for the modules that only need one that runs: each start takes a quarter of a minute of CPU.

Such a module carries the mark SHARED, keeps to teams, projects and ids of its own, and writes no configuration that
others' events fall under. What it needs from the start stands here.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.pipeline import Pipeline

SHARED = pytest.mark.xdist_group("shared_pipeline")
RULES = """
rules:
  - name: search is the search team's
    when: {feature: search}
    set: {team: search}
"""
ODD = "a.b 'x' \\ %_ ü"
"""The name of a label."""
REFUSES = {
    "thresholds": {"actual": [100], "forecast": []},
    "policy": {"steps": [{"at_percent": 100, "action": "refuse"}]},
}


def budget(budget_id: str, **more: Any) -> dict[str, Any]:
    """Ten dollars a day: two events of two million tokens."""
    return {"id": budget_id, "name": budget_id, "amount": 10, "period": "day", "owner": "me", **REFUSES, **more}


BUDGETS = [
    budget("alphas", scope={"team": "alpha*"}),
    budget("some", scope={"team": ["g?", "delta"]}),
    budget("literal", scope={"team": {"any_of": ["alpha*"]}}),
    budget("tenant", per=[f"labels.{ODD}"]),
    budget("vip", scope={"labels.tier": "vip-*"}),
    budget("source", per=["source"], scope={"team": "sources"}),
    budget("region", per=["region"], scope={"team": "regions", "region": "eu-*"}),
]


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("shared") / "data")
    config = pipeline.data_dir / "config"
    config.mkdir(parents=True)
    (config / "attribution.yaml").write_text(RULES)
    (config / "budgets.yaml").write_text(json.dumps({"budgets": BUDGETS}))
    try:
        pipeline.start()
        yield pipeline
        pipeline.stop()
    finally:
        pipeline.kill()

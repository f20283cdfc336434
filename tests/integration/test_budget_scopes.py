"""Budgets by patterns, labels, source and region, through a whole pipeline as `spendstream up` runs it: from an event
to what people read, what a service is answered, and what is announced of its block."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from spendstream import Attribution, Guard, GuardConfig
from stream_jobs.embedded.instance import read_instance
from stream_jobs.runtime.topics import BUDGET_STATE, COST_DELTAS
from stream_jobs.series.delta import decode
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.integration.shared_pipeline import ODD, SHARED, budget
from tests.unit.producers.support import read_topic

pytestmark = SHARED
WAIT_S = 40.0
PER_MILLION = Decimal("2.5")  # USD, gpt-4o input


@pytest.fixture(scope="module")
def guard(pipeline: Pipeline) -> Iterator[Guard]:
    with Guard(GuardConfig(bootstrap_servers=address(pipeline), source="own")) as guard:
        assert guard.wait_ready(WAIT_S)
        yield guard


def address(pipeline: Pipeline) -> str:
    instance = read_instance(pipeline.data_dir)
    assert instance is not None
    return instance.kafka


def spend(pipeline: Pipeline, team: str, labels: dict[str, str] | None = None, **changes: Any) -> None:
    """Five dollars."""
    made = usage_event(
        str(uuid4()),
        occurred_at=datetime.now(UTC).isoformat(),
        usage={"kind": "tokens", "input_tokens": 2_000_000, "output_tokens": 0},
        **changes,
    )
    attribution = made["attribution"] | {"team": team} | ({"labels": labels} if labels else {})
    pipeline.send_events({**made, "attribution": attribution})


def refused(
    guard: Guard, budget_id: str, team: str, labels: dict[str, str] | None = None, **more: Any
) -> tuple[str, ...] | None:
    """The values for which this budget refuses; None if it does not."""
    decision = guard.decide(Attribution(team=team, labels=labels), **more)
    return decision.values if (decision.budget_id, decision.action) == (budget_id, "refuse") else None


def statuses(pipeline: Pipeline, budget_id: str) -> dict[tuple[str, ...], Decimal]:
    rows = pipeline.rows(f"SELECT vals, spent FROM budget_status WHERE budget_id = '{budget_id}'")
    return {tuple(vals): spent for vals, spent in rows}


CASES: list[tuple[str, tuple[str, ...], dict[str, Any], dict[str, Any]]] = [
    ("alphas", (), {"team": "alpha-1"}, {"team": "beta"}),
    ("some", (), {"team": "g1"}, {"team": "g"}),
    ("tenant", ("acme",), {"team": "x", "labels": {ODD: "acme"}}, {"team": "x", "labels": {ODD: "other"}}),
    ("vip", (), {"team": "y", "labels": {"tier": "vip-1", "else": "z"}}, {"team": "y", "labels": {"tier": "free"}}),
    ("source", ("worker",), {"team": "sources", "source": "worker"}, {"team": "sources"}),  # the guard's own: another
    ("region", ("eu-1",), {"team": "regions", "region": "eu-1"}, {"team": "regions", "region": "us-1"}),
]


@pytest.mark.parametrize(("budget_id", "values", "spends", "others"), CASES, ids=[case[0] for case in CASES])
def test_what_a_scope_names_is_counted_and_refused(
    pipeline: Pipeline,
    guard: Guard,
    budget_id: str,
    values: tuple[str, ...],
    spends: dict[str, Any],
    others: dict[str, Any],
) -> None:
    """Its spend to the last digit, for its values; a service is refused for what the budget covers and nothing else."""
    asked = {"source": "tests"} | spends
    assert refused(guard, budget_id, **asked) is None
    for _ in range(2):
        spend(pipeline, **spends)
    until(lambda: refused(guard, budget_id, **asked) == values, WAIT_S, f"{budget_id} to refuse")
    assert refused(guard, budget_id, **others) is None
    until(lambda: statuses(pipeline, budget_id).get(values) == 4 * PER_MILLION, WAIT_S, "the status")
    assert set(statuses(pipeline, budget_id)) == {values}


def test_a_text_as_it_is_written_matches_no_pattern(pipeline: Pipeline, guard: Guard) -> None:
    """`any_of` is for those whose name has a star."""
    assert statuses(pipeline, "literal").get((), Decimal(0)) == 0
    assert refused(guard, "literal", "alpha-9") is None
    for _ in range(2):
        spend(pipeline, "alpha*")
    until(lambda: statuses(pipeline, "literal").get(()) == 4 * PER_MILLION, WAIT_S, "the star's own")


def told(pipeline: Pipeline) -> set[str]:
    """The labels that the last delta tells."""
    deltas = [decode(message.value() or b"") for message in read_topic(address(pipeline), COST_DELTAS)]
    return {name for name in deltas[-1].rows.column_names if name.startswith("labels.")}


def test_a_label_that_a_budget_is_set_for_is_told_of_each_block(pipeline: Pipeline, guard: Guard) -> None:
    """Without a setting or a restart; until then it is read from the ledger."""
    spend(pipeline, "z", {"project-code": "p1"})
    new = budget("codes", per=["labels.project-code"], scope={"labels.project-code": "p*"})
    pipeline.run("budgets", "set", "--data-dir", str(pipeline.data_dir), "-", stdin=json.dumps(new), check=True)
    spend(pipeline, "z", {"project-code": "p1"})
    labels = {"project-code": "p1"}
    until(lambda: refused(guard, "codes", "z", labels) == ("p1",), WAIT_S, "the new budget to refuse")

    def is_told() -> bool:
        spend(pipeline, "z", {"project-code": "p2"})
        return told(pipeline) == {f"labels.{ODD}", "labels.tier", "labels.project-code"}

    until(is_told, WAIT_S, "deltas with the new label")
    assert refused(guard, "codes", "z", {"project-code": "q"}) is None


def test_the_self_check_finds_nothing_and_older_guards_have_no_such_policy(pipeline: Pipeline, guard: Guard) -> None:
    """What they would not understand stands under a key that is not theirs."""
    instance = read_instance(pipeline.data_dir)
    assert instance is not None
    keys = {(message.key() or b"").decode() for message in read_topic(instance.kafka, BUDGET_STATE) if message.value()}
    policies = {key for key in keys if key.startswith("policy/")}
    second = {"some", "tenant", "vip", "source", "region"}
    assert policies - {"policy/codes@2"} == {"policy/alphas", "policy/literal", *(f"policy/{one}@2" for one in second)}
    assert guard.stats().errors == {}
    with urlopen(f"{pipeline.status()['http']}/metrics", timeout=10) as answer:
        lines = [line for line in answer.read().decode().splitlines() if "spendstream_budget_difference{" in line]
    assert lines
    assert all(float(line.rsplit(" ", 1)[1]) == 0 for line in lines), lines

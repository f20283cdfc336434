"""The second level of the cost stack."""

import json
from typing import Any

import pytest

from stream_jobs.attribution.cost_stack import built_in_stack
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.attribution.lint import warnings
from stream_jobs.attribution.rules import AttributionRules, rules_of
from stream_jobs.base.errors import ConfigError
from tests.unit.attribution.build import event, rules
from tests.unit.attribution.test_category import CALLS, CPU, GPU, STORAGE


def metered(sku: str, unit: str) -> dict[str, Any]:
    return {"usage": {"kind": "metered", "sku": sku, "quantity": 1, "unit": unit}}


@pytest.mark.parametrize(
    ("fields", "category", "subcategory"),
    [
        ({}, "inference", "tokens"),
        (metered("prepaid", "tokens"), "inference", "tokens"),
        ({"usage": GPU}, "inference", "GPU compute"),
        ({"usage": CALLS}, "inference", "call overhead"),
        ({"usage": CPU}, "infrastructure", "instances"),
        (metered("m7i.large", "instance-hours"), "infrastructure", "instances"),
        ({"usage": STORAGE}, "infrastructure", "storage"),
        (metered("index", "GiB-month"), "infrastructure", "storage"),
        (metered("egress-internet", "GB"), "infrastructure", "network"),
        (metered("NAT-gateway", "hours"), "infrastructure", "network"),
        (metered("copilot-business", "seats"), "infrastructure", "supporting services"),
        (metered("chatgpt-team", "subscriptions"), "infrastructure", "supporting services"),
        (metered("signature-service", "documents"), "infrastructure", "supporting services"),
        ({"usage": GPU, "attribution": {"workload_type": "Pre-Training"}}, "development", "training and fine-tuning"),
        ({"operation": "fine_tuning"}, "development", "training and fine-tuning"),
        ({"attribution": {"workload_type": "evaluation"}}, "development", "experiments"),
        ({"attribution": {"environment": "Dev"}}, "development", "development environments"),
        ({"attribution": {"workload_type": "notebook"}}, "development", "development environments"),
    ],
)
def test_the_mapping_that_ships(fields: dict[str, Any], category: str, subcategory: str) -> None:
    """Each kind of cost stands where the cost stack has it."""
    found = rules().apply(event(**fields))
    assert (found.category, found.subcategory) == (category, subcategory)


def test_every_category_ends_with_a_rule_for_everything() -> None:
    """So second levels add up to the first."""
    last = {rule.category: rule for rule in built_in_stack()}
    assert {category: rule.when for category, rule in last.items()} == {
        "inference": {},
        "infrastructure": {},
        "development": {},
    }


def test_the_file_goes_first_and_has_its_times() -> None:
    """Own names, for a category and a period; what they do not match is mapped as it ships."""
    own = rules(
        cost_stack=[
            {"name": "old", "valid_to": "2026-01-01", "category": "inference", "subcategory": "everything"},
            {"name": "chat", "category": "inference", "subcategory": "chats", "when": {"kind": "tokens"}},
            {"name": "never", "category": "development", "subcategory": "frontier"},
        ]
    )
    assert own.apply(event(occurred_at="2025-12-31T00:00:00Z")).subcategory == "everything"
    assert own.apply(event()).subcategory == "chats"
    assert own.apply(event(usage=GPU)).subcategory == "GPU compute"
    assert own.explain(event(usage=GPU))[1][-1].rule == "GPU compute"
    assert own.version != rules().version, "another mapping is another version"


def test_a_recorded_version_keeps_its_mapping() -> None:
    """A block that is redone with rules of another time gets their second levels, also of another release."""
    content = json.loads(rules().content())
    content["built_in_cost_stack"] = [{"name": "one", "category": "inference", "subcategory": "one", "when": {}}]
    text = json.dumps(content)
    made = AttributionRules.from_document(AttributionDocument(), (), text)
    assert rules_of(made.version, text).apply(event()).subcategory == "one"
    del content["built_in_cost_stack"]
    before = json.dumps(content)
    version = AttributionRules.from_document(AttributionDocument(), content=before).version
    assert rules_of(version, before).apply(event()).subcategory == "tokens"
    with pytest.raises(ConfigError):
        rules_of(version, before.replace("experiment", "trial"))


def test_what_is_never_asked_is_said() -> None:
    """A rule behind one that takes all of its category; one of another category is."""
    document = AttributionDocument.model_validate(
        {
            "cost_stack": [
                {"name": "all", "category": "inference", "subcategory": "x"},
                {"name": "behind", "category": "inference", "subcategory": "y", "when": {"team": "a"}},
                {"name": "other", "category": "development", "subcategory": "y", "when": {"team": "a"}},
            ]
        }
    )
    assert warnings(document) == ["cost_stack[1] 'behind' is never asked: 'all' takes all of inference"]

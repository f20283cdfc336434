"""Cost categories."""

from typing import Any

import pytest

from tests.unit.attribution.build import event, rules

GPU = {"kind": "compute", "accelerator": "H100", "gpu_seconds": 60, "purchase_option": "on_demand"}
CPU = {"kind": "compute", "cpu_seconds": 60, "instance_type": "m7i.large", "purchase_option": "on_demand"}
STORAGE = {"kind": "metered", "sku": "s3", "quantity": 1, "unit": "GB-month"}
CALLS = {"kind": "metered", "sku": "gateway", "quantity": 1, "unit": "API calls"}


@pytest.mark.parametrize(
    ("fields", "category"),
    [
        ({}, "inference"),
        ({"usage": GPU}, "inference"),
        ({"usage": CALLS}, "inference"),
        ({"usage": CPU}, "infrastructure"),
        ({"usage": STORAGE}, "infrastructure"),
        ({"usage": GPU, "attribution": {"workload_type": "training"}}, "development"),
        ({"usage": GPU, "attribution": {"workload_type": "Fine-Tuning"}}, "development"),
        ({"attribution": {"workload_type": "experiment"}}, "development"),
        ({"operation": "fine_tuning"}, "development"),
        ({"attribution": {"environment": "dev"}}, "development"),
        ({"usage": STORAGE, "attribution": {"environment": "Development"}}, "development"),
        ({"attribution": {"environment": "staging", "workload_type": "inference"}}, "inference"),
    ],
)
def test_the_built_in_rule(fields: dict[str, Any], category: str) -> None:
    """Development work first, then what models cost, then everything else."""
    assert rules().apply(event(**fields)).category == category


def test_the_category_is_decided_after_the_rules() -> None:
    """A workload type that a rule fills in counts."""
    assert rules({"fill": {"workload_type": "training"}}).apply(event()).category == "development"


def test_the_file_goes_before_the_built_in_rule_and_its_first_match_decides() -> None:
    """`categories` overrides, in order, within its period."""
    book = rules(
        categories=[
            {"name": "past", "valid_to": "2026-01-01", "category": "infrastructure"},
            {"name": "lab", "when": {"source": {"glob": "check*"}}, "category": "development"},
            {"name": "rest", "when": {"source": "checkout-api"}, "category": "infrastructure"},
        ]
    )
    assert book.apply(event()).category == "development"
    assert book.apply(event(occurred_at="2025-12-31T00:00:00Z")).category == "infrastructure"
    assert book.apply(event(source="other")).category == "inference"

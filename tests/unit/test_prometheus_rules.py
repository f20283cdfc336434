"""The alerting rules that are recommended for Prometheus."""

import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY

import stream_jobs.runtime.metrics

RULES = Path(__file__).resolve().parents[2] / "infra" / "prometheus" / "spendstream.rules.yml"
SEVERITIES = ("info", "warning", "error", "critical")


def test_every_rule_watches_metrics_that_exist() -> None:
    """A metric that was renamed would never ring again."""
    assert stream_jobs.runtime.metrics.RECORDS is not None  # registered by the import
    known = {name for family in REGISTRY.collect() for name in _names(family.name, family.type)}
    for rule in _rules():
        for name in re.findall(r"\bspendstream_\w+", rule["expr"]):
            assert name in known, rule["alert"]


def _names(name: str, kind: str) -> set[str]:
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {name + ending for ending in endings.get(kind, ("",))}


def test_every_rule_says_how_grave_it_is_and_what_to_do() -> None:
    """Somebody reads it at three in the morning."""
    for rule in _rules():
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        assert {"summary", "what_to_do"} == rule["annotations"].keys(), rule["alert"]


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]

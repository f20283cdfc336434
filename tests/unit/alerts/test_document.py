"""What alerts.yaml may say, and what looks odd in it."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream_jobs.alerts.check import check_file
from stream_jobs.alerts.document import NOBODY, SCHEMA_FILE_NAME, load_document, parse_duration, read_document
from stream_jobs.alerts.jsonschema import schema_text
from stream_jobs.alerts.lint import warnings
from stream_jobs.alerts.routing import Routing
from stream_jobs.base.errors import ConfigError
from tests.unit.alerts.build import document, signal

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "stream_jobs" / "alerts" / "example_alerts.yaml"
HOOK = "receivers: [{name: hook, type: webhook, url: 'http://127.0.0.1/'}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("routes: [{to: [nobody]}]", "routes[0]: there is no receiver 'nobody'; there are hook"),
        ("default: [nobody]", "default: there is no receiver 'nobody'"),
        ("escalation: {unacknowledged: [{after: 5m, to: [x]}]}", "escalation.unacknowledged[0]: there is no receiver"),
        ("escalation: {unacknowledged: [{after: 5, to: [hook]}]}", "5 is not a duration such as 90s"),
        ("repeat_every: soon", "'soon' is not a duration"),
        ("repeat_every: 0s", "must be longer than nothing"),
        ("routes: [{to: [hook], at_least: fatal}]", "routes[0].at_least: Input should be"),
        ("routes: [{to: [hook], scope: {squad: x}}]", "routes[0].scope.squad"),
        ("routes: [{to: []}]", "at least 1 item"),
        ("grouping: {group_wait: 1}", "Extra inputs are not permitted"),
        ("amend_percent: -1", "greater than or equal to 0"),
        ("escalation: {money: [{at_least_usd: 0, severity: error}]}", "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """One sentence with the file and the path to the mistake."""
    path = tmp_path / "alerts.yaml"
    path.write_text(HOOK + text)
    with pytest.raises(ConfigError) as caught:
        load_document(tmp_path)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems
    assert all(re.match(rf"{path}:\d+: ", problem) for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["[]", "7", "receivers: 7", "routes: [[]]", "other: 1", "receivers: [{name: x}]"])
def test_a_document_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever YAML it holds, the answer is a ConfigError and never a traceback."""
    (tmp_path / "alerts.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"alerts\.yaml"):
        load_document(tmp_path)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Else nobody knows which of the two is told."""
    with pytest.raises(ValueError, match="'a' is there twice"):
        document("a", "a")


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    """And the check says so, without calling it wrong."""
    assert load_document(None) is load_document(tmp_path) is NOBODY
    for config_dir in (None, tmp_path):
        report = check_file(config_dir)
        assert report.problems == []
        assert "nobody is told" in report.warnings[0]


@pytest.mark.parametrize(
    ("text", "duration"),
    [("90s", timedelta(seconds=90)), ("1h30m", timedelta(hours=1.5)), ("7d", timedelta(days=7))],
)
def test_durations(text: str, duration: timedelta) -> None:
    """As people write them."""
    assert parse_duration(text) == duration


def test_the_example_is_valid_and_has_no_warnings() -> None:
    """By the models, by the schema, and in the eyes of the lint."""
    example = read_document(EXAMPLE)
    assert warnings(example) == []
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert list(validator.iter_errors(yaml.safe_load(EXAMPLE.read_text()))) == []
    assert validator.is_valid({"routes": [{"to": ["x"], "scope": {"team": ["a", "b"]}}]}) is True
    assert validator.is_valid({"repeat_every": "soon"}) is False


def test_the_schema_file_is_what_the_model_says() -> None:
    """Regenerate with: make schemas."""
    assert (ROOT / "schemas" / "json" / SCHEMA_FILE_NAME).read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"default": ["a"]}, "no route leads to 'b'"),
        ({"routes": [{"to": ["a"]}, {"to": ["b"]}]}, "routes[0] fits every alert"),
        ({"default": [], "routes": [{"to": ["a", "b"], "kinds": ["budget"]}]}, "default: is empty"),
        (
            {"escalation": {"money": [{"at_least_usd": 9, "severity": s} for s in ("error", "info")]}},
            "escalation.money[1]: changes nothing",
        ),
        ({"receivers": [], "default": []}, "there are none"),
    ],
)
def test_what_is_probably_not_meant_is_said(changes: dict[str, Any], message: str) -> None:
    """Allowed, but odd."""
    assert any(message in text for text in warnings(document("a", "b", **changes)))


def test_a_missing_secret_is_a_warning_of_the_check(tmp_path: Path) -> None:
    """The worker may have it; the file itself is right."""
    (tmp_path / "alerts.yaml").write_text(
        "receivers: [{name: p, type: pagerduty, routing_key_env: NOT_SET}]\ndefault: [p]\n"
    )
    report = check_file(tmp_path, {})
    assert report.problems == []
    assert any("NOT_SET is not set" in text for text in report.warnings)


ROUTES: list[dict[str, Any]] = [
    {"at_least": "critical", "to": ["pager"], "continue": True},
    {"owners": ["ann"], "to": ["ann"]},
    {"scope": {"team": "search"}, "kinds": ["budget"], "to": ["search"]},
]


@pytest.mark.parametrize(
    ("changes", "severity", "receivers"),
    [
        ({}, "warning", ("finops",)),
        ({"owner": "ann"}, "warning", ("ann",)),
        ({"owner": "ann"}, "critical", ("pager", "ann")),
        ({"labels": {"team": "search"}}, "error", ("search",)),
        ({"labels": {"team": "search"}, "kind": "anomaly"}, "error", ("finops",)),
        ({"channels": ("search", "unknown")}, "critical", ("pager", "search")),
        ({"channels": ("search",)}, "info", ("finops", "search")),
    ],
)
def test_the_first_route_that_fits_decides(changes: dict[str, Any], severity: Any, receivers: tuple[str, ...]) -> None:
    """`continue` asks the next ones too; channels add to what routes say; the default is for what none fits."""
    rules = document("pager", "ann", "search", "finops", routes=ROUTES, default=["finops"])
    assert Routing(rules).receivers(signal(**changes), severity) == receivers


@pytest.mark.parametrize(
    ("noted", "value", "moved"),
    [("100", "119.99", False), ("100", "120", True), ("100", "80", True), ("0", "0.01", True), ("0", "0", False)],
)
def test_how_far_a_figure_must_move(noted: str, value: str, moved: bool) -> None:
    """Up or down by the percentage, exactly; anything is far from nothing."""
    assert Routing(document("a")).moved(Decimal(noted), Decimal(value)) is moved
    assert Routing(document("a")).moved(None, Decimal(value)) is True

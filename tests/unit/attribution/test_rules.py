"""Attribution rules applied to events."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import ATTRIBUTION_FIELDS, MANDATORY_TAGS
from stream_jobs.attribution import AttributionRules
from stream_jobs.attribution import rules as rules_module
from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.base.errors import ConfigError
from tests.unit.attribution.build import event, rules

ALL_TAGS = {tag: f"my-{tag}" for tag in ATTRIBUTION_FIELDS}


def test_without_rules_the_tags_of_the_event_are_booked_as_they_are() -> None:
    """No config folder means no rules: every tag and label passes through unchanged."""
    attributed = AttributionRules.load(None).apply(event(attribution={**ALL_TAGS, "labels": {"app": "shop"}}))
    assert {tag: getattr(attributed, tag) for tag in ATTRIBUTION_FIELDS} == ALL_TAGS
    assert attributed.labels == {"app": "shop"}
    assert attributed.unallocated == ()


def test_missing_mandatory_tags_are_listed() -> None:
    """An event without mandatory tags is not refused: `unallocated` names the missing ones."""
    attributed = AttributionRules.load(None).apply(event(attribution={"project": "p", "team": "t"}))
    assert attributed.unallocated == ("environment", "cost_center", "workload_type")


def test_fill_leaves_a_given_value_alone() -> None:
    """`fill` is a default: what the service says wins."""
    book = rules({"fill": {"team": "search"}})
    assert book.apply(event()).team == "search"
    assert book.apply(event(attribution={"team": "checkout"})).team == "checkout"


def test_set_overwrites() -> None:
    """`set` wins over what the service says."""
    assert rules({"set": {"team": "search"}}).apply(event(attribution={"team": "x"})).team == "search"


def test_set_overwrites_whatever_was_there_before() -> None:
    """Also after an event that needed no change, because it named the value already."""
    book = rules({"set": {"team": "search"}})
    assert [book.apply(event(attribution={"team": team})).team for team in ("search", "x")] == ["search", "search"]


def test_rename_replaces_the_values_in_the_map_and_no_others() -> None:
    """A value outside the map stays, and case counts unless the rule says otherwise."""
    names = {"environment": {"prod": "production"}}
    assert rules({"rename": names}).apply(event(attribution={"environment": "prod"})).environment == "production"
    assert rules({"rename": names}).apply(event(attribution={"environment": "Prod"})).environment == "Prod"
    folded = rules({"rename": names, "ignore_case": True})
    assert folded.apply(event(attribution={"environment": "PROD"})).environment == "production"
    assert folded.apply(event(attribution={"environment": "qa"})).environment == "qa"


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("checkout-api", True),
        ("checkout", False),
        (["x", "checkout-api"], True),
        ({"glob": "checkout-*"}, True),
        ({"glob": "checkout"}, False),
        ({"glob": "check?ut-[ab]pi"}, True),
        ({"glob": "check?ut-[!ab]pi"}, False),
        ({"glob": "CHECKOUT-*"}, False),
        ({"regex": "[a-z]+-api"}, True),
        ({"regex": "checkout"}, False),
        ({"missing": False}, True),
        ({"missing": True}, False),
    ],
)
def test_conditions_compare_the_whole_value(condition: Any, matches: bool) -> None:
    """Exact values, lists, globs and expressions all have to cover the value from its first to its last character."""
    attributed = rules({"when": {"source": condition}, "fill": {"team": "t"}}).apply(event())
    assert (attributed.team == "t") is matches


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("provider", "openai"),
        ("operation", "chat"),
        ("service_tier", "batch"),
        ("region", "eu-west-1"),
        ("kind", "tokens"),
        ("model", "gpt-4o-2024-08-06"),
        ("label.app", "shop"),
        ("feature", "search box"),
    ],
)
def test_a_condition_can_look_at(selector: str, value: str) -> None:
    """Facts of the event, labels and attribution fields are all selectable; the served model wins."""
    book = rules({"when": {selector: value}, "fill": {"team": "t"}})
    full = event(
        operation="chat",
        service_tier="batch",
        region="eu-west-1",
        response_model="gpt-4o-2024-08-06",
        attribution={"feature": "search box", "labels": {"app": "shop"}},
    )
    assert book.apply(full).team == "t"
    assert book.apply(event(provider="other", usage=_METERED, model=None)).team == ""


_METERED = {"kind": "metered", "sku": "s3-standard", "quantity": "1.5", "unit": "gb_month"}
_COMPUTE = {
    "kind": "compute",
    "accelerator": "H100",
    "gpu_seconds": 60,
    "instance_type": "p5",
    "purchase_option": "spot",
}


@pytest.mark.parametrize(
    ("usage", "selector", "value"),
    [
        (_METERED, "sku", "s3-standard"),
        (_METERED, "unit", "gb_month"),
        (_COMPUTE, "accelerator", "H100"),
        (_COMPUTE, "instance_type", "p5"),
        (_COMPUTE, "purchase_option", "spot"),
    ],
)
def test_a_condition_can_look_at_the_usage(usage: dict[str, Any], selector: str, value: str) -> None:
    """What was used is selectable too, and asking a token event for it is no error."""
    book = rules({"when": {selector: value}, "fill": {"team": "t"}})
    assert book.apply(event(usage=usage, model=None)).team == "t"
    assert book.apply(event(usage={**usage, selector: "spot" if value != "spot" else "reserved"})).team == ""
    assert book.apply(event()).team == ""


def test_all_conditions_must_hold() -> None:
    """Two conditions are an and."""
    book = rules({"when": {"provider": "openai", "source": "other"}, "fill": {"team": "t"}})
    assert book.apply(event()).team == ""


def test_named_groups_labels_and_facts_can_be_derived_from() -> None:
    """`${...}` takes a captured group, a label, a fact or another tag."""
    book = rules(
        {
            "when": {"source": {"regex": "(?P<who>[a-z]+)-(?P<what>.*)"}},
            "fill": {"team": "${who}", "feature": "${what}"},
        },
        {"fill": {"project": "${label.app}/${team}", "owner": "${provider}@${model}"}},
    )
    attributed = book.apply(event(attribution={"labels": {"app": "shop"}}))
    assert (attributed.team, attributed.feature) == ("checkout", "api")
    assert (attributed.project, attributed.owner) == ("shop/checkout", "openai@gpt-4o")


def test_a_template_with_a_missing_part_or_a_too_long_result_sets_nothing() -> None:
    """Half a name would be a wrong name: the field stays as it was."""
    book = rules({"set": {"project": "${label.app}-x"}}, {"set": {"owner": "${source}${label.long}"}})
    given = event(attribution={"project": "old", "labels": {"long": "x" * 256}})
    assert (book.apply(given).project, book.apply(given).owner) == ("old", "")


def test_a_value_with_template_characters_is_not_expanded_again() -> None:
    """Texts from events are data: `${...}` inside of them stays as it is."""
    book = rules({"fill": {"project": "${label.app}"}})
    assert book.apply(event(attribution={"labels": {"app": "${source}"}})).project == "${source}"


def test_lookup_fills_from_a_table() -> None:
    """The table is asked with another value; what it does not hold stays missing."""
    book = rules(
        {"lookup": {"cost_center": {"table": "centers", "by": "team"}}}, tables={"centers": {"search": "CC-1"}}
    )
    assert book.apply(event(attribution={"team": "search"})).cost_center == "CC-1"
    assert book.apply(event(attribution={"team": "search", "cost_center": "X"})).cost_center == "X"
    assert "cost_center" in book.apply(event(attribution={"team": "other"})).unallocated
    assert "cost_center" in book.apply(event()).unallocated


def test_rules_run_in_order_and_see_what_was_set_before() -> None:
    """The first fill wins, and a lookup sees the team a rule before it derived."""
    book = rules(
        {"fill": {"team": "a"}},
        {"fill": {"team": "b"}},
        {"lookup": {"cost_center": {"table": "t", "by": "team"}}},
        tables={"t": {"a": "1", "b": "2"}},
    )
    assert book.apply(event()).cost_center == "1"


def test_the_period_is_compared_with_the_time_the_usage_happened() -> None:
    """valid_from is the first instant of a rule, valid_to the first one after it."""
    change = datetime(2026, 4, 1, tzinfo=UTC)
    book = rules(
        {"valid_to": "2026-04-01", "fill": {"team": "old"}},
        {"valid_from": "2026-04-01", "valid_to": "2026-05-01T02:00:00+02:00", "fill": {"team": "new"}},
    )
    for moment, team in (
        (change - timedelta(microseconds=1), "old"),
        (change, "new"),
        (datetime(2026, 5, 1, tzinfo=UTC) - timedelta(microseconds=1), "new"),
        (datetime(2026, 5, 1, tzinfo=UTC), ""),
        (datetime(2021, 1, 1, tzinfo=UTC), "old"),
    ):
        assert book.apply(event(occurred_at=moment.isoformat())).team == team, moment


_WORDS = st.sampled_from(["a", "b", "prod", "production", "search", "checkout-api", "gw-x-1"])


@st.composite
def _events(draw: st.DrawFn) -> dict[str, Any]:
    tags = draw(st.dictionaries(st.sampled_from(ATTRIBUTION_FIELDS), _WORDS))
    labels = draw(st.dictionaries(st.sampled_from(["app", "x"]), _WORDS))
    return {
        "source": draw(_WORDS),
        "occurred_at": draw(st.sampled_from(["2026-03-31T23:59:59Z", "2026-04-01T00:00:00Z", "2026-06-01T00:00:00Z"])),
        "attribution": {**tags, "labels": labels},
        "usage": draw(st.sampled_from([_METERED, _COMPUTE, {"kind": "tokens", "input_tokens": 1}])),
        "operation": draw(st.sampled_from([None, "chat", "training"])),
    }


def _many_rules() -> AttributionRules:
    return rules(
        {"rename": {"environment": {"prod": "production"}}},
        {"valid_to": "2026-04-01", "when": {"source": {"glob": "gw-*"}}, "fill": {"team": "search"}},
        {"when": {"source": {"regex": "(?P<who>[a-z]+)-.*"}}, "fill": {"team": "${who}"}},
        {"when": {"label.app": {"missing": False}}, "set": {"project": "${label.app}"}},
        {"when": {"accelerator": "H100"}, "fill": {"workload_type": "training"}},
        {"lookup": {"cost_center": {"table": "t", "by": "team"}}},
        tables={"t": {"search": "1", "gw": "2"}},
        categories=[{"name": "x", "when": {"label.x": "a"}, "category": "development"}],
    )


_SHARED = _many_rules()


@given(st.lists(_events(), min_size=1, max_size=5))
def test_what_was_remembered_never_changes_an_outcome(fields: list[dict[str, Any]]) -> None:
    """Rules that have seen thousands of events and fresh ones agree on every event."""
    for item in fields:
        given_event = event(**item)
        shared = _SHARED.apply(given_event)
        assert shared == _many_rules().apply(given_event)
        assert shared.unallocated == tuple(tag for tag in MANDATORY_TAGS if not getattr(shared, tag))
        changes = _SHARED.explain(given_event)[1]
        for tag in ATTRIBUTION_FIELDS:
            last = [change.new for change in changes if change.field == tag][-1:]
            assert [getattr(shared, tag)] == (last or [item["attribution"].get(tag, "")])


def test_the_memory_of_outcomes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile cardinality (a new tag on every event) can't make a worker grow, and outcomes stay right."""
    monkeypatch.setattr(rules_module, "MEMO_ENTRIES", 8)
    book = rules({"fill": {"team": "${source}"}})
    for number in range(100):
        assert book.apply(event(source=f"s{number}")).team == f"s{number}"
    assert sum(len(period.memo) for period in book._periods) <= 8


def test_the_version_is_the_content_not_the_layout(tmp_path: Path) -> None:
    """Comments and spacing don't change the version; any change of a rule does."""
    versions = []
    for text in (
        'rules: [{name: a, fill: {team: "x"}}]',
        "# a comment\nrules:\n  - name: a\n    fill: {team: x}\n",
        "rules:\n  - name: a\n    fill: {team: y}\n",
        "rules:\n  - name: a\n    valid_to: 2026-01-01\n    fill: {team: x}\n",
        "",
    ):
        (tmp_path / "attribution.yaml").write_text(text)
        versions.append(AttributionRules.load(tmp_path).version)
    assert versions[0] == versions[1]
    assert len(set(versions)) == 4
    assert versions[4] == AttributionRules.load(None).version


def test_every_problem_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    """One run names all of them, each with the rule it is in."""
    (tmp_path / "attribution.yaml").write_text(
        """
rules:
  - name: broken pattern
    when: {source: {regex: "(a"}}
    fill: {team: x}
  - name: look-around is not linear
    when: {source: {regex: "(?=a)a"}}
    fill: {team: x}
  - name: no such table
    lookup: {cost_center: {table: nowhere, by: team}}
  - name: no such group
    fill: {team: "${who}"}
  - name: no such group
    fill: {team: "x"}
"""
    )
    with pytest.raises(ConfigError) as caught:
        AttributionRules.load(tmp_path)
    assert len(caught.value.problems) == 5
    for part in ("rules[0]", "rules[1]", "'nowhere'", "${who}", "used 2 times"):
        assert any(part in problem for problem in caught.value.problems), part
    assert all(str(tmp_path / "attribution.yaml") in problem for problem in caught.value.problems)


@pytest.mark.timeout(20)
def test_patterns_that_stall_other_engines_stay_linear() -> None:
    """A classic catastrophic pattern on its worst value is decided at once."""
    book = rules({"when": {"label.x": {"regex": "(a+)+b|(a|aa)+c|(.*a){12}d"}}, "fill": {"team": "t"}})
    for number in range(200):
        hostile = "a" * (250 - number % 5) + str(number)
        assert book.apply(event(attribution={"labels": {"x": hostile}})).team == ""


def test_the_recorded_content_gives_the_same_rules_again() -> None:
    """What is kept with a version is enough to explain a booking years later."""
    book = _many_rules()
    document = json.loads(book.content())["document"]
    again = AttributionRules.from_document(AttributionDocument.model_validate(document))
    assert again.version == book.version
    assert again.describe() == {"version": book.version, "rules": 6, "tables": 1, "categories": 1, "cost_stack": 0}

"""`spendstream event show`: what is known of one event, on a running pipeline."""

import json
from typing import Any

from tests import commands
from tests.integration.pipeline import Pipeline, until, usage_event
from tests.integration.shared_pipeline import RULES, SHARED

pytestmark = SHARED


def show(pipeline: Pipeline, event_id: str, *flags: str) -> tuple[int, str]:
    done = commands.run("event", "show", event_id, "--data-dir", str(pipeline.data_dir), *flags)
    assert done.stderr == ""
    return done.returncode, done.stdout


def story(pipeline: Pipeline, event_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(show(pipeline, event_id, "--json")[1])
    return found


def test_an_event_is_told_whole(pipeline: Pipeline) -> None:
    """Costs to the digit, receipt, rules, place in Kafka, and the service that sent its id too."""
    tags = usage_event(None)["attribution"] | {"feature": "search"}
    pipeline.send_events(usage_event("told", attribution=tags))
    until(lambda: story(pipeline, "told")["state"] == "booked", 60, "booked")
    pipeline.send_events(usage_event("told", source="another"))
    until(lambda: story(pipeline, "told")["copies"], 60, "the copy")
    found = story(pipeline, "told")
    assert found["costs"] | {"avoided_cost": None} == {
        "list_cost": "2.5",
        "contracted_cost": "2.5",
        "effective_cost": "2.5",
        "avoided_cost": None,
    }
    (entry,) = found["entries"]
    assert (entry["team"], entry["entry_kind"], entry["topic_id"] != "") == ("search", "charge", True)
    assert entry["line_meter"] == ["input_tokens", "output_tokens"][: len(entry["line_meter"])]
    step = {"rule": "search is the search team's", "field": "team", "old": "t", "new": "search"}
    assert step in found["attributed_by"]
    assert [copy["source"] for copy in found["copies"]] == ["another"]
    code, text = show(pipeline, "told")
    assert code == 0
    for part in ("told: booked, USD list 2.5", "Receipt of entry 1", "search is the search team's", "another"):
        assert part in text


def test_an_event_that_lost_its_price_by_a_revision_costs_nobody_knows_what(pipeline: Pipeline) -> None:
    """Not 0: what was booked before is taken back, and what counts now has no price. Labels are by name."""
    tags = usage_event(None)["attribution"] | {"labels": {"prompt": "a"}}
    pipeline.send_events(usage_event("revised", attribution=tags))
    until(lambda: story(pipeline, "revised")["state"] == "booked", 60, "booked")
    pipeline.send_events(usage_event("revised", revision=1, model="unheard-of"))
    until(lambda: len(story(pipeline, "revised")["entries"]) == 3, 60, "corrected")
    found = story(pipeline, "revised")
    kinds = [(entry["entry_kind"], entry["revision"]) for entry in found["entries"]]
    assert kinds == [("charge", 0), ("retraction", 0), ("charge", 1)], "what was booked is taken back first"
    assert [found["costs"][name] for name in ("list_cost", "contracted_cost", "effective_cost")] == [None] * 3
    assert {"prompt": "a"} in [entry["labels"] for entry in found["entries"]]
    assert "revised: booked, without a price" in show(pipeline, "revised")[1]


def test_what_was_moved_is_told_with_the_rules_that_moved_it(pipeline: Pipeline) -> None:
    """Whose it is now, by the rules of now; a revision stands behind what it takes back."""
    tags = usage_event(None)["attribution"] | {"feature": "find"}
    pipeline.send_events(usage_event("moved", attribution=tags))
    until(lambda: story(pipeline, "moved")["state"] == "booked", 60, "booked")
    pipeline.send_events(usage_event("moved", attribution=tags, revision=1))
    until(lambda: len(story(pipeline, "moved")["entries"]) == 3, 60, "corrected")
    assert "team" not in [step["field"] for step in story(pipeline, "moved")["attributed_by"]]
    file = pipeline.data_dir / "config" / "attribution.yaml"
    file.write_text(RULES + "  - {name: so is finding, when: {feature: find}, set: {team: search}}\n")
    version = pipeline.value("SELECT max(loaded_at) FROM attribution_versions")
    until(lambda: pipeline.value("SELECT max(loaded_at) FROM attribution_versions") != version, 60, "taken up")
    pipeline.run("reattribute", "--apply", "--since", "2026-01-01", "--data-dir", str(pipeline.data_dir), check=True)
    found = story(pipeline, "moved")
    assert {"rule": "so is finding", "field": "team", "old": "t", "new": "search"} in found["attributed_by"]
    assert [(run["kind"], run["state"]) for run in found["runs"]] == [("reattribute", "done")]
    assert [(entry["entry_kind"], entry["events"]) for entry in found["entries"]] == [
        ("charge", 1), ("retraction", -1), ("charge", 1), ("adjustment", -1), ("adjustment", 1),
    ]  # fmt: skip


def test_what_was_refused_or_never_came_says_so(pipeline: Pipeline) -> None:
    """The record is in the quarantine with its reason; an id that nobody sent is exit code 1."""
    pipeline.send_events(usage_event("refused", occurred_at="yesterday"))
    until(lambda: story(pipeline, "refused")["state"] == "refused", 60, "refused")
    code, text = show(pipeline, "refused")
    assert code == 0
    assert "bad_timestamp" in text
    done = pipeline.run("event", "show", "nobody's", "--data-dir", str(pipeline.data_dir))
    assert (done.returncode, done.stderr, "nobody's: unknown" in done.stdout) == (1, "", True)

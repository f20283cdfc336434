"""Planned events as people write them: everything that is no event is refused with its line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml

from stream_jobs.base.errors import ConfigError
from stream_jobs.planned.document import FILE_NAME
from stream_jobs.planned.events import load_events
from stream_jobs.planned.jsonschema import schema_text

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "stream_jobs/planned/example_events.yaml"


def test_the_example_and_the_schema_are_the_forms_own(tmp_path: Path) -> None:
    """The example is valid, for the editor's schema too; `make schemas` writes the schema."""
    (tmp_path / FILE_NAME).write_bytes(EXAMPLE.read_bytes())
    found = load_events(tmp_path)
    ids = ["search-v2", "agent-launch", "re-embedding", "cluster-maintenance", "month-end"]
    ids += ["small-models", "annual-support", "seats"]
    assert [event.id for event in found] == ids
    assert (ROOT / "schemas/json/events.schema.json").read_text(encoding="utf-8") == schema_text()
    as_json = json.loads(json.dumps(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")), default=str))
    jsonschema.validate(as_json, json.loads(schema_text()), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("{}", "Field required"),
        ("{id: a, name: A, factor: 2}", "needs from, or every"),
        ("{id: a, name: A, factor: 2, to: 2026-01-02}", "needs from, or every"),
        ("{id: a, name: A, up_to_usd: 2, from: 2026-01-02}", "up_to_usd needs to: what is new has a usual"),
        ("{id: a, name: A, up_to_usd: 2, every: {days: [1], lasts: 1d}}", "every: needs at: only adds_usd can come"),
        ("{id: a, name: A, adds_usd: 2, factor: 2, every: {days: [1]}}", "every: needs at and lasts"),
        ("{id: a, name: A, adds_usd: -2, from: 2026-01-02}", "greater than 0"),
        ("{id: a, name: A, adds_usd: , from: 2026-01-02}", "adds_usd: is empty"),
        ("{id: a, name: A, adds_usd: 2, every: {days: [1], lasts: }}", "lasts: is empty"),
        ("{id: a, name: A, factor: 2, from: 2026-01-02, to: 2026-01-02}", "is not before to"),
        ("{id: a, name: A, factor: 2, from: 2026-01-02T00:30:00Z, to: 2026-01-02}", "is not before to"),
        ("{id: a, name: A, factor: 2, from: 46000, to: 46001}", "is not a date"),
        ("{id: a, name: A, factor: 2, from: soon, to: 2026-01-01}", "'soon' is not a date"),
        (
            "{id: a, name: A, factor: -1, from: 2026-01-01, to: 2026-01-02}",
            "-1 must be between 0 and 1,000: 3 is three",
        ),
        ("{id: a, name: A, factor: , from: 2026-01-01, to: 2026-01-02}", "factor: is empty: write a number"),
        ("{id: a, name: A, factor: 2, up_to_usd: , from: 2026-01-01, to: 2026-01-02}", "up_to_usd: is empty"),
        ("{id: a, name: A, factor: 2, from: , every: {at: '02:00', lasts: 1h}}", "from: is empty"),
        ("{id: a, name: A, up_to_usd: 0, from: 2026-01-01, to: 2026-01-02}", "greater than 0"),
        ("{id: a, name: A, from: 2026-01-01, to: 2026-01-02}", "needs a factor"),
        ("{id: a, name: A, factor: true, from: 2026-01-01, to: 2026-01-02}", "must be a number"),
        ("{id: a, name: A, factor: 2, every: {at: '25:00', lasts: 1h}}", "must be a time of day"),
        ("{id: a, name: A, factor: 2, every: {at: '02:00', lasts: 9999d}}", "must be at most 366d"),
        ("{id: a, name: A, factor: 2, every: {at: '02:00', lasts: 1h, days: [32]}}", "less than or equal to 31"),
        ("{id: a, name: A, factor: 2, scope: {teem: x}, from: 2026-01-01, to: 2026-01-02}", "there is no 'teem'"),
        ("{id: a, name: A, factor: 2, timezone: Mars, from: 2026-01-01, to: 2026-01-02}", "there is no time zone"),
        ("{id: a, name: A, factor: 1e9, from: 2026-01-01, to: 2026-01-02}", "must be between 0 and 1,000"),
        ("{id: a, name: A, factor: 3x, from: 2026-01-01, to: 2026-01-02}", "must be a number: 3 for three times"),
        ("{id: a, name: A, factor: 2, every: {at: '02:00', lasts: 90min}}", "such as 90m, 4h or 2d"),
        ("{id: a, name: A, factor: 2, every: {at: '02:00', lasts: 1h, weekdays: mon}}", "'mon' is no day of the week"),
        ("{id: a, name: A, factor: 2, scope: {team: no}, from: 2026-01-01, to: 2026-01-02}", "put quotes around"),
        ("{id: a b, name: A, factor: 2, from: 2026-01-01, to: 2026-01-02}", "should match pattern"),
    ],
)
def test_what_is_no_event_is_refused_with_its_line(tmp_path: Path, event: str, said: str) -> None:
    """In one sentence."""
    (tmp_path / FILE_NAME).write_text(f"timezone: Europe/Berlin\nevents:\n  - {event}\n")
    with pytest.raises(ConfigError, match=rf"{FILE_NAME}:3: ") as refused:
        load_events(tmp_path)
    assert said in str(refused.value)


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    """Two events of one id, and one that ends before it begins in its zone."""
    (tmp_path / FILE_NAME).write_text(
        "events:\n"
        "  - {id: a, name: A, factor: 2, from: 2026-01-01, to: 2026-01-02}\n"
        "  - {id: a, name: A, factor: 2, from: 2026-01-01, to: 2026-01-02}\n"
        "  - {id: b, name: B, factor: 2, timezone: Asia/Tokyo, from: 2026-01-01T12:00:00Z, to: 2026-01-01T20:00}\n"
    )
    with pytest.raises(ConfigError) as refused:
        load_events(tmp_path)
    assert len(refused.value.problems) == 1  # b's is a problem of its own, which the form itself finds


def test_a_value_that_is_none_hides_no_other_problem(tmp_path: Path) -> None:
    """A date that no calendar has, and what is no number: each a problem beside those of other events."""
    when = "from: 2026-01-01, to: 2026-01-02"
    (tmp_path / FILE_NAME).write_text(
        "events:\n"
        "  - {id: a, name: A, factor: 2, from: 2026-13-01, to: 2026-01-02}\n"
        f"  - {{id: b, name: B, factor: .inf, {when}}}\n"
        f"  - {{id: c, name: C, factor: 1e400, {when}}}\n"
        f"  - {{id: d, name: D, factor: -1, {when}}}\n"
    )
    with pytest.raises(ConfigError) as refused:
        load_events(tmp_path)
    assert [f"events.yaml:{line}: " in problem for line, problem in enumerate(refused.value.problems, 2)] == [True] * 4


def test_no_file_is_no_event_and_local_times_are_of_the_zone(tmp_path: Path) -> None:
    """A date begins with its first instant where the event is."""
    assert len(load_events(None)) == len(load_events(tmp_path)) == 0
    (tmp_path / FILE_NAME).write_text(
        "timezone: Europe/Berlin\nevents: [{id: a, name: A, factor: 2, from: 2026-07-01, to: 2026-07-02T10:00}]"
    )
    events = load_events(tmp_path)
    (event,) = events
    start, end = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
    assert events.stretches(event, start, end) == [
        (datetime(2026, 6, 30, 22, tzinfo=UTC), datetime(2026, 7, 2, 8, tzinfo=UTC))
    ]


def test_what_people_write_for_a_list_is_one(tmp_path: Path) -> None:
    """One day without brackets, in any case; no event where all are commented out. A list without its name is told."""
    every = "{at: '02:00', lasts: 1h, weekdays: Monday}"
    (tmp_path / FILE_NAME).write_text(f"events:\n  - {{id: a, name: A, factor: 2, every: {every}}}\n")
    (event,) = load_events(tmp_path)
    assert event.every is not None
    assert event.every.weekdays == ("monday",)
    (tmp_path / FILE_NAME).write_text("events:\n  # - {id: a}\n")
    assert len(load_events(tmp_path)) == 0
    (tmp_path / FILE_NAME).write_text("- id: a\n")
    with pytest.raises(ConfigError, match="needs a line 'events:' first"):
        load_events(tmp_path)


def test_a_key_of_the_file_that_is_nearly_one_is_told(tmp_path: Path) -> None:
    """Not only that it is none."""
    (tmp_path / FILE_NAME).write_text("event:\n  - {id: a}\n")
    with pytest.raises(ConfigError, match="there is no 'event': did you mean 'events'"):
        load_events(tmp_path)


def test_a_local_time_that_clocks_skip_is_told(tmp_path: Path) -> None:
    """It is no matter of which comes first."""
    text = "{id: a, name: A, factor: 2, from: 2027-03-28T02:30, to: 2027-03-28T03:30}"
    (tmp_path / FILE_NAME).write_text(f"timezone: Europe/Berlin\nevents:\n  - {text}\n")
    with pytest.raises(ConfigError, match="from 2027-03-28 02:30:00 does not exist in Europe/Berlin") as refused:
        load_events(tmp_path)
    assert "is not before" not in str(refused.value)

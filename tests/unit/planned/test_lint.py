"""What is allowed in events.yaml and probably not meant is said."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stream_jobs.planned.document import EventsDocument
from stream_jobs.planned.events import PlannedEvents
from stream_jobs.planned.lint import warnings

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
GOOD = {"id": "a", "name": "A", "scope": {"team": "search"}, "from": "2026-12-02", "to": "2026-12-03", "factor": "2"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"factor": "1"}, "factor: 1 is the usual"),
        ({"from": "2026-11-01", "to": "2026-11-02"}, None),  # forecasts must know what was planned, too
        ({"from": "2025-10-01", "to": "2025-10-02"}, "is over since 2025-10-02"),
        ({"from": "2025-10-01", "to": None}, "began on 2025-10-01"),
        ({"to": None}, None),
        ({"to": None, "factor": None, "adds_usd": "12000"}, None),
        ({"to": "2027-12-01", "factor": None, "adds_usd": "12000"}, None),
        ({"from": None, "to": None, "factor": None, "adds_usd": "9", "every": {"days": [1]}}, None),
        ({"from": None, "to": None, "factor": None, "adds_usd": "9", "every": {"days": [1]}, "scope": {}}, "silences"),
        ({"to": "2027-12-01"}, "lasts 364 days"),
        ({"scope": {}}, "it silences rises of everything"),
        ({"scope": {}, "factor": "0"}, None),
        ({"scope": {"team": {"any_of": ["se*"]}}}, "a pattern is {glob: ...}"),
        ({"every": {"at": "02:00", "lasts": "2d"}, "from": None, "to": None}, "it always holds"),
        ({"every": {"at": "02:00", "lasts": "1h", "weekdays": ["sunday"]}}, "it never comes on days like these"),
        ({"every": {"at": "02:00", "lasts": "1h", "weekdays": ["sunday"]}, "from": None, "to": None}, None),
    ],
)
def test_what_is_probably_not_meant_is_said(changed: dict[str, Any], said: str | None) -> None:
    """In one sentence, with the event's id."""
    event = {key: value for key, value in (GOOD | changed).items() if value is not None}
    events = PlannedEvents(EventsDocument.model_validate({"events": [event]}))
    found = warnings(events, NOW)
    assert ([text for text in found if said in text] == found != []) if said else not found
    assert all(text.startswith("event 'a': ") for text in found)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, True),
        ({"scope": {}, "factor": "3"}, True),
        ({"scope": {"team": "ads"}}, False),
        ({"factor": "0.5"}, False),
        ({"from": "2026-12-03", "to": "2026-12-04"}, False),
    ],
)
def test_two_events_of_one_time_and_of_the_same_things_are_said(other: dict[str, Any], said: bool) -> None:
    """For their factors are multiplied."""
    both = [GOOD, GOOD | {"id": "b"} | other]
    found = warnings(PlannedEvents(EventsDocument.model_validate({"events": both})), NOW)
    assert any("at the same time as" in text and "multiplied there, to" in text for text in found) == said

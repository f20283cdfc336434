"""Rows become events: identity, shift in time, attribution, validity."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from spendstream_schemas import UsageEvent
from spendstream_traffic.replay.assign import Assigner, RuleFile
from spendstream_traffic.replay.events import RunFacts, attribution_constants, to_events
from spendstream_traffic.replay.identity import EventIds, event_ids
from spendstream_traffic.replay.rows import BadRow, Row
from stream_jobs.base.errors import ConfigError
from tests.unit.traffic.replay.build import write

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def row(line: int = 2, at: datetime = AT, **more: Any) -> Row:
    return Row(line, {"occurred_at": at, "usage": {"kind": "tokens", "input_tokens": 5}, **more})


def facts(**more: Any) -> RunFacts:
    return RunFacts(**{"ids": EventIds("abc"), "source": "replay", "provider": "openai", "model": "gpt-4o", **more})


def events(rows: list[Row | BadRow], run: RunFacts) -> list[UsageEvent]:
    found = []
    for item in to_events(rows, run):
        assert isinstance(item, UsageEvent), str(item)
        found.append(item)
    return found


def test_the_same_file_gives_the_same_ids_and_any_difference_gives_others(tmp_path: Path) -> None:
    """Content decides, not the name: replaying a renamed copy is a duplicate, another model is another request."""
    first, copy = write(tmp_path / "a.csv", ["x"]), write(tmp_path / "b.csv", ["x"])
    other = write(tmp_path / "c.csv", ["y"])
    base = event_ids(first, "csv", "openai", "gpt-4o")
    assert event_ids(copy, "csv", "openai", "gpt-4o") == base
    different = [
        event_ids(other, "csv", "openai", "gpt-4o"),
        event_ids(first, "jsonl", "openai", "gpt-4o"),
        event_ids(first, "csv", "azure", "gpt-4o"),
        event_ids(first, "csv", "openai", "gpt-4o-mini"),
        event_ids(first, "csv", "openai", None),
        event_ids(first, "csv", "openai", "gpt-4o", "second-run"),
    ]
    assert len({base, *different}) == 7
    assert base.of(3, None) != base.of(3, 0)


def test_what_the_row_says_wins_over_the_run(tmp_path: Path) -> None:
    """A log that names its models keeps them, and its own event ids."""
    event = events([row(provider="anthropic", model="claude-haiku-4-5", event_id="own")], facts())[0]
    assert (event.provider, event.model, event.event_id) == ("anthropic", "claude-haiku-4-5", "own")


def test_times_are_shifted_as_one(tmp_path: Path) -> None:
    """The first event lands on the given instant, distances stay."""
    start = datetime(2026, 7, 1, tzinfo=UTC)
    found = events([row(2), row(3, AT + timedelta(seconds=90))], facts(first_at=start))
    assert [event.occurred_at - start for event in found] == [timedelta(0), timedelta(seconds=90)]


def test_attribution_comes_from_row_then_rules_then_command(tmp_path: Path) -> None:
    """The command line wins; rules only fill what the row does not say."""
    rules = Assigner(
        RuleFile.model_validate(
            {"rules": [{"field": "team", "value": "by-rule"}, {"field": "project", "value": "by-rule"}]}
        )
    )
    run = facts(rules=rules, attribution={"feature": "by-command", "labels.tier": "gold"})
    event = events([row(attribution={"team": "by-row", "feature": "by-row", "labels": {"a": "b"}})], run)[0]
    assert (event.attribution.team, event.attribution.project) == ("by-row", "by-rule")
    assert event.attribution.feature == "by-command"
    assert event.attribution.labels == {"a": "b", "tier": "gold"}


def test_a_row_that_breaks_the_contract_is_told_with_its_reason() -> None:
    """Bad rows pass through, invalid ones join them; none stops the rest."""
    broken = Row(7, {"occurred_at": AT, "usage": {"kind": "tokens", "input_tokens": 1, "cache_read_tokens": 2}})
    timeless = Row(8, {"usage": {"kind": "tokens"}})
    found = list(to_events([BadRow(1, "why"), broken, timeless, row(9)], facts(first_at=AT)))
    assert str(found[0]) == "line 1: why"
    assert str(found[1]).startswith("line 7: part_exceeds_whole: ")
    assert str(found[2]).startswith("line 8: missing_field: occurred_at")
    assert isinstance(found[3], UsageEvent)


def test_a_shift_out_of_the_calendar_is_a_bad_row() -> None:
    """Hostile dates do not stop the replay."""
    rows: list[Row | BadRow] = [row(2, datetime(2020, 1, 1, tzinfo=UTC)), row(3, datetime(9999, 1, 1, tzinfo=UTC))]
    found = list(to_events(rows, facts(first_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=4000))))
    assert isinstance(found[0], UsageEvent)
    assert isinstance(found[1], BadRow)


def test_constants_of_the_command_line_are_checked_together() -> None:
    """All that is wrong in one message."""
    assert attribution_constants(["team=a=b", "labels.x=y"]) == {"team": "a=b", "labels.x": "y"}
    with pytest.raises(ConfigError) as caught:
        attribution_constants(["team", "teem=x", "labels.=x", "owner="])
    assert len(caught.value.problems) == 4

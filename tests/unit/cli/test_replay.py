"""The options of `spendstream replay` and `simulate`."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spendstream_traffic.replay import formats
from spendstream_traffic.replay.delivery import Summary
from spendstream_traffic.replay.fates import FateCounts
from spendstream_traffic.replay.rows import BadRow
from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import replay, simulate
from tests.unit.traffic.replay.build import write

NOW = datetime(2026, 6, 1, 12, 0, 0, 999, tzinfo=UTC)


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    replay.add_parser(subparsers)
    simulate.add_parser(subparsers)
    return parser.parse_args(arguments)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(tmp_path / "t.csv", ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:00:00,1,2"])


def test_the_command_offers_every_format() -> None:
    """The list is written twice, so that --help loads no reader."""
    assert replay.FORMATS == formats.FORMATS


def test_start_shifts_an_absolute_trace(trace: Path) -> None:
    """The first event lands there."""
    options = ("--format", "azure", "--provider", "openai", "--model", "gpt-4o", "--start", "2026-06-01T10:00+02:00")
    (event,) = replay.read(parse("replay", str(trace), *options))
    assert not isinstance(event, BadRow)
    assert event.occurred_at == datetime(2026, 6, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--format", "azure", "--model", "m"], "--provider is missing"),
        (["--format", "azure", "--provider", "p"], "--model is missing"),
        (["--format", "csv", "--provider", "p", "--model", "m"], "needs --mapping"),
        (["--format", "azure", "--provider", "p", "--model", "m", "--map", "occurred_at=a", "--map",
          "usage.input_tokens=b"], "go with --format csv or jsonl"),
        (["--format", "azure", "--provider", "p", "--model", "m", "--start", "soon"], "expected an instant"),
        (["--format", "azure", "--provider", "p", "--model", "m", "--attribution", "x"], "expected KEY=VALUE"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_together_are_refused(trace: Path, options: list[str], problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=problem):
        list(replay.read(parse("replay", str(trace), *options)))


def test_a_simulation_ends_now_unless_a_start_is_given() -> None:
    """So its events are neither in the future nor old."""
    config = simulate.config_of(parse("simulate", "--duration", "2h", "--incident", "spike"), NOW)
    assert config.end == NOW.replace(microsecond=0)
    assert config.duration == timedelta(hours=2)
    assert [incident.kind for incident in config.incidents] == ["spike"]


def test_the_summary_only_claims_what_is_known() -> None:
    """Without --wait there are no fates, in JSON and in words."""
    assert Summary(5, 1, 2.0).as_json() == {"sent": 5, "bad_rows": 1, "seconds": 2.0}
    waited = Summary(5, 0, 2.0, FateCounts(3, 1, 1, 2))
    assert waited.as_json() == {
        "sent": 5, "booked": 3, "duplicates": 1, "quarantined": 1, "unpriced": 2, "bad_rows": 0, "seconds": 2.0,
    }  # fmt: skip
    assert "booked" not in Summary(5, 1, 2.0).as_text()
    assert "booked 3 (of which unpriced 2), duplicates 1, quarantined 1" in waited.as_text()

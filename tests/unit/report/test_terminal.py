"""The report in a terminal."""

import io
import json

from rich.console import Console

from stream_jobs.report.as_json import as_json
from stream_jobs.report.terminal import render_terminal
from tests.unit.report.build import empty, report


def _text(data: object, width: int = 120) -> str:
    out = io.StringIO()
    render_terminal(data, Console(file=out, width=width))  # type: ignore[arg-type]
    return out.getvalue()


def test_the_summary_shows_totals_and_what_is_wrong() -> None:
    """Cost, price book, unpriced and quarantined."""
    text = _text(report())
    for part in ("$1,234.50", "abc123", "UTC", "unpriced", "quarantined"):
        assert part in text


def test_names_are_not_read_as_markup() -> None:
    """[red] in a team's name is text."""
    assert "[red]x[/red]" in _text(report("[red]x[/red]"))


def test_an_empty_store_says_what_to_run() -> None:
    """No empty tables."""
    assert "spendstream demo" in _text(empty())


def test_json_keeps_every_digit() -> None:
    """Amounts are strings, instants ISO 8601 with Z."""
    found = json.loads(json.dumps(as_json(report())))
    assert found["totals"]["effective_cost"] == "1234.500000000007"
    assert found["start"] == "2026-03-01T12:00:00Z"
    assert found["bucket"] == 60

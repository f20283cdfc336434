"""The report in a terminal."""

import io
import json
from dataclasses import replace

from stream_jobs.base.json_values import json_values
from stream_jobs.output.console import Console
from stream_jobs.report.data import Watched
from stream_jobs.report.html import html_text
from stream_jobs.report.terminal import render_terminal
from tests.unit.output.hostile import HOSTILE, foreign
from tests.unit.report.build import empty, report


def _text(data: object) -> str:
    out = io.StringIO()
    render_terminal(data, Console(file=out))  # type: ignore[arg-type]
    return out.getvalue()


def test_the_summary_shows_totals_and_what_is_wrong() -> None:
    """Cost, price book, unpriced and quarantined."""
    text = _text(report())
    for part in ("$1,234.50", "abc123", "UTC", "unpriced", "quarantined"):
        assert part in text


def test_names_are_not_read_as_markup() -> None:
    """[red] in a team's name is text."""
    assert "[red]x[/red]" in _text(report("[red]x[/red]"))


def test_no_name_commands_the_terminal_or_deceives_on_the_page() -> None:
    """Escape sequences, forged lines and marks that turn the reading direction are shown."""
    for shown in (_text(report(HOSTILE)), html_text(report(HOSTILE))):
        assert foreign(shown) == []
        assert r"\x1b]52;c;" in shown
        assert "fake: all is well" not in [line.strip() for line in shown.splitlines()]


def test_an_empty_store_says_what_to_run() -> None:
    """No empty tables."""
    assert "spendstream demo" in _text(empty())


def test_budgets_and_alerts_are_in_the_summary() -> None:
    """What is used of what, what was crossed when; what was told to whom, and who looks after it."""
    text = _text(report())
    for part in (
        *("$1,000.00", "123.4 %", "80 % 03-01 12:00:00, 100 % 03-01 12:01:00", "0 of 7 crossed", "search-3"),
        *("Alerts opened in this period: 45", "error: search is over budget", "$234.50 at stake"),
        *("acknowledged by search; told: search after 0.6 s, pager after 2 minutes", "told: nobody"),
        *("receiver pager: 0 notifications sent, 2 attempts failed: 503 search",),
    ):
        assert part in text


def test_without_budgets_it_says_how_to_make_one() -> None:
    """One line."""
    text = _text(empty())
    assert "Budgets: there are none. To make one, write budgets.yaml" in text
    assert "Alerts: none was opened" in text
    assert "none of the 3" in _text(replace(empty(), watched=Watched(empty().end, defined=3)))


def test_json_keeps_every_digit() -> None:
    """Amounts are strings, instants ISO 8601 with Z."""
    found = json.loads(json.dumps(json_values(report())))
    assert found["totals"]["effective_cost"] == "1234.500000000007"
    assert found["start"] == "2026-03-01T12:00:00Z"
    assert found["bucket"] == 60
    (budget, users) = found["watched"]["budgets"]
    assert budget["standings"][0]["used"] == "1234.500000000007"
    assert budget["standings"][0]["crossed"][1] == {"percent": "100", "at": "2026-03-01T12:01:00Z", "amount": "0"}
    assert (users["window"], users["all_values"]) == (86_400, 7)
    assert found["watched"]["alerts"][0]["money"] == "234.5"
    assert found["watched"]["receivers"][1]["failed"] == 2

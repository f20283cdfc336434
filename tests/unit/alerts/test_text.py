"""What people read: composed once, the same for every receiver."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.alerts.notifiers.slack import slack_escape
from stream_jobs.alerts.text import (
    MAX_HEADLINE,
    clean,
    compose,
    fit_lines,
    headline,
    inert,
    instant_text,
    plain,
    scope_text,
    shorten,
    size_of,
)
from tests.receivers.examples import ACKNOWLEDGE, BUDGET_ALERT, LIFE, RESOLVE, TRIGGER, UPDATE, big_group, hostile

ESCAPES: list[Callable[[str], str]] = [str, escape, slack_escape]


def test_one_alert_in_full() -> None:
    """What, where, how much, since when, why, what to do, where to look: nothing is missing at three in the morning."""
    assert plain(compose(TRIGGER)) == (
        "ERROR: Team search has spent 92 % of its budget for November\n"
        "\n"
        "Owner: alice@example.com\n"
        "Where: team = search, model = gpt-4o\n"
        "At stake: $1,234.57\n"
        "Spent: $9,234.57 of $10,000\n"
        "Until: 2026-12-01 00:00 UTC\n"
        "Since: 2026-11-26 02:51 UTC\n"
        "\n"
        "Probably because:\n"
        "- gpt-4o in feature answers: $4,100 more than last month\n"
        "\n"
        "What to do:\n"
        "- Ask the owner, or raise the budget: spendstream budgets show search-monthly\n"
        "\n"
        "https://grafana.example.com/d/budgets?var-budget=search-monthly&kiosk"
    )


def test_the_state_is_the_headlines_first_word() -> None:
    """Who reads no further knows whether to get up."""
    what = "Team search has spent 92 % of its budget for November"
    assert [headline(state) for state in LIFE] == [
        f"ERROR: {what}",
        f"CRITICAL (100 % crossed): {what}",
        f"ACKNOWLEDGED: {what}",
        f"RESOLVED: {what}",
    ]


def test_the_end_says_when_and_why_and_no_longer_what_to_do() -> None:
    """A resolved alert asks for nothing."""
    text = plain(compose(RESOLVE))
    assert "Resolved: 2026-11-26 03:02 UTC\nWhy: The budget was raised to $20,000\nAcknowledged by: bob" in text
    assert "Was at stake: $1,234.57" in text
    assert "What to do" not in text


def test_who_acknowledged_is_named() -> None:
    """So that the second one can go back to sleep."""
    assert "Acknowledged by: bob" in plain(compose(ACKNOWLEDGE))


def test_a_correction_is_called_one() -> None:
    """People were told something that was not right: the headline and the first row say so."""
    told = compose(replace(UPDATE, change="corrected"))
    assert told.headline.startswith("CORRECTED: ")
    assert told.parts[0].rows[0] == ("Corrected", "corrected")
    told = compose(replace(UPDATE, change="spend corrected to $11,000"))
    assert told.headline.startswith("CORRECTED (spend corrected to $11,000): ")


def test_a_test_is_called_one() -> None:
    """Nobody gets up for a test."""
    assert headline(replace(TRIGGER, test=True)).startswith("TEST ERROR: ")


def test_a_group_counts_lists_and_says_how_to_see_the_rest() -> None:
    """100,000 alerts are ten lines and the command for the others."""
    group = replace(big_group(), resolved_alerts=5)
    text = plain(compose(group))
    assert text.startswith("ERROR: 100,000 open alerts, $100,000,000.00 at stake: Team team-0 has spent")
    assert "Alerts: 100,000 open, 5 resolved" in text
    assert "- ERROR Team team-9 has spent 92 % of its budget ($1,234.57 at stake, since 2026-11-26 02:51 UTC)" in text
    assert "- and 99,995 more: `spendstream alerts list --group 'search-monthly#1' --all --limit 100005`" in text
    assert text.count("- ERROR") == 10
    assert "Probably because (of the first):" in text


@pytest.mark.parametrize(
    ("group", "resolved", "command"),
    [
        ("budget/s/2026-11-de5569f0ef1d", 0, "spendstream alerts list --group budget/s/2026-11-de5569f0ef1d"),
        (
            "budget/s/2026-11-de5569f0ef1d",
            1,
            "spendstream alerts list --group budget/s/2026-11-de5569f0ef1d --all",
        ),
        ("budget/a@b/2026-11-de5569f0ef1d", 0, "spendstream alerts list --group de5569f0ef1d"),
        ("x\u202ey\n'; rm -rf /-de5569f0ef1d", 0, "spendstream alerts list --group de5569f0ef1d"),
    ],
)
def test_the_command_for_the_rest_survives_every_medium(group: str, resolved: int, command: str) -> None:
    """It names the group where no medium changes its name (some put marks behind an @), else its run; and says to show
    what is resolved where some of it is."""
    note = replace(TRIGGER, group_id=group, open_alerts=20, resolved_alerts=resolved)
    text = plain(compose(note))
    assert f"more: `{command}`" in text
    assert command in inert(text)


def test_a_group_of_one_open_alert_speaks_in_the_singular() -> None:
    """1 open alert, not 1 open alerts; and nothing is left to count when all are listed."""
    over = replace(BUDGET_ALERT, status="resolved", alert_id="b")
    text = plain(compose(replace(TRIGGER, alerts=(BUDGET_ALERT, over), resolved_alerts=1)))
    assert text.startswith("ERROR: 1 open alert, $1,234.57 at stake: ")
    assert "more (" not in text
    assert "- RESOLVED Team search" in text


def test_a_resolved_group_says_what_was_at_stake() -> None:
    """The past tense."""
    group = replace(big_group(3), action="resolve", open_alerts=0, resolved_alerts=3)
    assert headline(group).startswith("RESOLVED: 3 alerts, $3,000.00 was at stake: ")


def test_instants_are_in_the_readers_time_zone() -> None:
    """UTC unless somebody asked for another, whose name is always there."""
    instant = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert instant_text(instant) == "2026-07-01 23:30 UTC"
    assert instant_text(instant, ZoneInfo("Europe/Berlin")) == "2026-07-02 01:30 CEST"
    assert "Since: 2026-11-26 03:51 CET" in plain(compose(TRIGGER, ZoneInfo("Europe/Berlin")))


def test_a_scope_is_read_from_the_general_to_the_particular() -> None:
    """The attribution's order, whatever order the labels came in; an empty value is one too."""
    labels = {"zeta": "1", "model": "m", "team": "", "project": "p", "cost_center": "c", "labels.a_b": "l"}
    assert scope_text(labels) == "project = p, cost center = c, team = (none), model = m, a_b = l, zeta = 1"


def test_hostile_texts_stay_on_their_line() -> None:
    """No line break, control character or change of the reading direction gets through from a label."""
    assert clean("a\r\nb\x00c\u2028d\u202ee\ud83d") == "a b c de\ufffd"
    text = plain(compose(hostile()))
    assert "\r" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    text.encode()
    assert len(compose(hostile()).headline) <= MAX_HEADLINE


@pytest.mark.slow
@given(st.text(), st.integers(1, 60), st.sampled_from(ESCAPES))
def test_shortened_text_fits_and_is_never_cut_within_a_character(
    text: str, limit: int, escaping: Callable[[str], str]
) -> None:
    """The limit holds in UTF-16 units; what is left is the escaped beginning of the text."""
    short = shorten(text, limit, escaping)
    assert size_of(short) <= limit
    if short != escaping(text):
        assert short.endswith("…")
        kept = short[:-1]
        assert any(escaping(text[:end]).rstrip() == kept for end in range(len(text) + 1))


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))), st.integers(2, 100))
def test_lines_are_left_out_whole(lines: list[str], limit: int) -> None:
    """What fits is a beginning of the lines."""
    text = fit_lines(lines, limit)
    assert size_of(text) <= limit
    if text != "\n".join(lines):
        kept = text.split("\n")
        assert kept[-1] == "…"
        assert kept[:-1] == lines[: len(kept) - 1]


def test_a_notification_without_alerts_still_says_what_it_is_about() -> None:
    """It should not happen; it must not fail."""
    assert headline(replace(TRIGGER, alerts=())) == "ERROR: search-monthly#1"
    assert "Since:" in plain(compose(replace(TRIGGER, alerts=(), labels={})))


def test_what_does_not_show_is_left_out() -> None:
    """Zero-width characters, tags, fillers: two names that differ must not look the same in a message."""
    assert clean("a\u200bb\u061c\u3164\U000e0041\u00adc\u200e") == "abc"
    assert clean("Zoë 漢字 ▲") == "Zoë 漢字 ▲"


@pytest.mark.parametrize(
    "call", ["@everyone", "x @here", "<!channel>", "<@U1>", "<#C1>", "<http://evil.test|ok>", "[ok](http://e)"]
)
def test_nobody_is_called_by_a_name(call: str) -> None:
    """Whatever the service behind makes of it, the text that calls is broken up; it still reads the same."""
    broken = inert(call)
    assert call not in broken
    assert broken.replace("\u2060", "") == call
    assert inert("ann@example.test, 5 < 6") == "ann@example.test, 5 < 6"

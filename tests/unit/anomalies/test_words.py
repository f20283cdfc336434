"""A finding in words."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.anomalies import words
from tests.unit.anomalies.build import START, found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "team search: $45.10 in the 40 minutes from 2026-03-01 12:00 to 2026-03-01 12:40 UTC, $3.20 expected "
            "(14.1 times)",
        ),
        (
            {"kind": "drop", "direction": "down", "actual": Decimal("0.1"), "ends_at": None},
            "team search: $0.100 in the 1 hour 30 minutes since 2026-03-01 12:00 UTC, $3.20 expected (96.9 % less)",
        ),
        (
            {"kind": "silence", "actual": Decimal(0), "ends_at": None},
            "team search: nothing in the 1 hour 30 minutes since 2026-03-01 12:00 UTC, $3.20 expected",
        ),
        ({"kind": "dear_request"}, "team search: a single request cost $45.10 at 2026-03-01 12:00 UTC"),
        (
            {"measure": "events", "series": {"user_id": "u", "labels.x": ""}, "expected": Decimal(0), "ends_at": None},
            "user u, x (none): 45 requests in the 1 hour 30 minutes since 2026-03-01 12:00 UTC, nothing expected",
        ),
        (
            {"measure": "error_rate", "actual": Decimal("0.4"), "expected": Decimal("0.02"), "ends_at": None},
            "team search: 40.0 % error rate in the 1 hour 30 minutes since 2026-03-01 12:00 UTC, 2.0 % error rate "
            "expected (20.0 times)",
        ),
    ],
)
def test_one_line_says_who_how_much_and_what_was_expected(changes: dict[str, Any], said: str) -> None:
    """Of each kind and measure, as alerts say it."""
    assert words.line(found(**changes)) == said


def test_an_open_finding_lasts_as_long_as_its_figures_are_of() -> None:
    """Not until now: nobody has added up what came since. One of the future lasts not at all: clocks differ."""
    assert words.length(found(ends_at=None, known_until=START + timedelta(minutes=20))) == timedelta(minutes=20)
    assert words.length(found(ends_at=None, known_until=START - timedelta(hours=1))) == timedelta(0)
    assert words.when(found()) == "2026-03-01 12:00 to 2026-03-01 12:40 UTC (40 minutes)"
    assert words.when(found(ends_at=None, known_until=START + timedelta(minutes=20))) == (
        "2026-03-01 12:00 UTC to now; figures are of the 20 minutes until 2026-03-01 12:20 UTC"
    )


def test_what_is_calm_is_said_as_what_was() -> None:
    """From when until when, though it is open."""
    calm = found(state="open", ends_at=None, is_calm=True, known_until=START + timedelta(minutes=2))
    assert words.when(calm) == "2026-03-01 12:00 to 2026-03-01 12:02 UTC (2 minutes)"
    assert words.state(calm) == "open, and as usual since 2026-03-01 12:02 UTC"
    assert "in the 2 minutes from 2026-03-01 12:00 to 2026-03-01 12:02 UTC" in words.line(calm)
    assert words.per_day(calm) == "$1,508.40 more a day while it lasted"


def test_money_a_day_is_said_as_what_may_come_or_as_what_was() -> None:
    """And not at all where nobody can tell."""
    assert words.per_day(found()) == "$1,508.40 more a day while it lasted"
    assert words.per_day(found(state="open", per_day=Decimal(-3))) == "$3.00 less a day if it goes on"
    assert words.per_day(found(per_day=Decimal(0))) == ""


def test_why_nobody_is_told_is_said() -> None:
    """A planned event, a mark, or what a version to come says."""
    assert words.state(found(state="open", silenced_by="event:black-friday")) == (
        "open; nobody is told: it was planned as black-friday"
    )
    assert words.silenced("mark:0f3a") == "it was marked as expected with finding 0f3a"
    assert words.silenced("else") == "else"
    assert words.state(found(closing="expected")) == "closed: it was marked as expected"
    assert words.state(found(closing="new_normal")) == "closed: it lasted so long that it is the usual now"


def test_of_a_driver_the_ratio_is_told_and_money_as_an_estimate() -> None:
    """Which is about money, whatever the ratio is of."""
    tokens = found(kind="driver", measure="tokens_per_request", expected=Decimal(1200), actual=Decimal(4800))
    assert words.line(tokens).endswith("UTC, 1,200 tokens per request expected (4.0 times)")
    assert words.per_day(tokens) == "about $1,508.40 more a day while it lasted"
    price = found(kind="driver", measure="price_per_token", expected=Decimal("0.0000021"), actual=Decimal("0.0000031"))
    assert "$0.00000310 a token in the 40 minutes" in words.line(price)
    assert words.line(price).endswith("$0.00000210 a token expected (1.5 times)")

"""A finding in words."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from stream_jobs.anomalies import words
from tests.unit.anomalies.build import NOW, START, found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "team search: $45.10 in 40 minutes where $3.20 is usual (14.1 times the usual)"),
        (
            {"kind": "drop", "direction": "down", "actual": Decimal("0.1"), "ends_at": None},
            "team search: $0.100 in 1 hour 30 minutes where $3.20 is usual (-96.9 %)",
        ),
        ({"kind": "silence", "actual": Decimal(0)}, "team search: nothing for 40 minutes where $3.20 is usual"),
        ({"kind": "dear_request"}, "team search: one request of $45.10 where at most $5.25 is usual"),
        (
            {"kind": "new_series", "series": {}},
            "all usage, of which little is known: $45.10 in 40 minutes where $3.20 is usual",
        ),
        (
            {"measure": "events", "series": {"user_id": "u", "labels.x": ""}, "expected": Decimal(0)},
            "user u, x (none): 45 requests in 40 minutes where 0 is usual",
        ),
        (
            {"measure": "error_rate", "actual": Decimal("0.4"), "expected": Decimal("0.02")},
            "team search: 40.0 % error rate in 40 minutes where 2.0 % is usual (20 times the usual)",
        ),
        (
            {"measure": "tokens_per_request", "actual": Decimal("3400.5"), "expected": Decimal(1700)},
            "team search: 3,400 tokens per request in 40 minutes where 1,700 is usual (2 times the usual)",
        ),
    ],
)
def test_one_line_says_who_how_much_and_what_is_usual(changes: dict[str, Any], said: str) -> None:
    """Of each kind and measure."""
    assert words.headline(found(**changes), NOW) == said


def test_an_open_finding_lasts_until_now_and_one_of_the_future_not_at_all() -> None:
    """Clocks differ."""
    assert words.length(found(ends_at=None), NOW) == timedelta(minutes=90)
    assert words.length(found(ends_at=None), START - timedelta(hours=1)) == timedelta(0)


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
    assert words.state(found(closing="new_normal")) == "closed: it lasted so long that it is the usual now"


def test_of_a_driver_the_ratio_is_told_and_money_as_an_estimate() -> None:
    """Which is about money, whatever the ratio is of."""
    tokens = found(kind="driver", measure="tokens_per_request", expected=Decimal(1200), actual=Decimal(4800))
    assert words.headline(tokens, NOW) == (
        "team search: 4,800 tokens per request in 40 minutes where 1,200 is usual (4 times the usual)"
    )
    assert words.per_day(tokens) == "about $1,508.40 more a day while it lasted"
    price = found(kind="driver", measure="price_per_token", expected=Decimal("0.0000021"), actual=Decimal("0.0000031"))
    assert "$0.00000310 a token in 40 minutes where $0.00000210 is usual" in words.headline(price, NOW)

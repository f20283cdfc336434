"""Findings for the tests of this folder, and of the report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from stream_jobs.anomalies.around import Around, Point
from stream_jobs.anomalies.cause import Cause, DearRequest, ExplainedBy
from stream_jobs.anomalies.found import Found
from stream_jobs.anomalies.terminal import Shown

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOW = START + 90 * MINUTE


def found(name: str = "search", **changes: Any) -> Found:
    """A burst of 40 minutes that is over."""
    burst = Found(
        finding_id="0f3a9c11d2e4b5a69788",
        version=3,
        changed_at=START + 60 * MINUTE,
        state="closed",
        kind="spike",
        direction="up",
        scale="15m",
        measure="effective_cost",
        series={"team": name},
        starts_at=START,
        detected_at=START + 4 * MINUTE,
        ends_at=START + 40 * MINUTE,
        expected=Decimal("3.2"),
        actual=Decimal("45.100000000007"),
        low=Decimal("1.9"),
        high=Decimal("5.25"),
        per_day=Decimal("1508.4"),
        score=212.4,
        severity="error",
        known_until=START + 40 * MINUTE,
        closing="over",
        group_id="g1",
        mark="real",
        note=f"{name} ran a loop",
        marked_by=name,
        marked_at=START + 70 * MINUTE,
    )
    until = changes.get("ends_at", burst.ends_at) or NOW
    return replace(burst, **{"known_until": until, **changes})


def cause(name: str = "search") -> Cause:
    return Cause(
        sets=(ExplainedBy({"user_id": name, "model": "gpt-4o"}, Decimal("39.8"), Decimal("0.95"), "volume"),),
        factors=(("volume", Decimal(40)), ("tokens_per_request", Decimal("1.9"))),
        people=((name, Decimal("39.8")),),
        requests=(DearRequest(f"event-{name}", Decimal("0.9"), START, {"user_id": name}),),
    )


def around(peak: int = 12, minutes: int = 105) -> Around:
    """Minutes at eight cents, in a band up to 14 cents; the burst reaches `peak` times as much."""
    points = []
    for number in range(minutes):
        at = START + MINUTE * (number - 45)
        wave = Decimal(number % 5) / 100
        inside = 0 <= number - 45 < 40
        actual = Decimal("0.06") + wave + (Decimal("0.08") * peak if inside else 0)
        points.append(Point(at, actual, Decimal("0.08"), Decimal("0.03"), Decimal("0.14")))
    return Around(MINUTE, tuple(points))


def shown(name: str = "search", **changes: Any) -> Shown:
    """Everything about it is called `name`."""
    event = {"at": START + 4 * MINUTE, "change": "opened", "severity": "warning", "expected": Decimal("0.4"),
             "actual": Decimal(5), "note": "", "by": ""}  # fmt: skip
    marked = {**event, "at": START + 70 * MINUTE, "change": "marked real", "expected": None, "actual": None,
              "note": f"{name} ran a loop", "by": name}  # fmt: skip
    whole = Shown(
        found=found(name),
        now=NOW,
        cause=cause(name),
        around=around(),
        history=(event, marked),
        group=(
            found(name, finding_id="77aa", series={}, measure="events", actual=Decimal(4100), expected=Decimal(300)),
        ),
    )
    return replace(whole, **changes)

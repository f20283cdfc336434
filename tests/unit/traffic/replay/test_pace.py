"""Time compression."""

from datetime import UTC, datetime, timedelta

import pytest

from spendstream_traffic.replay.pace import Pace, parse_speed
from stream_jobs.base.errors import ConfigError

AT = datetime(2026, 6, 1, tzinfo=UTC)


def departures(speed: float | None, seconds: list[float], work_s: float = 0.0) -> list[float]:
    """When events at the given instants leave, on a clock of its own; each costs `work_s`."""
    now = [100.0]
    pace = Pace(speed, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s))
    found = []
    for second in seconds:
        pace.wait_for(AT + timedelta(seconds=second))
        found.append(round(now[0] - 100.0, 6))
        now[0] += work_s
    return found


def test_time_is_compressed_by_the_factor() -> None:
    """Ten seconds of events in one at 10x; the first event does not wait."""
    assert departures(10, [0, 5, 10, 40]) == [0, 0.5, 1.0, 4.0]


def test_max_never_waits() -> None:
    """As fast as possible."""
    assert departures(None, [0, 3600, 7200]) == [0, 0, 0]


def test_delays_do_not_add_up() -> None:
    """A slow moment is made up for: the pace is kept by the clock, not by sleeping between events."""
    assert departures(1, [0, 1, 2, 3, 100], work_s=1.5) == [0, 1.5, 3.0, 4.5, 100.0]


def test_an_event_out_of_order_leaves_at_once() -> None:
    """Late events are late, not an error."""
    assert departures(1, [10, 5, 11]) == [0, 0, 1.0]


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1x", 1.0), ("60X", 60.0), ("0.5x", 0.5), ("10", 10.0)])
def test_speeds(text: str, speed: float | None) -> None:
    """How people write them."""
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0x", "-1x", "nanx", "infx", "fast", "1xx"])
def test_no_speeds(text: str) -> None:
    """With what is possible."""
    with pytest.raises(ConfigError, match="expected max or a factor"):
        parse_speed(text)

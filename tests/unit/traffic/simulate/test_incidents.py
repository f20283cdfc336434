"""Incidents by their short notation, and the truth about them."""

from datetime import UTC, datetime, timedelta

import pytest

from spendstream_traffic.simulate.incidents import DESCRIPTIONS, KINDS, Incident, parse_duration, parse_incident
from stream_jobs.base.errors import ConfigError

START = datetime(2026, 6, 1, tzinfo=UTC)
WEEK = START + timedelta(days=7)


def parse(text: str, end: datetime = WEEK) -> Incident:
    return parse_incident(text, START, end)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", [timedelta(minutes=10), timedelta(hours=1), timedelta(days=7), timedelta(days=30)])
def test_every_kind_has_defaults_that_fit_into_any_run(kind: str, run: timedelta) -> None:
    """Naming it is enough; it is never longer than a third of the run."""
    incident = parse(kind, START + run)
    assert START <= incident.start < incident.end <= START + run
    assert incident.end - incident.start <= run / 3
    assert DESCRIPTIONS[kind]


def test_the_kinds_keep_their_word_in_a_long_run() -> None:
    """2 times for days, 10 times for an hour, 20 times at night, drop to zero."""
    double, spike, night, drop = (
        parse(kind, START + timedelta(days=30)) for kind in ("double", "spike", "night", "drop")
    )
    assert (double.factor, double.end - double.start) == (2, timedelta(days=3))
    assert (spike.factor, spike.end - spike.start) == (10, timedelta(hours=1))
    assert night.factor == 20
    assert night.start.hour == 1
    assert night.end.hour == 4
    assert drop.factor == 0


def test_all_keys_and_offsets() -> None:
    """Colons of an instant do not end a value."""
    incident = parse("spike:start=2026-06-02T03:00:00Z:duration=1h30m:factor=4.5:team=support:provider=openai")
    assert incident.start == datetime(2026, 6, 2, 3, tzinfo=UTC)
    assert incident.end - incident.start == timedelta(minutes=90)
    assert incident.label() == {
        "kind": "spike",
        "start": "2026-06-02T03:00:00Z",
        "end": "2026-06-02T04:30:00Z",
        "scope": {"provider": "openai", "team": "support"},
        "factor": 4.5,
        "changes": "events",
    }
    assert parse("drop:start=1d:end=2d").start == START + timedelta(days=1)


def test_a_user_brings_the_customer() -> None:
    """Who runs away belongs to somebody."""
    assert parse("runaway_user:user_id=globex-u3").scope == {"user_id": "globex-u3", "customer": "globex"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("boom", "unknown kind 'boom'; use one of double"),
        ("spike:colour=red", "unknown key 'colour'"),
        ("spike:factor=many", "factor must be a number"),
        ("spike:factor=-1", "factor must be a number"),
        ("spike:factor=nan", "factor must be a number"),
        ("tier_change:factor=2", "takes no factor"),
        ("spike:start=soon", "neither an offset"),
        ("spike:start=8d", "not within the run"),
        ("spike:start=6d:duration=2d", "not within the run"),
        ("spike:start=2d:end=1d", "not within the run"),
        ("spike:end=1d:duration=1d", "give end or duration"),
        ("spike:duration=1y", "is not a duration"),
        ("spike:team=nobody", "no simulated traffic has team=nobody"),
        ("spike:customer=nobody", "unknown customer"),
        ("spike:environment=moon", "unknown environment"),
        ("spike:user_id=root", "users are called like"),
        ("spike:user_id=acme-u1:customer=globex", "does not belong"),
        ("drop:feature=complete:customer=acme", "no simulated traffic has"),  # an internal tool has no customers
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(text: str, problem: str) -> None:
    """The message quotes the argument."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert problem in str(caught.value)
    assert f"--incident {text}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "duration"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800), ("1w", 604800)],
)
def test_durations(text: str, duration: int) -> None:
    """As people write them."""
    assert parse_duration(text) == timedelta(seconds=duration)


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "1h-", "1e3s", "999999999999d"])
def test_no_durations(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError):
        parse_duration(text)

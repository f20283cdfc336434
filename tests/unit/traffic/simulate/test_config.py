"""What can be simulated."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spendstream_traffic.simulate import Incident, SimulationConfig, parse_incident
from stream_jobs.base.errors import ConfigError

START = datetime(2026, 6, 1, tzinfo=UTC)
CONFIG = SimulationConfig(START, timedelta(hours=1))


@pytest.mark.parametrize(
    "change",
    [
        {"start": datetime(2026, 6, 1)},  # noqa: DTZ001 - naive on purpose
        {"start": datetime(2019, 6, 1, tzinfo=UTC)},
        {"start": datetime(9999, 12, 31, 23, 30, tzinfo=UTC)},
        {"duration": timedelta(0)},
        {"duration": timedelta(days=20_000)},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": float("inf")},
        {"seed": -1},
        {"customers": 0},
        {"customers": 17},
        {"users_per_customer": 0},
        {"growth_per_30_days": -1.0},
        {"missing_tag_share": 1.1},
    ],
)
def test_what_cannot_be_simulated_is_refused(change: dict[str, Any]) -> None:
    """At once, not after an hour of events."""
    with pytest.raises(ConfigError):
        replace(CONFIG, **change)


def test_incidents_must_lie_in_the_run_and_concern_somebody() -> None:
    """All problems in one error."""
    outside = Incident("spike", START - timedelta(hours=1), START, 10.0)
    stranger = Incident("spike", START, CONFIG.end, 10.0, {"customer": "oscorp", "user_id": "oscorp-u9999"})
    with pytest.raises(ConfigError) as caught:
        replace(CONFIG, incidents=(outside, stranger))
    assert len(caught.value.problems) == 3


def test_every_difference_gives_other_event_ids() -> None:
    """Two runs that differ in anything never take each other's events for duplicates."""
    spike = parse_incident("spike", START, CONFIG.end)
    changes: list[dict[str, Any]] = [
        {"start": START + timedelta(microseconds=1)},
        {"duration": timedelta(hours=1, microseconds=1)},
        {"rate": 21.0},
        {"seed": 2},
        {"incidents": (spike,)},
        {"incidents": (replace(spike, factor=11.0),)},
        {"customers": 3},
        {"users_per_customer": 3},
        {"growth_per_30_days": 0.0},
        {"missing_tag_share": 0.0},
        {"run_id": "again"},
    ]
    digests = {CONFIG.digest, *(replace(CONFIG, **change).digest for change in changes)}
    assert len(digests) == len(changes) + 1
    assert SimulationConfig(START, timedelta(hours=1)).digest == CONFIG.digest

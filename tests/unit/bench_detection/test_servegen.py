"""Clients' hours become minutes, and incidents are injected into those at work."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.detection.generator import DAY, HOUR
from tests.benchmarks.detection.servegen import CATEGORY, FILES, HOURS, PRICES, Client, clients, injected, minutes, sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clients: a busy one whose tokens are told for the first day, and one that comes once; and one of another
    category."""
    hours = [f"{CATEGORY},busy,{hour},{600 + hour}.0" for hour in range(HOURS)]
    rows = ["category,client,hour,requests", *hours, f"{CATEGORY},rare,7,12.0", "reason/r1,other,0,5.0"]
    (tmp_path / FILES[0]).write_text("\n".join(rows) + "\n")
    head = "category,client,start_s,mean_input_tokens,mean_output_tokens,mean_reason_tokens"
    tokens = [f"{CATEGORY},busy,{start},1000,{100 if start else 300}," for start in range(0, 86400, 21600)]
    (tmp_path / FILES[1]).write_text("\n".join([head, *tokens, "reason/r1,other,0,1,1,1"]) + "\n")
    return tmp_path


@pytest.fixture
def many(folder: Path) -> list[Client]:
    return clients(folder)


def test_clients(many: list[Client]) -> None:
    """Their requests by hour, and what one costs at the stated prices; where nobody tells, the client's mean."""
    busy, rare = many
    assert busy.requests.tolist() == [600.0 + hour for hour in range(HOURS)]
    first, later = 1000 * PRICES[0] + 300 * PRICES[1], 1000 * PRICES[0] + 100 * PRICES[1]
    assert busy.cost[[0, 6]] == pytest.approx([first, later])
    assert busy.cost[30] == pytest.approx((first + 3 * later) / 4)
    assert rare.requests.sum() == 12
    assert rare.cost[0] == pytest.approx(float(np.nanmedian(busy.cost)), rel=0.2)
    assert (busy.active, rare.active) == (True, False)


def test_minutes_add_up_to_the_hours(many: list[Client]) -> None:
    """Every request falls into one minute of its hour, and costs on average what its tokens do."""
    traffic = minutes(many, 3)
    assert traffic.events.shape == (2, HOURS * HOUR)
    assert np.array_equal(traffic.events[0].reshape(HOURS, HOUR).sum(axis=1), many[0].requests)
    assert traffic.cost[0].sum() == pytest.approx(float(many[0].requests @ many[0].cost), rel=0.03)
    assert traffic.history_ends - traffic.first == 5 * DAY


@pytest.mark.parametrize("factor", [0.0, 20.0])
def test_an_incident_changes_its_hours_alone(many: list[Client], factor: float) -> None:
    """Into active clients; all else of them stays as it was."""
    clean = minutes(many, 3)
    traffic, numbers = injected(clean, many, "zero", factor, 4 * HOUR, 5, 2)
    assert numbers == [0, 0]
    for incident in traffic.incidents:
        begin, end = incident.start - traffic.first, incident.end - traffic.first
        events = traffic.events[incident.series]
        assert begin >= 6 * DAY
        assert end - begin == 4 * HOUR
        assert events[begin:end].sum() == pytest.approx(factor * clean.events[0, begin:end].sum(), rel=0.01)
        assert np.array_equal(np.delete(events, np.s_[begin:end]), np.delete(clean.events[0], np.s_[begin:end]))
    assert traffic.incidents[0].start != traffic.incidents[1].start


def test_sums(many: list[Client]) -> None:
    """The first is that of all clients."""
    clean = minutes(many, 3)
    together = sums(clean, 2, 1, 5)
    assert np.array_equal(together.events[0], clean.events.sum(axis=0))
    assert together.cost.shape == (3, HOURS * HOUR)

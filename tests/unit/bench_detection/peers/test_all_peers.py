"""What holds of every peer."""

import numpy as np
import pytest

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE, HOUR, WEEK
from tests.benchmarks.detection.peers import PEERS, Peer

HISTORY = 5 * WEEK
SINCE = FIRST_MINUTE + HISTORY
peers = pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)


@pytest.fixture(scope="module")
def cost() -> Floats:
    """Two calm series; the second costs fifty times as much from a noon on, for six hours."""
    rng = np.random.default_rng(5)
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(HISTORY + 2 * DAY) / DAY)
    made = np.asarray(season * rng.gamma(50, 1 / 50, (2, len(season))))
    made[1, HISTORY + 12 * HOUR : HISTORY + 18 * HOUR] *= 50
    return made


@peers
def test_each_finds_what_nobody_can_miss(peer: Peer, cost: Floats) -> None:
    """Upwards, within two hours, in the series where it is."""
    start = SINCE + 12 * HOUR
    found = [one for one in peer.find(cost, FIRST_MINUTE, SINCE) if one.number == 1 and one.direction == "up"]
    assert any(start < one.detected_at <= start + 2 * HOUR and (one.end or start + 1) > start for one in found)


@peers
@pytest.mark.parametrize("minutes", [HISTORY + DAY, HISTORY + 15 * HOUR, HISTORY + 20 * HOUR + 7])
def test_none_looks_ahead(peer: Peer, cost: Floats, minutes: int) -> None:
    """What it said until an instant is what it says of the traffic until then."""
    until = FIRST_MINUTE + minutes // DAY * DAY  # STL is run at midnight, for a whole day
    whole = {one[:3] for one in peer.find(cost, FIRST_MINUTE, SINCE) if one.detected_at <= until}
    cut = {one[:3] for one in peer.find(cost[:, :minutes], FIRST_MINUTE, SINCE) if one.detected_at <= until}
    assert cut == whole

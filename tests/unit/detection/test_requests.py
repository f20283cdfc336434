import numpy as np
import pytest

from stream_jobs.detection.arrays import Array
from stream_jobs.detection.requests import dearest_of
from stream_jobs.detection.state import State
from tests.unit.detection.world import BEGIN, minutes, warmed

SERIES = 16


def known() -> tuple[State, np.random.Generator]:
    """Many lognormal requests of mean 1 are known."""
    s, rng = State(), np.random.default_rng(0)
    s.reserve(SERIES)
    costs = drawn(rng, (100_000,))
    s.money[:], s.squares[:], s.requests[:] = costs.sum(), (costs * costs).sum(), len(costs)
    return s, rng


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.exp(1.2 * rng.standard_normal(shape) - 0.72))


def estimated(s: State, costs: Array) -> Array:
    """Of [series, requests]."""
    events = np.full(SERIES, float(costs.shape[1]))
    return dearest_of(s, costs.sum(axis=1), events, (costs * costs).sum(axis=1))


@pytest.mark.parametrize("requests", [1, 10, 300])
def test_a_dear_request_among_ordinary_ones_is_known_by_its_squares(requests: int) -> None:
    """To a tenth, whatever else its minute holds."""
    s, rng = known()
    costs = drawn(rng, (SERIES, requests))
    costs[:, 0] = 500.0
    assert estimated(s, costs) == pytest.approx(500.0, rel=0.1)


@pytest.mark.parametrize("price", [1.0, 20.0])
def test_a_minute_of_hundreds_of_ordinary_requests_holds_no_dear_one(price: float) -> None:
    """Even where all of them cost many times what they did: never more than the dearest there was by half, though the
    root of the squares is more."""
    s, rng = known()
    costs = price * drawn(rng, (SERIES, 500))
    root = np.sqrt((costs * costs).sum(axis=1))
    assert (estimated(s, costs) <= np.maximum(1.5 * costs.max(axis=1), 0)).all()
    assert float(np.median(estimated(s, costs) / root)) < 0.5


@pytest.mark.slow
def test_many_requests_in_a_minute_are_no_dear_one() -> None:
    """Where nobody tells the squares, three times the price of two hundred could be one that cost all of it."""
    rates = np.array([1.0])
    detector = warmed(rates, squares=False)
    found = set()
    for minute in minutes(rates, 400, squares=False):
        if minute.at == BEGIN + 300:
            minute.events[0], minute.cost[0] = 200.0, 6.0
        found |= {one.kind for one in detector.advance(minute)}
    assert found == {"spike"}

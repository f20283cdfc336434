"""What tokens cost in comparison, as the amounts tell it."""

from typing import Any

import numpy as np
import pytest

from stream_jobs.explain import cells_of
from stream_jobs.explain.factored import apart
from stream_jobs.explain.weights import ONE, USUAL, weights_of
from tests.unit.explain.tables import TOKENS, table_of

METERS = ("uncached_input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def found(rows: list[dict[str, Any]]) -> list[float]:
    """Of one list of prices: fresh input, cache reads, cache writes, output."""
    cells = cells_of(table_of(rows))
    weights = weights_of(cells.cost, apart(cells.meters), np.zeros(len(cells), np.int64), 1)
    return [int(weights[name][0]) / ONE for name in METERS]


def paid(
    seed: int, rows: int, prices: tuple[float, ...], times: float = 1, noise: float = 0, sent: float = 1
) -> list[dict[str, Any]]:
    """Users of one model whose prices, in micro-USD, are `times` as high after, and whose costs move by `noise`."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(rows):
        row: dict[str, Any] = {"user": f"u{number:03}", "requests_before": 10, "requests_after": 10}
        for period, dear, answers in (("before", 1.0, 1.0), ("after", times, sent)):
            counts = rng.integers(1000, 30_000, 4) * np.array([1, 1, 1, answers])
            fresh, read, write, output = (int(count) for count in counts)
            held = (fresh + read + write, read, write, output)
            row |= dict(zip((name for name in TOKENS if name.endswith(period)), held, strict=True))
            micro = sum(one * price for one, price in zip((fresh, read, write, output), prices, strict=True))
            row[f"cost_{period}"] = f"{micro * dear * rng.lognormal(0, noise):.6f}e-6"
        made.append(row)
    return made


@pytest.mark.parametrize("prices", [(3.0, 0.3, 3.75, 15.0), (0.27, 0.07, 0.27, 1.1)])
def test_rows_that_prices_tell_exactly_tell_the_weights(prices: tuple[float, ...]) -> None:
    """However odd: of a list that no other is like, too."""
    assert found(paid(1, 5, prices)) == pytest.approx([price / prices[0] for price in prices], rel=1e-6)


def test_prices_that_moved_are_told_from_many_rows_before() -> None:
    """Nearly, where costs are not what prices say to the last digit."""
    rows = paid(2, 60, (1.0, 0.5, 2.0, 8.0), times=1.7, noise=0.01)
    assert found(rows) == pytest.approx([1, 0.5, 2, 8], rel=0.25)


def test_one_row_tells_the_weights_under_which_the_price_stayed() -> None:
    """Where lists have such weights."""
    assert found(paid(3, 1, (2.0, 0.5, 2.5, 16.0), sent=3)) == [1, 0.25, 1.25, 8]


def test_nothing_is_told_by_a_price_that_moved_in_one_row() -> None:
    """What lists have most often is taken."""
    usual = [USUAL[name] / ONE for name in METERS]
    assert found(paid(4, 1, (2.0, 0.5, 2.5, 16.0), times=1.6, sent=3)) == usual

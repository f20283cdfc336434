"""What was said beside what came."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.forecasts.scoring import AHEAD, Said, naive_scale, scored
from tests.unit.forecasts.build import TOTAL, team


def said(**changes: Any) -> Said:
    return Said(**{"key": TOTAL, "cell": 5, "ahead": 1, "p10": 1.0, "p50": 2.0, "p90": 4.0, "scale": 2.0, **changes})


def test_each_forecast_counts_in_the_range_that_it_was_ahead() -> None:
    """What is farther than all ranges counts with the last."""
    found = scored("hour", [said(ahead=ahead) for ahead in (1, 3, 4, 72, 100)], {(TOTAL, 5): 3.0})
    assert {ahead: score.n for (_, _, ahead), score in found.items()} == {3: 2, 8: 1, 72: 2}


@pytest.mark.parametrize(
    ("came", "where"), [(0.9, "below"), (1.0, "inside"), (4.0, "inside"), (4.1, "above"), (-3.0, "below")]
)
def test_the_band_holds_its_bounds(came: float, where: str) -> None:
    """Credits are below."""
    (score,) = scored("day", [said()], {(TOTAL, 5): came}).values()
    assert {name: getattr(score, name) for name in ("below", "inside", "above")} == {
        "below": 0,
        "inside": 0,
        "above": 0,
        where: 1,
    }
    assert score.error == pytest.approx(abs(came - 2.0) / 2.0)


def test_what_is_not_known_scores_nothing() -> None:
    """Nor does a forecast of what was known already; without a scale only the band counts."""
    assert scored("hour", [said(), said(key=team("ads"))], {(TOTAL, 6): 1.0}) == {}
    assert scored("hour", [said(ahead=0)], {(TOTAL, 5): 1.0}) == {}
    (score,) = scored("hour", [said(scale=0.0)], {(TOTAL, 5): 2.0}).values()
    assert (score.n, score.scaled, score.error) == (1, 0, 0.0)


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 100), st.floats(0, 10)), max_size=50))
def test_every_forecast_is_in_one_place(forecasts: list[tuple[int, float, float]]) -> None:
    """Inside, below or above; and in one range."""
    given_ = [said(ahead=ahead, p10=low, p50=low + wide / 2, p90=low + wide) for ahead, low, wide in forecasts]
    found = scored("day", given_, {(TOTAL, 5): 42.0})
    assert sum(score.n for score in found.values()) == len(given_)
    assert all(score.n == score.inside + score.below + score.above for score in found.values())
    assert {ahead for _, _, ahead in found} <= set(AHEAD["day"])


def test_the_scale_is_how_far_repeating_was_off() -> None:
    """Of late, of what is known; 0 where nothing can be said."""
    row = np.tile(np.arange(24.0), 20)
    assert naive_scale(row, "hour") == 0.0
    row[-24:] += 14
    assert naive_scale(row, "hour") == pytest.approx(1.0)
    row[0:30] = np.nan
    assert naive_scale(row, "hour") == pytest.approx(1.0)
    assert naive_scale(np.full(300, np.nan), "hour") == 0.0
    assert naive_scale(np.ones(5), "day") == 0.0

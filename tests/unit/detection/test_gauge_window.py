"""What deviates add up to."""

import numpy as np
import pytest

from stream_jobs.detection.gauge_window import LEAST_SPAN, WINSOR, Windows

ONE = np.array([0])


def taught(step: int, scale_of: dict[int, float], values: int = 2_000) -> Windows:
    """Residuals of ±1 alternately, times their hour's scale."""
    windows = Windows(step)
    windows.grow(1)
    for number in range(values):
        hour = number * step // 60 % 24
        windows.learn(ONE, np.array([number * step]), np.array([(-1.0) ** number * scale_of.get(hour, 1.0)]))
    return windows


@pytest.mark.parametrize(("step", "spans"), [(5, (72, 288, 864)), (60, (6, 24, 72)), (1440, (LEAST_SPAN,))])
def test_spans(step: int, spans: tuple[int, ...]) -> None:
    """Hours and days, and some values at least."""
    assert Windows(step).spans == spans


def test_noise_of_an_hour() -> None:
    """The same residual is as much farther off as its hour is usually quieter."""
    windows = taught(60, {3: 0.1})
    quiet, loud = (windows.deviates(ONE, np.array([60 * hour]), np.array([1.0]))[0] for hour in (3, 15))
    assert 2.5 < quiet / loud < 10


def test_nothing_is_known() -> None:
    """Of too few residuals, and of none."""
    assert np.isnan(taught(60, {}, 5).deviates(ONE, np.array([0]), np.array([1.0]))).all()
    assert np.isnan(taught(60, {}).deviates(ONE, np.array([0]), np.array([np.nan]))).all()


def pushed(windows: Windows, deviates: list[float]) -> tuple[np.ndarray, np.ndarray]:
    for number, one in enumerate(deviates):
        at = np.array([60 * number])
        found = windows.push(ONE, at, np.array([one]), np.array([one]), np.array([0.0]))
    return found


def test_a_little_for_long_is_much() -> None:
    """A level of one deviate is beyond 5 in the sum of days, and the drift is that level; one value is bounded."""
    sums, drifts = pushed(taught(60, {}), [1.0] * 72)
    assert sums[0, 2] > 5 > sums[0, 0]
    assert drifts == pytest.approx(1.0)
    alone, _ = pushed(taught(60, {}), [0.0] * 72 + [1e6])
    assert alone.max() <= WINSOR


def test_what_was_told_is_forgotten() -> None:
    """And the run begins anew."""
    windows = taught(60, {})
    pushed(windows, [-0.5] * 10 + [2.0] * 30)
    began, run = windows.run(ONE)
    assert began[0] == 60 * 11
    assert run[0].tolist() == [29.0, 58.0, 0.0]
    windows.forget(ONE)
    sums, _ = pushed(windows, [0.5])
    assert sums[0].tolist() == [0.5] * 3

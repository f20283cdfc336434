"""Means of the last residuals."""

import numpy as np

from stream_jobs.detection.gauge_recent import Recent


def test_means_of_recent() -> None:
    """The mean of the last three, of fewer in the beginning; none where there is no new one."""
    recent = Recent(1)
    recent.grow(1)
    values = (3.0, 6.0, 9.0, 12.0, np.nan, 6.0)
    told = [float(recent.push(np.array([0]), np.array([[value]]))[0, 0]) for value in values]
    assert told[:4] == [3.0, 4.5, 6.0, 9.0]
    assert np.isnan(told[4])
    assert told[5] == 9.0

"""When a slow member is fitted again: a stored forecast that still holds is not improved by another fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from stream_jobs.forecasting.model import Floats

LATEST: Final = 24
"""So many actuals are judged, the latest of those since the fit."""
LEAST: Final = 12
"""With fewer of them known, chance would decide."""
MOST_OUTSIDE: Final = 0.35
"""Of a band that should be left by a fifth. Of 24 that are independent, 9 or more are outside once in 28 times."""
MOST_ERROR: Final = 1.3
MOST_AGE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Stored:
    """A forecast as it was stored, beside what came. Arrays of (steps,): the cells since the fit that are over."""

    fitted_at: datetime
    until: datetime  # the end of its last step
    bands: Floats  # (steps, 3): P10, P50, P90
    actuals: Floats  # NaN: not known
    tested_error: float
    """The mean absolute error of its back-test, in the unit of the values; NaN: it had none."""
    changes: Mapping[str, datetime] = field(default_factory=dict)
    """What moves a forecast ("a level shift", "an event", "a price", "a budget"), and when it last changed."""


def why_refit(stored: Stored, now: datetime, needed_until: datetime) -> str | None:
    """The reason, for people; None while the stored forecast is good enough."""
    for what, changed_at in stored.changes.items():
        if changed_at > stored.fitted_at:
            return f"{what} changed"
    if needed_until > stored.until:
        return "the stored forecast does not reach far enough"
    if now - stored.fitted_at > MOST_AGE:
        return f"it is older than {MOST_AGE.days} days"
    return _why_worse(stored)


def _why_worse(stored: Stored) -> str | None:
    actuals, bands = stored.actuals[-LATEST:], stored.bands[-LATEST:]
    known = np.isfinite(actuals) & np.isfinite(bands).all(axis=1)
    actuals, bands = actuals[known], bands[known]
    if len(actuals) < LEAST:
        return None
    outside = int(((actuals < bands[:, 0]) | (actuals > bands[:, 2])).sum())
    if outside > MOST_OUTSIDE * len(actuals):
        return f"{outside} of the last {len(actuals)} actuals are outside of its band"
    error = float(np.abs(actuals - bands[:, 1]).mean())
    if stored.tested_error > 0 and error >= MOST_ERROR * stored.tested_error:
        return f"its error is {error / stored.tested_error:.2g} times that of its back-test"
    return None

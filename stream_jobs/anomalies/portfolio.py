"""How surprising something must be in a portfolio: a budget of false alerts for all series together.

Alone, a series may cause the detector's nominal false alarms. While all of them together stay within the budget each is
judged as if it were alone. Beyond that each has a part of the budget in proportion to the square root of what it has
spent lately, at most what it may cause alone: ten times the spend is worth a third of the patience. A part that is `k`
times less needs ln k nats more: about 4.6 for 10,000 series of the same size. No series is given up: MOST nats more is
all that is ever asked.
"""

from typing import Final

import numpy as np

from stream_jobs.detection.config import DEFAULT_BUDGET
from stream_jobs.detection.model import Floats

DAYS: Final = 7
LEAST: Final = 0.01
"""Of the mean weight: what has spent next to nothing weighs so much."""
MOST: Final = 12.0
_ROUNDS: Final = 60


def more_nats(importance: Floats, per_week: float, budget: float = DEFAULT_BUDGET) -> Floats:
    """[series] what each needs more than one by itself. `importance`: what each has spent lately, in any unit;
    `per_week`: false alerts that all of them may cause; `budget`: false alarms of one, per 1,000 series-days."""
    alone = budget * DAYS / 1000
    if not len(importance) or alone * len(importance) <= per_week:
        return np.zeros(len(importance))
    weight = np.sqrt(np.maximum(importance, 0.0))
    weight = np.maximum(weight, LEAST * weight.mean()) if weight.any() else np.ones(len(weight))
    low, high = 0.0, alone / float(weight.min())
    for _ in range(_ROUNDS):  # the parts add up to the budget
        middle = (low + high) / 2
        if float(np.minimum(alone, middle * weight).sum()) > per_week:
            high = middle
        else:
            low = middle
    parts = np.minimum(alone, max(low, 1e-300) * weight)
    return np.clip(np.log(alone / parts), 0.0, MOST)

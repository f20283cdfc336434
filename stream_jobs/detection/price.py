"""A request costs another amount from now on: what was learned in money, put in terms of that.

The level alone follows what is adopted. How far apart requests' costs lie, and what the dearest of a day cost, are
amounts, too: left as they were, fifty times the price would look like noise that is fifty times too small. And what
cost next to nothing has no season or noise of its own money to keep: from now on that is what its requests have.
"""

from typing import Final

import numpy as np

from stream_jobs.detection.frame import Frame
from stream_jobs.detection.minutes import DEAR_STEPS
from stream_jobs.detection.scales import COST, EVENTS
from stream_jobs.detection.state import RAMP_STEPS

LEAST: Final = 0.25  # of the logarithm of a price: what changes by less needs nothing
FREE: Final = 4.6  # a hundredfold price: it was next to free
FEW: Final = 24.0  # requests of a day, that must tell one
APART: Final = 2.0  # mean square of what requests cost, over the square of their mean, until they have told it
_OF_MEASURES: Final = (
    *("trend", "trend_past", "day_v", "num", "unsure", "unsure_up", "tau2", "tau2_up"),
    *("mean_z", "hours_z", "sums_z", "ramp_z", "limit_up", "limit_down"),
)
_OF_SIDES: Final = ("spread", "record", "today", "most", "most_mean", "most_today")


def change(d: Frame, i: int, moved: float, cost: float = 0.0, requests: float = 0.0) -> None:
    """Requests of series `i` cost e^moved times what they did. Where it is known what some cost at that price, it is
    these that tell, and what comes from now on."""
    if abs(moved) < LEAST:
        return
    s, times = d.state, float(np.exp(moved))
    s.phi[COST, i] *= times
    if cost > 0 and requests > 0:
        s.money[i], s.requests[i] = cost, requests
    else:
        s.money[i] *= times
    s.squares[i] = s.phi[COST, i] * s.money[i]
    s.dear[:, i] *= times
    s.dear_mean[0, i] += moved
    steps = s.ring_dear[:, i].astype(np.float64)  # in units of phi
    s.ring_dear[:, i] = np.where(steps > 0, np.clip(steps - np.rint(DEAR_STEPS * moved), 1, 255), 0)


def was_free(moved: float, requests: float) -> bool:
    """Whether so many requests, which cost e^moved times what was usual, cost next to nothing before."""
    return moved > FREE and requests >= FEW


def as_requests(d: Frame, i: int, cost: float, requests: float) -> None:
    """Of the money of series `i` all that is known is that so many requests cost so much, and that they will."""
    s, price = d.state, cost / requests
    d.stale = True
    for name in _OF_MEASURES:
        values = getattr(s, name)
        values[COST, ..., i] = values[EVENTS, ..., i]
    for name in _OF_SIDES:
        values = getattr(s, name)
        values[:, COST, ..., i] = values[:, EVENTS, ..., i]
    s.level[COST, i] = s.level[EVENTS, i] + np.log(price)
    days = s.days_level[EVENTS, :, i] + np.rint(RAMP_STEPS * np.log(price))
    s.days_level[COST, :, i] = np.clip(days, -32000, 32000)
    s.line[:, COST, i] = s.line[:, EVENTS, i] * price
    for values in (s.ring_e, s.win_e, s.past_e):
        values[COST, ..., i] = values[EVENTS, ..., i] * price
    for values in (s.day_x, s.day_e, s.day_num, s.day_den):
        values[COST, i] = 0
    s.money[i], s.requests[i], s.phi[COST, i] = cost, requests, APART * price
    s.squares[i] = s.phi[COST, i] * cost
    s.dear[:, i] = s.dear_mean[:, i] = s.ring_dear[:, i] = 0

"""LiteLLM's rule for unusual spend, in our own words: a user's day is unusual when it has cost more than three times
the mean of the seven days before. Looked at when an hour ends, which is kinder than a report in the morning."""

from typing import Final

import numpy as np

from stream_jobs.detection.model import Floats
from tests.benchmarks.detection.found import Found
from tests.benchmarks.detection.peers.runs import findings, totals

STEP: Final = 60
TIMES: Final = 3.0
DAYS: Final = 7


def find(cost: Floats, first: int, since: int) -> list[Found]:
    hours = totals(cost, STEP)
    days = hours.shape[1] // 24
    by_day = hours[:, : days * 24].reshape(len(hours), days, 24)
    so_far = by_day.cumsum(axis=2)
    before = np.pad(by_day.sum(axis=2).cumsum(axis=1), ((0, 0), (1, 0)))
    mean = np.full((len(hours), days), np.inf)
    mean[:, DAYS:] = (before[:, DAYS:days] - before[:, : days - DAYS]) / DAYS
    above = (so_far > TIMES * mean[:, :, None]).reshape(len(hours), days * 24)
    return findings(above, np.zeros_like(above), STEP, first)

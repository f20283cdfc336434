"""Histories for tests."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from stream_jobs.forecasts.grid import Grid
from stream_jobs.forecasts.model import Key, Past

TOTAL = Key("", (), (), "effective_cost")
HOURS = Grid("hour")
BERLIN = Grid("day", ZoneInfo("Europe/Berlin"))


def team(name: str) -> Key:
    return Key("", ("team",), (name,), "effective_cost")


def past(
    rows: Sequence[Sequence[float]], *, keys: Sequence[Key] = (TOTAL,), grid: Grid = HOURS, first: int = 0
) -> Past:
    return Past(grid, first, list(keys), np.array(rows, dtype=float))

"""Amounts of budgets as their feeds and tables carry them."""

from decimal import Decimal
from typing import Final

from spendstream_schemas.types import MAX_USD
from stream_jobs.base.money import PICO_PER_USD

NOTHING_USES_IT_UP: Final = Decimal(MAX_USD)
"""The amount of money of a budget that counts something else: what guards see that know money only."""
_MAX_PICO: Final = MAX_USD * PICO_PER_USD


def pico_of_feed(pico: int) -> int:
    """As much of it as a feed carries and a column holds (spendstream_schemas.types.MAX_USD). What is beyond, which no
    real spend is, must not keep the rest from being told."""
    return pico if -_MAX_PICO <= pico <= _MAX_PICO else max(-_MAX_PICO, min(_MAX_PICO, pico))

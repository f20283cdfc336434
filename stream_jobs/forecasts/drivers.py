"""What moves each cost that a run of days forecasts: its requests, their tokens, prices that are known to come, and the
rest of what a token costs. Plain."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from stream_jobs.forecasting.drivers import PARTS, Drivers, amounts_of, decompose, expected_of, median_per_cell
from stream_jobs.forecasting.model import Forecast
from stream_jobs.forecasts.beforehand import Beforehand
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.model import Floats, Past
from stream_jobs.forecasts.rows import amount
from stream_jobs.series.measures import Measure

LATELY: Final = 28
AHEAD: Final = (7, 28, 84)
"""Days that are compared. All are whole weeks, so that weekdays move nothing."""
_MEASURES: Final[tuple[Measure, Measure, Measure]] = ("effective_cost", "events", "tokens")


class _Seen(NamedTuple):
    """Of one series and measure; by AHEAD."""

    lately: Floats  # (LATELY,); NaN: not known
    expected: dict[int, float | None]  # per day
    prices: dict[int, float]  # what known prices make of it


class Moves:
    """Collects what one run says of costs, requests and tokens."""

    def __init__(self) -> None:
        self._seen: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[Measure, _Seen]] = {}

    def add(self, past: Past, forecasts: Sequence[Forecast], known: Beforehand | None, horizon: int) -> None:
        """Series of days that were forecast together. Those of budgets are left out."""
        for place, (key, forecast) in enumerate(zip(past.keys, forecasts, strict=True)):
            if not key.budget_id:
                ahead = [days for days in AHEAD if days <= horizon]
                self._seen.setdefault((key.dims, key.vals), {})[key.measure] = _Seen(
                    _lately(past.values[place]),
                    {days: median_per_cell(forecast, days) for days in ahead},
                    {days: _dearer(known, place, days) for days in ahead},
                )

    def rows(self, lease: Lease) -> Iterator[dict[str, Any]]:
        """Of `forecast_drivers`: of each cost of which requests and tokens were looked at, too."""
        for (dims, vals), seen in self._seen.items():
            if any(measure not in seen for measure in _MEASURES):
                continue
            measures = [seen[measure] for measure in _MEASURES]
            lately = amounts_of(*(one.lately for one in measures))
            for days, dearer in measures[0].prices.items():
                expected = expected_of(*(one.expected[days] for one in measures))
                moved = _moved(decompose(lately, expected, dearer))
                yield {"run": lease.run, "dims": list(dims), "vals": list(vals), "days": days, **moved}


def _lately(values: Floats) -> Floats:
    last = values[-LATELY:]
    return np.concatenate([np.full(LATELY - len(last), np.nan), last])


def _dearer(known: Beforehand | None, place: int, days: int) -> float:
    """By what a day ahead is dearer than one of late, of the same usage."""
    if known is None or known.prices is None:
        return 1.0
    over = known.prices[place, max(known.cells - LATELY, 0) : known.cells]
    ahead = known.prices[place, known.cells : known.cells + days]
    return float(ahead.mean() / over.mean())


def _moved(found: Drivers) -> dict[str, Any]:
    expected = found.expected if found.ratio is not None else None
    return {
        "per": found.per,
        "cost_lately": amount(found.lately.cost),
        "cost_ahead": None if expected is None else amount(expected.cost),
        "requests_lately": found.lately.requests,
        "requests_ahead": None if expected is None else expected.requests,
        "tokens_lately": found.lately.tokens,
        "tokens_ahead": None if expected is None else expected.tokens,
        "ratio": found.ratio,
        **{f"{part}_factor": found.parts.get(part) for part in PARTS},
        **{f"{part}_usd": None if expected is None else amount(found.usd[part]) for part in PARTS},
        "why": found.why,
    }

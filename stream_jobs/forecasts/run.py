"""One run, from the history to its last row.

The order of writes: 'running' ▸ scores of what is over ▸ series and steps, some at a time ▸ budgets ▸ drivers ▸
'complete'. A crash before the last leaves rows that nobody sees, and the next run begins anew: nothing of this one is
needed. Scores that were written stay; who scores the same again replaces them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from stream_jobs.budget_terms.in_force import budgets_in_force
from stream_jobs.budget_terms.resolve import Budgets
from stream_jobs.forecasting.model import Forecast, Told
from stream_jobs.forecasts.drivers import Moves
from stream_jobs.forecasts.findings import incidents
from stream_jobs.forecasts.first_days import with_first_days
from stream_jobs.forecasts.foreknowledge import Foreknowledge
from stream_jobs.forecasts.incidents import LONGEST, without_incidents
from stream_jobs.forecasts.lease import Lease
from stream_jobs.forecasts.methods import forecast_panel
from stream_jobs.forecasts.model import Past
from stream_jobs.forecasts.outlooks import Outlooks
from stream_jobs.forecasts.past import PastReader
from stream_jobs.forecasts.plan import Part, parts
from stream_jobs.forecasts.rows import portions, series_row, step_rows
from stream_jobs.forecasts.runs import Runs
from stream_jobs.forecasts.scores import NOTHING_SCORED, Scores
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.forecasts.slow_fits import PoolFits
from stream_jobs.forecasts.slow_members import Kept, SlowMembers
from stream_jobs.series.history import History
from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert

log = logging.getLogger(__name__)

SERIES_AT_ONCE: Final = 50
"""In one insert: with 90 steps 4,500 rows, which are one thread's work."""
ROWS_AT_ONCE: Final = 4_500


def no_rest(_done: int, _of: int) -> None: ...


class StoppedError(Exception):
    """The feed is another's: nothing more is written."""


@dataclass(slots=True)
class Counts:
    """What a run has done."""

    series: int = 0
    refused: int = 0
    budgets: int = 0
    scored: int = 0


@dataclass(slots=True)
class _Making:
    """One run that is being made."""

    lease: Lease
    budgets: Budgets
    slow: SlowMembers
    is_stopped: Callable[[], bool]
    told: Told
    counts: Counts = field(default_factory=Counts)
    moves: Moves = field(default_factory=Moves)
    numbers: Iterator[int] = field(default_factory=count)  # of what is inserted


class ForecastRun:
    """Makes runs, one after the other, in one thread."""

    def __init__(
        self,
        store: StoreClient,
        settings: ForecastsSettings,
        config_dir: Path | None,
        foreknowledge: Foreknowledge | None = None,
        kept: Kept | None = None,
        resting: Callable[[], Told] = lambda: no_rest,
    ) -> None:
        """`kept`: what slow members said, which goes on from run to run. `resting`: gives each run what is called as it
        computes, in its thread."""
        self._kept: Kept = {} if kept is None else kept
        self._store = store
        self._settings = settings
        self._config_dir = config_dir
        self._foreknowledge = foreknowledge
        self._resting = resting
        self._runs = Runs(store)
        history = History(store)
        self._reader = PastReader(history, settings.most_values)
        self._outlooks = Outlooks(store, history)
        self._scores = Scores(store)

    def make(
        self, lease: Lease, now: Callable[[], datetime], is_stopped: Callable[[], bool], is_awaited: bool = False
    ) -> Counts:
        """`is_awaited`: somebody waits for it, so it does not rest. Raises StoreUnavailableError, LateInsertError after
        its deadline, ConfigError for budgets that cannot be used, and StoppedError."""
        self._runs.begins(lease)
        budgets = budgets_in_force(self._store, self._config_dir, lease.run)
        if self._foreknowledge is not None:
            self._foreknowledge.begins()
        slow = SlowMembers(self._settings, self._kept, PoolFits(self._settings, is_stopped))
        making = _Making(lease, budgets, slow, is_stopped, no_rest if is_awaited else self._resting())
        for part in parts(lease.grain, budgets, lease.known_until, self._settings):
            self._forecast(part, making)
        moved = list(making.moves.rows(lease))
        for places in portions(len(moved), ROWS_AT_ONCE):
            self._insert("forecast_drivers", [moved[place] for place in places], making)
        if is_stopped():
            raise StoppedError
        # A crash here: nothing of this run is ever seen, and the next one begins anew.
        counts = making.counts
        facts = {"series": counts.series, "refused": counts.refused, "budgets": counts.budgets}
        self._runs.completes(lease, now(), facts)
        return counts

    def _forecast(self, part: Part, making: _Making) -> None:
        lease, counts = making.lease, making.counts
        past = self._reader.read(part.grid, part.watched, part.cells, part.origin)
        counts.scored += self._scores.score(past, lease, next(making.numbers))
        quality = self._scores.quality(part.grid)
        known_since = part.grid.start(past.first) - LONGEST
        values = without_incidents(past, incidents(self._store, known_since, lease.run))
        known = None if self._foreknowledge is None else self._foreknowledge.of(past, part.watched, part.horizon)
        slow = partial(making.slow.of, past.keys) if part.takes_slow else None
        made = forecast_panel(past.panel(values), part.horizon, known, self._settings.country, slow, making.told)
        if lease.grain == "day":
            making.moves.add(past, made, known, part.horizon)
        past, forecasts = with_first_days(self._reader, part, past, made, lease.known_until)
        for places in portions(len(past.keys), SERIES_AT_ONCE):
            if making.is_stopped():
                raise StoppedError
            self._write(past, forecasts, places, making, quality)
        outlooks = list(self._outlooks.rows(part, making.budgets, past, forecasts, lease))
        if outlooks:
            self._insert("budget_forecasts", outlooks, making)
        counts.budgets += len(outlooks)
        counts.series += len(forecasts)
        counts.refused += sum(forecast.refused for forecast in forecasts)

    def _write(
        self, past: Past, forecasts: Sequence[Forecast], places: Sequence[int], making: _Making, quality: Any
    ) -> None:
        lease = making.lease
        described = [
            series_row(lease, past, place, forecasts[place], quality.get(past.keys[place], NOTHING_SCORED))
            for place in places
        ]
        steps = [row for place in places for row in step_rows(lease, past, past.keys[place], forecasts[place])]
        self._insert("forecast_series", described, making)
        self._insert("forecasts", steps, making)

    def _insert(self, table: str, rows: Sequence[dict[str, Any]], making: _Making) -> None:
        lease = making.lease
        token = lease.token(table, next(making.numbers))
        insert(self._store.client, table, arrow_table(table, rows), token, lease.not_after)

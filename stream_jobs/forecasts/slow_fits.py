"""Fits of slow members in a pool of processes that lives as long as they take: bounded in time, memory and number."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from stream_jobs.forecasting.members.fits import fit
from stream_jobs.forecasting.members.loading import load
from stream_jobs.forecasting.members.model import Answer, Task
from stream_jobs.forecasts.settings import ForecastsSettings
from stream_jobs.runtime.forked.model import MIB, Done, Limits, PoolError
from stream_jobs.runtime.forked.pool import Pool

log = logging.getLogger(__name__)

Tasks = Sequence[tuple[str, Task]]
"""With the names that people read."""
Fits = Callable[[Tasks, float], Iterator[Done[Answer]]]
"""An answer for each, in so many seconds."""


class PoolFits:
    """Of the settings; nothing runs before and after a call. Used by one thread."""

    def __init__(self, settings: ForecastsSettings, is_stopped: Callable[[], bool]) -> None:
        self._settings = settings
        self._is_stopped = is_stopped
        self._why_none = ""  # there can be no pool: it is not tried twice

    def __call__(self, tasks: Tasks, seconds: float) -> Iterator[Done[Answer]]:
        """Never raises what a fit or the pool does: each that there is no answer of says why."""
        answered: set[str] = set()
        try:
            if not self._why_none:
                for done in self._run(tasks, seconds):
                    answered.add(done.name)
                    yield done
        except (PoolError, OSError) as error:
            self._why_none = f"no process for fits: {error}"
            log.error("forecasts go on without Prophet, ETS, Theta and STL, %s", self._why_none)
        for name, _ in tasks:
            if name not in answered:
                yield Done(name, None, self._why_none, 0.0, cut_short=True)

    def _run(self, tasks: Tasks, seconds: float) -> Iterator[Done[Answer]]:
        settings = self._settings
        limits = Limits(
            workers=settings.slow_workers,
            task_s=settings.slow_fit_s,
            memory_bytes=settings.slow_memory_mib * MIB,
            start_s=seconds,
        )
        countries = (settings.country,) if settings.country else ()
        with Pool(partial(load, countries), limits) as pool:
            yield from pool.run(fit, tasks, seconds, self._is_stopped)

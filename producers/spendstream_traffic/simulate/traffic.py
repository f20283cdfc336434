"""Traffic in slices of time: a Poisson process per cell whose rate follows season, growth, noise and incidents.

Each slice has random numbers of its own, seeded by the run's seed and the slice's number, and incidents have theirs. So
the traffic outside of an incident is the same, event by event, as in a run without it, and memory holds one slice.
"""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from spendstream_traffic.simulate.catalog import CELLS, ENVIRONMENTS
from spendstream_traffic.simulate.config import SimulationConfig
from spendstream_traffic.simulate.draws import Columns, Fixed, Flags, Floats, Ints, Population, customer_index
from spendstream_traffic.simulate.incidents import Incident
from spendstream_traffic.simulate.season import growth_at, season_at
from stream_jobs.base.instants import from_unix_micros, unix_micros

_EVENTS_PER_SLICE: Final = 4000
_SLICE_BOUNDS_S: Final = (1, 900)
_NOISE_BUCKET_S: Final = 900
_NOISE_SIGMA: Final = 0.08
_BASE, _NOISE, _INCIDENT = 0, 1, 2  # the kinds of random streams


class Traffic:
    """The slices of one run."""

    def __init__(self, config: SimulationConfig) -> None:
        self._config = config
        self._population = Population(config.customers, config.users_per_customer, config.missing_tag_share)
        self._start, self._end = unix_micros(config.start), unix_micros(config.end)
        low, high = _SLICE_BOUNDS_S
        self._slice_us = int(min(max(_EVENTS_PER_SLICE / config.rate, low), high)) * 1_000_000
        self._scale = self._population.share * config.rate / self._mean_factor()
        self._profiles = [cell.workload.season for cell in CELLS]

    def slices(self) -> Iterator[Columns]:
        """All events, slice by slice, in the order of their time. A slice may be empty."""
        for number, start in enumerate(range(self._start, self._end, self._slice_us)):
            end = min(start + self._slice_us, self._end)
            rates = self._rates((start + end) // 2)
            columns = self._base(number, start, end, rates)
            extra = [
                more
                for index, incident in enumerate(self._config.incidents)
                if (more := self._extra(number, index, incident, start, end, rates)) is not None
            ]
            if extra:
                columns = _merged([columns, *extra])
            for index, incident in enumerate(self._config.incidents):
                columns = self._changed(number, index, incident, columns)
            yield columns

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence((self._config.seed, *key))))

    def _season(self, at: datetime) -> Floats:
        factors = {name: season_at(name, at) for name in {cell.workload.season for cell in CELLS}}
        return np.array([factors[cell.workload.season] for cell in CELLS])

    def _growth(self, at: datetime) -> float:
        return growth_at(self._config.growth_per_30_days, (at - self._config.start) / timedelta(days=1))

    def _mean_factor(self) -> float:
        """The mean of season and growth over the run, weighted by the cells' shares."""
        config = self._config
        steps = int(min(max(config.duration / timedelta(minutes=20), 24), 6000))
        instants = [config.start + config.duration * ((step + 0.5) / steps) for step in range(steps)]
        share = self._population.share
        return float(np.mean([(self._season(at) * share).sum() * self._growth(at) for at in instants]))

    def _rates(self, at_us: int) -> Floats:
        at = from_unix_micros(at_us)
        bucket = (at_us - self._start) // (_NOISE_BUCKET_S * 1_000_000)
        noise = self._random(_NOISE, bucket).standard_normal(len(CELLS))
        # The mean of a log-normal is exp(sigma^2 / 2) above its median.
        factor = np.exp(_NOISE_SIGMA * noise - _NOISE_SIGMA**2 / 2)
        return np.asarray(self._scale * self._season(at) * self._growth(at) * factor)

    def _base(self, number: int, start: int, end: int, rates: Floats) -> Columns:
        rng = self._random(_BASE, number)
        counts = rng.poisson(rates * ((end - start) / 1e6))
        cell = np.repeat(np.arange(len(CELLS)), counts)
        time_us = rng.integers(start, end, len(cell))
        order = np.argsort(time_us, kind="stable")
        return self._population.draw(rng, cell[order], time_us[order], Fixed())

    def _extra(
        self, number: int, index: int, incident: Incident, start: int, end: int, rates: Floats
    ) -> Columns | None:
        """What a growing incident adds: (factor - 1) times the traffic in its scope."""
        low, high = max(start, unix_micros(incident.start)), min(end, unix_micros(incident.end))
        if low >= high or incident.factor <= 1 or not incident.changes_volume:
            return None
        fixed = _fixed(incident)
        share = np.array(
            [self._population.chance(i, fixed) if incident.covers(cell) else 0.0 for i, cell in enumerate(CELLS)]
        )
        rng = self._random(_INCIDENT, number, index)
        counts = rng.poisson(rates * share * (incident.factor - 1) * ((high - low) / 1e6))
        cell = np.repeat(np.arange(len(CELLS)), counts)
        time_us = rng.integers(low, high, len(cell))
        if incident.kind == "ramp":
            kept = rng.random(len(cell)) < _progress(incident, time_us)
            cell, time_us = cell[kept], time_us[kept]
        order = np.argsort(time_us, kind="stable")
        return self._population.draw(rng, cell[order], time_us[order], fixed)

    def _changed(self, number: int, index: int, incident: Incident, columns: Columns) -> Columns:
        """What an incident takes away from, or changes in, the events within its time and scope."""
        shrinks = incident.changes_volume and incident.factor < 1
        if not len(columns) or (incident.changes_volume and not shrinks):
            return columns
        inside = _inside(incident, columns)
        if not inside.any():
            return columns
        luck = self._random(_INCIDENT, number, index).random(len(columns))
        if shrinks:
            progress = _progress(incident, columns.time_us) if incident.kind == "ramp" else 1.0
            return _selected(columns, ~inside | (luck < 1 - (1 - incident.factor) * progress))
        if incident.kind == "tier_change":
            columns.priority_tier[inside & self._population.priority_tier[columns.cell]] = True
        else:
            lost = inside & (columns.cache_read > 0) & (luck >= incident.factor)
            writes = lost & self._population.writes_cache[columns.cell]
            columns.cache_write[writes] = columns.cache_read[writes]
            columns.cache_read[lost] = 0
        return columns


def _fixed(incident: Incident) -> Fixed:
    scope = incident.scope
    return Fixed(
        customer=customer_index(scope["customer"]) if "customer" in scope else None,
        user=int(scope["user_id"].rpartition("-u")[2]) if "user_id" in scope else None,
        environment=ENVIRONMENTS.index(scope["environment"]) if "environment" in scope else None,
    )


def _inside(incident: Incident, columns: Columns) -> Flags:
    covered = np.array([incident.covers(cell) for cell in CELLS])
    inside = covered[columns.cell]
    inside &= (columns.time_us >= unix_micros(incident.start)) & (columns.time_us < unix_micros(incident.end))
    fixed = _fixed(incident)
    for wanted, column in (
        (fixed.customer, columns.customer),
        (fixed.user, columns.user),
        (fixed.environment, columns.environment),
    ):
        if wanted is not None:
            inside &= column == wanted
    return inside


def _progress(incident: Incident, time_us: Ints) -> Floats:
    start, end = unix_micros(incident.start), unix_micros(incident.end)
    return np.asarray((time_us - start) / (end - start))


def _merged(parts: list[Columns]) -> Columns:
    joined = {item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Columns)}
    order = np.argsort(joined["time_us"], kind="stable")
    return Columns(**{name: values[order] for name, values in joined.items()})


def _selected(columns: Columns, kept: Flags) -> Columns:
    return Columns(**{item.name: getattr(columns, item.name)[kept] for item in fields(Columns)})

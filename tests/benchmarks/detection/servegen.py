"""Real traffic of LLM services per client: ServeGen's requests by hour and mean tokens by six hours (Apache-2.0), as
minutes. The requests of an hour fall into its minutes at random (a Poisson process, given its count); each costs what
its tokens cost at PRICES, times a lognormal of standard deviation 1.2.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests.benchmarks.detection.generator import DAY, FIRST_MINUTE, HOUR, Floats, Incident, Spec, Traffic

FILES: Final = ("derived_hourly_requests.csv", "derived_6h_mean_tokens.csv")
CATEGORY: Final = "language/m-large"  # the one that spans two weeks
HOURS: Final = 336
PRICES: Final = (3e-6, 15e-6)  # USD of an input and an output token
SIGMA: Final = 1.2
WARM_UP_DAYS: Final = 5


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    requests: Floats  # of each hour
    cost: Floats  # mean USD of a request, of each hour

    @property
    def active(self) -> bool:
        """In the days of the warm-up: a request a minute, and something in four of five hours."""
        before = self.requests[: WARM_UP_DAYS * 24]
        return bool(before.mean() >= HOUR and (before > 0).mean() >= 0.8)


def clients(folder: Path) -> list[Client]:
    """In the order of the file."""
    requests: dict[str, Floats] = {}
    with (folder / FILES[0]).open(newline="") as file:
        for row in csv.DictReader(file):
            if row["category"] == CATEGORY:
                requests.setdefault(row["client"], np.zeros(HOURS))[int(row["hour"])] = float(row["requests"])
    cost: dict[str, Floats] = {}
    with (folder / FILES[1]).open(newline="") as file:
        for row in csv.DictReader(file):
            if row["category"] == CATEGORY and row["mean_input_tokens"] and row["mean_output_tokens"]:
                tokens = (float(row["mean_input_tokens"]), float(row["mean_output_tokens"]))
                mean = sum(count * price for count, price in zip(tokens, PRICES, strict=True))
                begin = int(row["start_s"]) // 3600
                cost.setdefault(row["client"], np.full(HOURS, np.nan))[begin : begin + 6] = mean
    usual = float(np.nanmedian(np.stack(list(cost.values()))))
    return [Client(name, counts, _filled(cost.get(name), usual)) for name, counts in requests.items()]


def _filled(cost: Floats | None, usual: float) -> Floats:
    """Where no tokens are told (there were no requests), the client's own mean; without one, that of all."""
    if cost is None:
        return np.full(HOURS, usual)
    return np.where(np.isnan(cost), np.nanmean(cost), cost)


def minutes(many: list[Client], seed: int) -> Traffic:
    """Of [clients, minutes]. Each client has random numbers of its own. The history is the warm-up."""
    rows = [_minutes(one.requests, one.cost, np.random.default_rng([seed, n])) for n, one in enumerate(many)]
    events, cost, squares = (np.stack([row[part] for row in rows]) for part in range(3))
    return _Clients(Spec(series=len(many)), FIRST_MINUTE, events.astype(np.int32), cost, squares)


class _Clients(Traffic):
    @property
    def history_ends(self) -> int:
        return self.first + WARM_UP_DAYS * DAY


def injected(
    clean: Traffic, many: list[Client], shape: str, factor: float, length: int, seed: int, times: int
) -> tuple[Traffic, list[int]]:
    """The active clients' traffic with one incident each, at a random whole hour at which the client is at work; the
    random numbers within it are fresh. All of it `times` times. And which clients they are: their numbers in `many`."""
    rows: list[list[npt.NDArray[Any]]] = []
    incidents, numbers = [], []
    for number, client in list(enumerate(many)) * times:
        rng = np.random.default_rng([seed, len(rows)])
        hours = [hour for hour in range(WARM_UP_DAYS * 24 + 24, HOURS - length // HOUR + 1) if _at_work(client, hour)]
        if not client.active or not hours:
            continue
        hour = int(rng.choice(hours))
        end = hour + length // HOUR
        row = [part[number].copy() for part in (clean.events, clean.cost, clean.squares)]
        fresh = _minutes(client.requests[hour:end] * factor, client.cost[hour:end], rng)
        for part, values in zip(row, fresh, strict=True):
            part[hour * HOUR : end * HOUR] = values
        start = FIRST_MINUTE + hour * HOUR
        incidents.append(Incident(len(rows), start, start + length, shape))
        rows.append(row)
        numbers.append(number)
    events, cost, squares = (np.stack([row[part] for row in rows]) for part in range(3))
    return _Clients(Spec(series=len(rows)), FIRST_MINUTE, events, cost, squares, incidents), numbers


def _at_work(client: Client, hour: int) -> bool:
    """A request a minute in this hour, and something in each of the six before."""
    return bool(client.requests[hour] >= HOUR and client.requests[hour - 6 : hour].min() > 0)


def sums(clean: Traffic, groups: int, size: int, seed: int) -> Traffic:
    """Of all clients, and of random groups of them."""
    rng = np.random.default_rng([seed, 11])
    count = len(clean.events)
    chosen = [np.arange(count), *(rng.choice(count, min(size, count), replace=False) for _ in range(groups))]
    events, cost, squares = (
        np.stack([part[rows].sum(axis=0) for rows in chosen]) for part in (clean.events, clean.cost, clean.squares)
    )
    return _Clients(Spec(series=len(chosen)), FIRST_MINUTE, events, cost, squares)


def _minutes(requests: Floats, mean: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Events, cost and squares of each minute, from hours."""
    counts = rng.multinomial(np.rint(requests).astype(np.int64), np.full(HOUR, 1 / HOUR))
    cost, squares = np.zeros(counts.shape), np.zeros(counts.shape)
    for hour, of_minutes in enumerate(counts):
        single = np.exp(SIGMA * rng.standard_normal(int(of_minutes.sum())) - SIGMA**2 / 2) * mean[hour]
        ends = np.concatenate([[0], np.cumsum(of_minutes)])
        for totals, amounts in ((cost, single), (squares, single * single)):
            summed = np.concatenate([[0.0], np.cumsum(amounts)])
            totals[hour] = summed[ends[1:]] - summed[ends[:-1]]
    return counts.ravel().astype(np.float64), cost.ravel(), squares.ravel()

"""A small controller that scales a deployment by what /demand answers over HTTP, and by the traffic, beside one
that only follows the traffic.

Replicas of this model need 20 minutes to start; its users come to work at 9. Both have the same headroom for what
happens within an hour, and both may stop replicas at once.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

import numpy as np
import numpy.typing as npt
import pytest

from stream_jobs.base.instants import EPOCH
from stream_jobs.forecasting.hourly import Hours
from stream_jobs.forecasting.model import Panel
from stream_jobs.forecasts.demand import HOUR, DemandHour, Outlook
from stream_jobs.forecasts.demand_answer import PATH, route
from stream_jobs.runtime.health import HealthServer
from tests.unit.forecasts.demand_build import CHAT

Rates = npt.NDArray[np.float64]
SEED = 20
DAYS = 21
DELAY = 20  # minutes from the order of a replica until it serves
PER_REPLICA = 4.0  # requests per second
HEADROOM = 1.1
MINUTES = 24 * 60
OUTAGE = range(10 * 60, 11 * 60)
TODAY = EPOCH + timedelta(days=20_000 + DAYS)


def traffic() -> Rates:
    """(days, minutes): requests per second, from one day to the next more or less, and noisy."""
    rng = np.random.default_rng(SEED)
    hour = np.arange(MINUTES) / 60
    course = 12 + 80 / (1 + np.exp(-(hour - 9) * 8)) / (1 + np.exp((hour - 17.5) * 4))
    levels = np.exp(rng.normal(0, 0.08, (DAYS + 1, 1)))
    found: Rates = levels * course * np.exp(rng.normal(0, 0.03, (DAYS + 1, MINUTES)))
    return found


@dataclass
class Deployment:
    """Replicas that serve, and those that start."""

    serving: int = 4
    starting: list[tuple[int, int]] = field(default_factory=list)  # when they will serve, and how many
    short: int = 0  # minutes in which not everything was served
    lost: float = 0.0  # requests
    used: int = 0  # minutes of replicas, from the order on

    def scale(self, minute: int, wanted: int) -> None:
        """To so many. What starts is stopped first."""
        missing = wanted - self.serving - sum(count for _, count in self.starting)
        if missing > 0:
            self.starting.append((minute + DELAY, missing))
        while missing < 0 and self.starting:
            ready, count = self.starting.pop()
            if count + missing > 0:
                self.starting.append((ready, count + missing))
            missing = min(0, missing + count)
        if missing < 0:
            self.serving += missing

    def serve(self, minute: int, rate: float) -> None:
        """For a minute."""
        self.serving += sum(count for ready, count in self.starting if ready <= minute)
        self.starting = [(ready, count) for ready, count in self.starting if ready > minute]
        unserved = max(0.0, rate - self.serving * PER_REPLICA)
        self.short += unserved > 0
        self.lost += unserved * 60
        self.used += self.serving + sum(count for _, count in self.starting)


class Forecaster:
    """The store of the server: each hour what was known by then, as the job makes it; for an hour it is stale."""

    def __init__(self, rates: Rates) -> None:
        by_hour = rates.reshape(-1, 60).mean(axis=1) * 3600
        first = (TODAY - timedelta(days=DAYS) - EPOCH) // HOUR
        self._hours = Hours(Panel([str(CHAT)], "hour", first, by_hour[None, :]), 6)
        self.minute = 0
        self._made: dict[datetime, list[DemandHour]] = {}

    def now(self) -> datetime:
        return TODAY + timedelta(minutes=self.minute)

    def outlook(self) -> Outlook:
        now = TODAY + timedelta(minutes=self.minute)
        begin = TODAY + self.minute // 60 * HOUR
        if begin not in self._made:
            (forecast,) = self._hours.forecast((begin - EPOCH) // HOUR)
            self._made[begin] = [
                DemandHour(begin + number * HOUR, {"0.5": p50 / 3600, "0.9": p90 / 3600}, {"0.5": None, "0.9": None})
                for number, (_, p50, p90) in enumerate(forecast.steps.tolist())
            ]
        stale = "the feed is late" if self.minute in OUTAGE else ""
        return Outlook(now, {CHAT: self._made[begin]}, begin, stale)


@pytest.fixture(scope="module")
def rates() -> Rates:
    return traffic()


@pytest.fixture
def forecaster(rates: Rates) -> Forecaster:
    return Forecaster(rates)


@pytest.fixture
def url(forecaster: Forecaster) -> Iterator[str]:
    with HealthServer(0, lambda: None, routes={PATH: route(forecaster.outlook, forecaster.now)}) as server:
        yield f"{server.url}{PATH}?model=gpt-4o&provider=openai&per_replica={PER_REPLICA / HEADROOM}"


def day(today: Rates, wanted: Callable[[int], int]) -> Deployment:
    """Scaled every minute."""
    deployment = Deployment()
    for minute, rate in enumerate(today.tolist()):
        deployment.scale(minute, wanted(minute))
        deployment.serve(minute, rate)
    return deployment


@pytest.mark.slow
def test_replicas_are_there_before_the_peak_where_whoever_follows_the_traffic_is_late(
    rates: Rates, forecaster: Forecaster, url: str
) -> None:
    """With both triggers, the larger of which counts, as in an HPA. While the forecast is stale the other goes on."""
    today = rates[-1]
    refused = []

    def behind(minute: int) -> int:
        return ceil(float(today[max(0, minute - 1)]) * HEADROOM / PER_REPLICA)

    def ahead(minute: int) -> int:
        forecaster.minute = minute
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                wanted = int(json.load(response)["replicas"])
        except urllib.error.HTTPError as error:
            with error:
                refused.append((minute, error.code, json.load(error)["error"]))
            wanted = 0
        return max(wanted, behind(minute))

    predictive, reactive = day(today, ahead), day(today, behind)
    asked = float(today.sum()) * 60
    assert reactive.lost / asked > 0.02
    assert predictive.lost / asked < 0.002
    assert predictive.short < reactive.short / 2
    assert predictive.used < 1.5 * reactive.used
    assert refused == [(minute, 503, "the forecast is stale: the feed is late") for minute in OUTAGE]

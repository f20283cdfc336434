"""Between `worker.py`, which runs jobs, and each job's `build(context)`, which knows what the job is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import faust
from pydantic_settings import BaseSettings

from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.origin.judge import Origin
from stream_jobs.runtime.health import Route
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.timer import Timer
from stream_jobs.series.labels import WatchedLabels
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.app import Runner

if TYPE_CHECKING:
    from stream_jobs.attribution.rules import AttributionRules
    from stream_jobs.pricing.book import PriceBook

BuiltApp = tuple[faust.App, Runner]
Group = TypeVar("Group", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Job:
    """What `build` makes. The worker calls `app` in the event loop that the app then runs in, starts the timers, and
    at the end stops them and calls `close`. `routes`, by path, are answered on the port of health and metrics."""

    app: Callable[[], BuiltApp] | None = None
    timers: Sequence[Timer] = ()
    close: Sequence[Callable[[], None]] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)


class InUse:
    """The prices and rules that this process works with: loaded when first asked for, replaced by whoever takes up
    files that have changed. Raises ConfigError for files that cannot be used."""

    def __init__(self, config_dir: Path | None) -> None:
        self._config_dir = config_dir
        self._book: PriceBook | None = None
        self._rules: AttributionRules | None = None
        self._followers: list[Callable[[PriceBook, AttributionRules], None]] = []

    def book(self) -> "PriceBook":
        if self._book is None:
            from stream_jobs.pricing.book import PriceBook  # here: a process without prices need not load this

            self._book = PriceBook.load(self._config_dir)
        return self._book

    def rules(self) -> "AttributionRules":
        if self._rules is None:
            from stream_jobs.attribution.rules import AttributionRules

            self._rules = AttributionRules.load(self._config_dir)
        return self._rules

    def follow(self, told: "Callable[[PriceBook, AttributionRules], None]") -> None:
        """`told` hears of what is in use from now on."""
        self._followers.append(told)

    def use(self, book: "PriceBook", rules: "AttributionRules") -> None:
        self._book, self._rules = book, rules
        for told in self._followers:
            told(book, rules)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What the jobs of one process are built from, and share."""

    kafka: KafkaSettings
    origin: Origin
    groups: Sequence[BaseSettings]  # all settings; see `settings`
    config_dir: Path | None
    limits: BookerLimits
    future_tolerance: timedelta
    faust: Mapping[str, Any]  # what every app is made with: broker_urls, faust_options, topic_start
    store: StoreClient  # that of booking
    new_client: Callable[[], StoreClient]
    in_use: InUse
    labels: WatchedLabels

    def settings(self, group: type[Group]) -> Group:
        """A package's own settings."""
        return next(one for one in self.groups if isinstance(one, group))

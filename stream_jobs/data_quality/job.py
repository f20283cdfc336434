"""The job 'data_quality': looks every half minute at whether the data can be trusted, and says where it cannot.

Several workers may run it: they find the same, and a signal is the same however often it is sent.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from spendstream_schemas.alert_feed import AlertSignal
from stream_jobs.base.errors import SpendstreamError
from stream_jobs.conservation.accounts import Accounts
from stream_jobs.conservation.check import check as check_conservation
from stream_jobs.data_quality import conservation as conservation_check
from stream_jobs.data_quality import lag as lag_check
from stream_jobs.data_quality import price_source, quarantine, stated_cost, unallocated, unpriced
from stream_jobs.data_quality.conservation import ConservationCheck
from stream_jobs.data_quality.finding import PREFIX, Result
from stream_jobs.data_quality.lag import LagCheck
from stream_jobs.data_quality.open_conditions import next_signals
from stream_jobs.data_quality.settings import DataQualitySettings
from stream_jobs.job_context import Job, JobContext
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.alert_signals import SignalPublisher
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import DATA_QUALITY_CHECKED, DATA_QUALITY_FINDINGS
from stream_jobs.runtime.timer import Timer
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)


def build(context: JobContext) -> Job:
    """Raises ConfigError."""
    signals = SignalPublisher(context.kafka)
    context.in_use.book()  # what is wrong with it is said at the start

    def open_alerts() -> set[str]:
        """What was told before a restart and is not over."""
        return {str(alert_id) for (alert_id,) in context.store.rows("SELECT alert_id FROM alerts_open")}

    checks = DataQuality(
        context.new_client,
        context.settings(DataQualitySettings),
        context.kafka,
        signals.publish,
        context.in_use.book,
        open_alerts,
    )
    return Job(timers=[checks.timer], close=[signals.close])


class DataQuality:
    """Looks whenever its `timer` ticks; or call `tick` oneself.

    `book` gives the prices in use now, `publish` sends signals or raises BrokerUnavailableError, and `open_alert_ids`
    the alerts that are open from before a restart, asked once (those of others are ignored). Without `kafka` nothing is
    said of what only Kafka knows.
    """

    def __init__(
        self,
        store_of: Callable[[], StoreClient],
        settings: DataQualitySettings,
        kafka: KafkaSettings | None,
        publish: Callable[[Iterable[AlertSignal]], None],
        book: Callable[[], PriceBook],
        open_alert_ids: Callable[[], set[str]] = set,
    ) -> None:
        self._store_of = store_of
        self._settings = settings
        self._kafka = kafka
        self._publish = publish
        self._book = book
        self._open_alert_ids = open_alert_ids
        self._open: dict[str, AlertSignal | None] | None = None
        self._log_ends: LogEnds | None = None
        self._lag = LagCheck(kafka, settings) if kafka is not None else None
        self._conservation = ConservationCheck(settings, with_kafka=kafka is not None)
        self.timer = Timer("data-quality", settings.interval_s, self._look, doing="check the quality of the data")

    def _look(self) -> None:
        with self._store_of() as store:
            self.tick(store)

    def tick(self, store: StoreClient) -> None:
        """Look once, and publish what holds and what no longer does. What could not be published is told next time.

        A check that fails is logged, and what it said before stays as it is. Raises StoreUnavailableError and
        BrokerUnavailableError.
        """
        if self._open is None:
            known = {identity for identity in self._open_alert_ids() if identity.startswith(PREFIX)}
            self._conservation = ConservationCheck(self._settings, known, with_kafka=self._kafka is not None)
            self._open = dict.fromkeys(known)
        now = store.now()
        signals, after = next_signals(self._open, self._results(store, now), now)
        if signals:
            self._publish(signals)
        self._open = after

    def _results(self, store: StoreClient, now: datetime) -> list[Result]:
        settings = self._settings
        checks: dict[str, Callable[[], Result]] = {
            quarantine.CHECK: partial(quarantine.look, store, settings, now),
            unpriced.CHECK: partial(unpriced.look, store, settings, now),
            unallocated.CHECK: partial(unallocated.look, store, settings, now),
            stated_cost.CHECK: partial(stated_cost.look, store, settings, now),
            price_source.CHECK: lambda: price_source.look(store, self._book(), settings, now),
            conservation_check.CHECK: lambda: self._conservation.look(partial(self._accounts, store), now),
        }
        if self._lag is not None:
            checks[lag_check.CHECK] = partial(self._lag.look, store, now)
        results = []
        for name, check in checks.items():
            try:
                found = check()
            except SpendstreamError as error:
                log.warning("cannot check %s: %s", name, error)
                continue
            except Exception:  # a defect of one check must not silence the others
                log.exception("cannot check %s", name)
                continue
            results.append(found)
            DATA_QUALITY_FINDINGS.labels(name).set(len(found.findings))
            if found.complete:
                DATA_QUALITY_CHECKED.labels(name).set(time.time())
        return results

    def _accounts(self, store: StoreClient, since: datetime) -> Accounts:
        if self._kafka is not None and self._log_ends is None:
            self._log_ends = LogEnds(self._kafka)
        return check_conservation(store, since, kafka=self._kafka, log_ends=self._log_ends)

"""The job 'reconciliation': looks every minute, beside the other jobs of a worker or alone.

Several workers may run it: whoever comes first takes the run, the others skip it.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from stream_jobs.base.readable import money
from stream_jobs.conservation.check import check
from stream_jobs.conservation.metrics import report
from stream_jobs.job_context import Job, JobContext
from stream_jobs.origin.rules import SenderRules
from stream_jobs.reconciliation.run import Reconciler
from stream_jobs.reconciliation.runs import BusyError
from stream_jobs.reconciliation.settings import ReconciliationSettings
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import RECONCILED, RECONCILIATION_RUNS, RECONCILIATION_SEEN
from stream_jobs.runtime.timer import Timer
from stream_jobs.store.client import StoreClient

log = logging.getLogger(__name__)

CHECKED: Final = timedelta(hours=1)
"""The metrics of conservation are about the current hour and the one before."""


def build(context: JobContext) -> Job:
    settings = context.settings(ReconciliationSettings)
    return Job(timers=[Reconciliation(context.new_client, settings, context.kafka, context.origin.rules).timer])


class Reconciliation:
    """A run whenever its `timer` ticks; or call `tick` oneself. A run that is cut by a stop is made good by the
    next one."""

    def __init__(
        self,
        store_of: Callable[[], StoreClient],
        settings: ReconciliationSettings,
        kafka: KafkaSettings | None,
        senders: SenderRules,
    ) -> None:
        self._store_of = store_of
        self._senders = senders
        self._settings = settings
        self._kafka = kafka
        self._log_ends: LogEnds | None = None
        self.timer = Timer("reconciliation", settings.interval_s, self._counted_tick, doing="reconcile")

    def _counted_tick(self) -> None:
        try:
            with self._store_of() as store:
                self.tick(store)
        except Exception:
            RECONCILIATION_RUNS.labels("failed").inc()
            raise

    def tick(self, store: StoreClient) -> None:
        """Reconcile once, then check that the accounts close. Raises StoreUnavailableError."""
        try:
            outcome = Reconciler(store, self._settings, self._senders).apply("timer")
        except BusyError:
            RECONCILIATION_RUNS.labels("skipped").inc()
        else:
            RECONCILIATION_RUNS.labels("done").inc()
            RECONCILIATION_SEEN.set(time.time())
            for cause, number in outcome.causes.items():
                RECONCILED.labels(cause).inc(number)
            if outcome.tally.findings:
                causes = ", ".join(f"{number} {cause}" for cause, number in sorted(outcome.causes.items()))
                log.warning("counted twice and taken back: %s (%s)", causes, money(outcome.tally.effective_cost))
        if self._kafka is not None and self._log_ends is None:
            self._log_ends = LogEnds(self._kafka)
        since = store.now() - CHECKED
        report(check(store, since, kafka=self._kafka, log_ends=self._log_ends))

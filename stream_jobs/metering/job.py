"""The job 'metering': books usage events with the prices and rules in use, and takes up changed ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from stream_jobs.attribution.document import FILE_NAME as ATTRIBUTION_FILE
from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.job import BlockJob, build_app
from stream_jobs.blocks.metrics import BlockMetrics
from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.job_context import Job, JobContext
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.ledger.long_calls import LongCallsOfLedger
from stream_jobs.ledger.price_process import LOOK_S, PriceRows
from stream_jobs.ledger.versions import record_versions
from stream_jobs.metering.pinned_versions import with_pinned_versions
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook, price_files
from stream_jobs.runtime.files_reload import FilesReload
from stream_jobs.runtime.jobs import METERING
from stream_jobs.runtime.memory import calm_collector
from stream_jobs.runtime.timer import Timer
from stream_jobs.runtime.topics import USAGE_EVENTS
from stream_jobs.series.labels import LOOK_EVERY_S
from stream_jobs.series.publisher import DeltaPublisher
from stream_jobs.streams.model import Block, BlockOutput, SourceRecord, Versions

PricesAndRules = tuple[PriceBook, AttributionRules]


def build(context: JobContext) -> Job:
    """Raises ConfigError and StoreUnavailableError."""
    metering = MeteringJob(context)
    labels = context.labels
    deltas = DeltaPublisher(context.kafka, lambda: labels.names)
    job = BlockJob(METERING, USAGE_EVENTS, metering.process, metering.versions, BlockMetrics(METERING), deltas.announce)
    return Job(
        partial(build_app, job, ClickHouseBlocks(context.store), limits=context.limits, **context.faust),
        timers=[
            metering.prices,
            *([metering.reload.timer] if metering.reload is not None else []),
            Timer("watched-labels", LOOK_EVERY_S, labels.look, doing="ask which labels are watched", at_once=True),
        ],
        close=[deltas.close],
    )


class MeteringJob:
    """Metering with what is in use now; a block that is redone, with what it was fixed with."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._long_calls = LongCallsOfLedger(context.store)
        # First: what is loaded later belongs to files that changed after this.
        self.reload = prices_and_rules(context.config_dir, self._take_up) if context.config_dir is not None else None
        self._metering = self._recorded(context.in_use.book(), context.in_use.rules())
        self._rows = PriceRows(context.new_client, context.in_use.book().version)
        # Not at once: a start has other things to do.
        self.prices = Timer(
            "prices", LOOK_S, self._rows.tick, doing="write the prices of the book", release=self._rows.close
        )

    def _recorded(self, book: PriceBook, rules: AttributionRules) -> Metering:
        """Metering with these, once it is known what their versions stand for. Raises StoreUnavailableError."""
        context = self._context
        record_versions(context.store, book, rules, context.config_dir)
        return Metering(
            *(book, rules, ClickHouseLedger(context.store), context.future_tolerance, context.origin),
            long_calls=self._long_calls.at,
        )

    def _take_up(self, book: PriceBook, rules: AttributionRules) -> None:
        """Meter with these from the next block on. Raises StoreUnavailableError."""
        self._metering = self._recorded(book, rules)
        self._context.in_use.use(book, rules)
        self._rows.version = book.version
        self.prices.wake()
        calm_collector(again=True)

    def process(self, block: Block, records: list[SourceRecord]) -> BlockOutput:
        metering = self._metering
        if block.redone:
            metering = with_pinned_versions(metering, block.versions, self._context.store)
        return metering.process(block, records)

    def versions(self) -> Versions:
        return self._metering.versions()


def prices_and_rules(
    config_dir: Path, take: Callable[[PriceBook, AttributionRules], None]
) -> FilesReload[PricesAndRules]:
    """The two together: what is booked says which of both it was computed with."""
    return FilesReload(
        "prices and rules",
        lambda: (*price_files([config_dir]), config_dir / ATTRIBUTION_FILE),
        lambda: (PriceBook.load(config_dir), AttributionRules.load(config_dir)),
        lambda loaded: take(*loaded),
    )

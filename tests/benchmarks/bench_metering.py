"""Decode, validate, dedupe, price, attribute, and the columns to insert: events per second of CPU time of one worker.

The step as a worker calls it, `Metering.process(block, records)`, on bundles of the simulated company's messages.
Dedupe asks a ledger in memory, and in a second measurement the real store over HTTP, into which every block is inserted
(what the store spends on that is not counted here: see the pipeline benchmark). The messages are made outside of the
measurement.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.ledger.booked import ClickHouseLedger
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook
from stream_jobs.runtime.memory import calm_collector
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import BlockOutput, SourceRecord
from tests.benchmarks.harness.limits import block_of, records
from tests.benchmarks.harness.memory_ledger import MemoryLedger
from tests.benchmarks.harness.messages import MessageMaker, expected
from tests.benchmarks.harness.options import parse, parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.rig import Rig

FLOOR, GOAL = 60_000, 150_000  # events per second and core
TOLERANCE: Final = timedelta(seconds=300)
PICO: Final = 10**12
After = Callable[[list[SourceRecord], BlockOutput, str], None]


class Totals:
    """What all blocks of one measurement booked."""

    def __init__(self) -> None:
        self.events = self.list_cost = self.unpriced = 0

    def add(self, output: BlockOutput) -> None:
        self.events += output.counts.booked
        self.unpriced += output.counts.unpriced
        self.list_cost += int((pc.sum(output.tables["ledger"]["list_cost"]).as_py() or 0) * PICO)


def measure(report: Report, name: str, metering: Metering, after: After, args: tuple[float, int, Path | None]) -> float:
    """Events per second of this process' CPU time within the step: all its threads, so that nothing is hidden in one.

    What was booked is compared with the oracle.
    """
    seconds, rows, config_dir = args
    maker, totals = MessageMaker(), Totals()
    spent, events, end = 0.0, 0, time.perf_counter() + seconds
    while time.perf_counter() < end or not events:
        batch = records(maker, rows)
        block = block_of(metering, batch)
        began = time.process_time()
        output = metering.process(block, batch)
        took = time.process_time() - began
        if maker.made > rows:  # the first block warms caches
            spent, events = spent + took, events + rows
        totals.add(output)
        after(batch, output, block.token)
    wanted = expected(maker.made, config_dir)
    report.check(
        f"{name}: events, list cost in pico-USD and unpriced",
        (wanted.events, wanted.list_cost, wanted.unpriced),
        (totals.events, totals.list_cost, totals.unpriced),
    )
    return events / spent


def in_memory(report: Report, name: str, config_dir: Path | None, seconds: float, rows: int) -> float:
    """Dedupe against a dictionary of all that was booked; then the last records again, which must all be duplicates."""
    ledger = MemoryLedger()
    metering = Metering(PriceBook.load(config_dir), AttributionRules.load(config_dir), ledger, TOLERANCE)
    last: list[list[SourceRecord]] = []

    def after(batch: list[SourceRecord], output: BlockOutput, _: str) -> None:
        ledger.remember(output.tables["ledger"]["event_id"].to_pylist())
        last[:] = [batch]

    found = measure(report, name, metering, after, (seconds, rows, config_dir))
    again = metering.process(block_of(metering, last[0]), last[0])
    report.check(f"{name}: the last block again is all duplicates", rows, again.counts.duplicates)
    return found


def against_store(report: Report, name: str, rig: Rig, seconds: float, rows: int) -> float:
    """Dedupe against the ledger in ClickHouse, which holds all earlier blocks."""
    ledger = ClickHouseLedger(rig.store)
    metering = Metering(PriceBook.load(rig.config_dir), AttributionRules.load(rig.config_dir), ledger, TOLERANCE)

    def after(_: list[SourceRecord], output: BlockOutput, token: str) -> None:
        for table, found in output.tables.items():
            insert(rig.store.client, table, found, token)

    return measure(report, name, metering, after, (seconds, rows, rig.config_dir))


def main(arguments: list[str] | None = None) -> int:
    """0 when the floor is met."""
    made = parser(__doc__, seconds=4, rounds=3)
    made.add_argument("--block-rows", type=int, default=5_000, help="records of a bundle (default 5000)")
    args = parse(made, arguments, quick_seconds=0.5)
    if args.quick:
        args.block_rows = min(args.block_rows, 500)
    report = Report("metering")
    calm_collector()  # as a worker does
    found: dict[str, list[float]] = {}
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, Rig(Path(folder) / "rig", partitions=1) as rig:
            report_in = (args.seconds, args.block_rows)
            for name, value in (
                ("ledger in memory", in_memory(report, "ledger in memory", rig.config_dir, *report_in)),
                ("ledger in memory, no rules", in_memory(report, "ledger in memory, no rules", None, *report_in)),
                ("ledger in the store", against_store(report, "ledger in the store", rig, *report_in)),
            ):
                found.setdefault(name, []).append(value)
                print(f"round {number + 1}: {name}: {value:,.0f} events per CPU second", flush=True)
    for name, values in found.items():
        bounds: Bounds = (FLOOR, GOAL) if name == "ledger in memory" and not args.quick else NOT_JUDGED
        report.figures.append(Figure(f"metering step, {name}", "events/s per core", values, *bounds))
    report.details["setup"] = {name: str(value) for name, value in vars(args).items()}
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

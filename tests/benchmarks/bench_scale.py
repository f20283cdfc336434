"""What twice the workers bring.

Worker-bound: the metering step in one and in two processes, each with a ledger in memory: nothing but cores is shared.
Pipeline: one worker and two, each with as many partitions, against one broker and one store on the same cores. On two
cores the second cannot double: broker, store and load generator need some of them, too; how much is in the table.
"""

import multiprocessing
import sys
import tempfile
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from tests.benchmarks.bench_pipeline import line
from tests.benchmarks.harness.candidates import QUICK_BACKLOG, ours
from tests.benchmarks.harness.machine import cores
from tests.benchmarks.harness.options import parse, pipeline_parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.sustained import Run, in_new_rig

FLOOR, GOAL = 1.7, 1.95  # times the events per second of one worker
PARTITIONS_PER_WORKER = 2
BLOCK_ROWS = 5_000


def step(pipe: Connection, config_dir: str, seconds: float, rows: int) -> None:
    """A process that meters blocks made beforehand, from the word "go" for the time; sends events per second back."""
    from stream_jobs.attribution.rules import AttributionRules
    from stream_jobs.metering.process import Metering
    from stream_jobs.pricing.book import PriceBook
    from tests.benchmarks.harness.limits import block_of, records
    from tests.benchmarks.harness.memory_ledger import EmptyLedger
    from tests.benchmarks.harness.messages import MessageMaker

    folder = Path(config_dir)
    metering = Metering(PriceBook.load(folder), AttributionRules.load(folder), EmptyLedger(), timedelta(seconds=300))
    maker = MessageMaker()
    batches = [records(maker, rows) for _ in range(4)]
    metering.process(block_of(metering, batches[0]), batches[0])
    pipe.send("ready")
    pipe.recv()
    began, events = time.perf_counter(), 0
    while time.perf_counter() - began < seconds or not events:
        batch = batches[events // rows % len(batches)]
        output = metering.process(block_of(metering, batch), batch)
        assert output.counts.booked == rows
        events += rows
    pipe.send(events / (time.perf_counter() - began))


def together(number: int, config_dir: Path, seconds: float, rows: int) -> float:
    """Events per second of so many processes at once."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for _ in range(number):
        own, theirs = context.Pipe()
        process = context.Process(target=step, args=(theirs, str(config_dir), seconds, rows))
        process.start()
        pipes.append(own)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    found = sum(pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    return float(found)


def main(arguments: list[str] | None = None) -> int:
    """0 when the floor of the worker-bound part is met."""
    parser = pipeline_parser(__doc__, seconds=8, rounds=2)
    parser.set_defaults(cores=0)
    args = parse(parser, arguments)
    rows = 500 if args.quick else BLOCK_ROWS
    report = Report("scale")
    bound: dict[int, list[float]] = {1: [], 2: []}
    runs: dict[int, list[Run]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=args.folder) as folder:
        from tests.benchmarks.harness.rig import RULES

        rules = Path(folder) / "rules"
        rules.mkdir()
        (rules / "attribution.yaml").write_bytes(RULES.read_bytes())
        for number in range(args.rounds):
            for workers in (1, 2):
                bound[workers].append(together(workers, rules, args.seconds / 2, rows))
                print(f"metering step in {workers} processes: {bound[workers][-1]:,.0f} events/s", flush=True)
            for workers in (1, 2):
                candidate = ours(workers, QUICK_BACKLOG) if args.quick else ours(workers)
                place = Path(folder) / f"{number}-{workers}"
                partitions = workers * PARTITIONS_PER_WORKER
                run = in_new_rig(place, candidate, args.seconds, partitions=partitions, broker=args.broker)
                runs[workers].append(run)
                print(f"{workers} workers, {line(run)}", flush=True)
    judged = not args.quick and cores() >= 2
    bounds: Bounds = (FLOOR, GOAL) if judged else NOT_JUDGED
    gain = [two / one for one, two in zip(bound[1], bound[2], strict=True)]
    report.figures.append(Figure("2 workers for 1, worker-bound", "x", gain, *bounds))
    gain = [two.rate / one.rate if one.rate else 0.0 for one, two in zip(runs[1], runs[2], strict=True)]
    report.figures.append(Figure(f"2 workers for 1, all on {cores()} cores", "x", gain))
    for workers in (1, 2):
        report.figures.append(Figure(f"metering step, {workers} processes", "events/s", bound[workers]))
        rates = [run.rate for run in runs[workers]]
        report.figures.append(Figure(f"pipeline, {workers} workers", "events/s", rates))
        sent = sum(run.sent for run in runs[workers])
        report.checks[f"{workers} workers: events in ledger and rollups"] = (sent, sent)
    report.details["runs"] = [run.as_json() for group in runs.values() for run in group]
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

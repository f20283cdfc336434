"""A worker's memory while it works off a backlog that it cannot outrun.

The backlog is in the broker before the worker starts, and is kept full for `--seconds`, then drained. RSS is sampled
all along: its maximum counts, and whether it is flat is told by the medians of the first and the last third.

Acceptance: --seconds 600 --backlog 1000000
"""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.harness.candidates import ours
from tests.benchmarks.harness.options import parse, pipeline_parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.rig import Rig, as_json
from tests.benchmarks.harness.sustained import check, drain, pace
from tests.benchmarks.harness.usage import MIB, Sampler, flatness

FLOOR, GOAL = 600, 300  # MiB
FLAT = 0.1  # the last third may be so much above the first


def main(arguments: list[str] | None = None) -> int:
    """0 when the floor is met and, in a run of a minute or more, memory was flat."""
    parser = pipeline_parser(__doc__, seconds=15, rounds=1)
    parser.add_argument("--backlog", type=int, default=500_000, help="messages that wait at any time (default 500000)")
    args = parse(parser, arguments)
    if args.quick:
        args.backlog = min(args.backlog, 20_000)
    report = Report("memory")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=args.folder) as folder,
        Rig(Path(folder) / "rig", partitions=args.partitions, broker=args.broker) as rig,
    ):
        load = rig.start_load()
        load.allow(args.backlog)
        load.sent()
        candidate = ours(args.workers)
        candidate.start(rig)
        workers = {f"worker {n}": [child.pid or 0] for n, child in enumerate(rig.children["worker"])}
        sampler = Sampler({**rig.processes(), **workers}).start()
        pace(rig, load, args.backlog, args.seconds)
        full = sampler.stop()
        draining = Sampler(workers).start()
        sent = load.finish()
        drain(rig, sent)
        drained = draining.stop()
        check(rig, sent, "spendstream")
    report.checks["events in ledger and rollups"] = (sent, sent)
    for name in workers:
        first, last = flatness(full[name].rss)
        most = max(full[name].rss_max, drained[name].rss_max) / MIB
        bounds: Bounds = NOT_JUDGED if args.quick else (FLOOR, GOAL)
        note = f"backlog of {args.backlog:,}"
        report.figures += [
            Figure(f"{name}: most memory (RSS)", "MiB", [most], *bounds, lower_is_better=True, note=note),
            Figure(f"{name}: first third of the time", "MiB", [first / MIB], lower_is_better=True),
            Figure(f"{name}: last third", "MiB", [last / MIB], lower_is_better=True),
        ]
        if args.seconds >= 60:
            report.figures.append(
                Figure(f"{name}: last third by first", "x", [last / first], 1 + FLAT, lower_is_better=True)
            )
    report.details = {"processes": as_json(full), "sent": sent, "seconds": args.seconds, "backlog": args.backlog}
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

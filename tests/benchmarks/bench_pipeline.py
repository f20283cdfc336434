"""Produce, Kafka, booked and visible in the rollups: events per second at saturation, everything on this machine.

Beside it in the same run, round by round: the same job as a stock Faust agent and as a quix-streams application (same
broker, store, table, prices, rules and load), and the limits: librdkafka that only consumes, a store that only takes
inserts. Every run ends with the ledger and all rollups compared with what was sent.

Acceptance: --seconds 300 --rounds 1 --no-peers
"""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.harness import limits
from tests.benchmarks.harness.candidates import QUICK_BACKLOG, Candidate, faust, ours, quix
from tests.benchmarks.harness.options import parse, pipeline_parser
from tests.benchmarks.harness.results import NOT_JUDGED, Bounds, Figure, Report
from tests.benchmarks.harness.rig import Rig
from tests.benchmarks.harness.sustained import Run, measure
from tests.benchmarks.harness.usage import Sampler

FLOOR, GOAL = 25_000, 60_000  # events per second
FLOOR_TIMES, GOAL_TIMES = 5, 15  # times a stock Faust agent
LIMIT_BLOCKS = 4


class Limits:
    """The limits found so far, one value per round."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.consume: list[float] = []
        self.http: list[float] = []
        self.http_cpu: list[float] = []  # microseconds of the store per row
        self.in_process: list[float] = []

    def measure(self, rig: Rig, sent: int, seconds: float) -> None:
        """In the rig of a finished run: its topic is full, its store gets more of the same rows."""
        rig.stop("worker")
        self.consume.append(limits.consume(rig, sent, seconds))
        blocks = list(limits.ledger_blocks(self._blocks, rig.config_dir))
        sampler = Sampler(rig.processes()).start()
        rate, rows = limits.insert_over_http(rig, blocks, seconds)
        self.http.append(rate)
        self.http_cpu.append(sampler.stop()["store"].cpu_s / rows * 1e6)
        self.in_process.append(limits.insert_in_process(rig, blocks, seconds))


def main(arguments: list[str] | None = None) -> int:
    """0 when the floors are met."""
    parser = pipeline_parser(__doc__, seconds=30, rounds=2)
    parser.add_argument("--peer-seconds", type=float, default=10, help="of each peer's run (default 10)")
    parser.add_argument("--limit-seconds", type=float, default=3, help="of each limit's measurement (default 3)")
    parser.add_argument("--no-peers", action="store_true", help="only ours and the limits")
    parser.add_argument("--no-quix", action="store_true", help="without the peer that needs another environment")
    args = parse(parser, arguments, quick_seconds=2)
    if args.quick:
        args.peer_seconds, args.limit_seconds = 2, 0.5
    report = Report("pipeline")
    # Small backlogs where speed does not matter: all of it has to drain in the end.
    small = QUICK_BACKLOG if args.quick else None
    plan = [(ours(args.workers), args.seconds)]
    if not args.no_peers:
        plan.append((faust(), args.peer_seconds))
        peer, why = (None, "left out") if args.no_quix else quix(install=not args.quick)
        if peer is not None:
            plan.append((peer, args.peer_seconds))
        report.details["quix-streams"] = why
        print(f"quix-streams: {why}", flush=True)
    runs: dict[str, list[Run]] = {}
    found = Limits(1 if args.quick else LIMIT_BLOCKS)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=args.folder) as folder:
        for number in range(args.rounds):
            for candidate, seconds in plan:
                if small:
                    candidate = Candidate(candidate.name, small, candidate.start)  # noqa: PLW2901 - the same, smaller
                place = Path(folder) / f"{number}-{candidate.name.replace(' ', '-')}"
                with Rig(place, partitions=args.partitions, broker=args.broker) as rig:
                    run = measure(rig, candidate, seconds)
                    if candidate.name == plan[0][0].name:
                        found.measure(rig, run.sent, args.limit_seconds)
                runs.setdefault(candidate.name, []).append(run)
                print(line(run), flush=True)
    judge(report, runs, found, quick=args.quick)
    report.details["runs"] = [run.as_json() for group in runs.values() for run in group]
    report.details["setup"] = {name: str(value) for name, value in vars(args).items()}
    return report.finish()


def line(run: Run) -> str:
    """One run for people."""
    costs = "  ".join(
        f"{name} {spent.cores:.2f} cores" + (f" {spent.rss_max / 2**20:.0f} MiB" if spent.rss_max else "")
        for name, spent in run.usage.items()
    )
    said = f"{run.candidate}: {run.rate:,.0f} events/s over {run.seconds:g} s, {run.sent:,} sent and accounted for"
    return f"{said}; {costs}"


def judge(report: Report, runs: dict[str, list[Run]], found: Limits, *, quick: bool) -> None:
    """Figures of all candidates, ours against each peer of the same round."""
    names = list(runs)
    for name in names:
        bounds: Bounds = NOT_JUDGED if quick or name != names[0] else (FLOOR, GOAL)
        report.figures.append(
            Figure(f"{name}: visible in rollups", "events/s", [run.rate for run in runs[name]], *bounds)
        )
        for process in ("worker", "store", "broker", "load"):
            costs = [run.cpu_us_per_event(process) for run in runs[name]]
            title = f"{name}: CPU time per event, {process}"
            report.figures.append(Figure(title, "us", costs, lower_is_better=True))
        if any(blocks := [run.block_rows for run in runs[name]]):
            report.figures.append(Figure(f"{name}: rows of the block that an event comes in", "rows", blocks))
        sent = sum(run.sent for run in runs[name])
        report.checks[f"{name}: events in ledger, cost_1m, cost_1h and cost_1d"] = (sent, sent)
    for name in names[1:]:
        pairs = zip(runs[names[0]], runs[name], strict=True)
        ratios = [own.rate / peer.rate if peer.rate else 0.0 for own, peer in pairs]
        bounds = (FLOOR_TIMES, GOAL_TIMES) if name == "stock Faust" and not quick else NOT_JUDGED
        report.figures.append(Figure(f"{names[0]} against {name}", "x", ratios, *bounds))
    report.figures += [
        Figure("limit: librdkafka consumes, nothing else", "events/s", found.consume),
        Figure("limit: inserts over HTTP, ledger and rollups", "rows/s", found.http),
        Figure("limit: inserts over HTTP, the store's CPU time", "us/row", found.http_cpu, lower_is_better=True),
        Figure("limit: inserts in the engine's process", "rows/s", found.in_process),
    ]


if __name__ == "__main__":
    sys.exit(main())

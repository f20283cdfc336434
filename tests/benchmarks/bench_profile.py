"""Where the time of a worker goes: CPU time by stage of a worker that books a backlog, and how busy it is.

The worker runs as always, with a sampler in its process that looks at all of its threads' stacks.
"""

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.harness.candidates import QUICK_BACKLOG, Candidate
from tests.benchmarks.harness.options import parse, pipeline_parser
from tests.benchmarks.harness.profiled_worker import PROFILE_FILE
from tests.benchmarks.harness.results import Figure, Report
from tests.benchmarks.harness.rig import Rig, as_json
from tests.benchmarks.harness.sustained import WARM_UP_S, check, drain, pace, rate
from tests.benchmarks.harness.usage import Sampler

BACKLOG = 200_000


def main(arguments: list[str] | None = None) -> int:
    """Always 0 unless something computed is wrong: a profile has no floor."""
    args = parse(pipeline_parser(__doc__, seconds=15, rounds=1), arguments)
    backlog = QUICK_BACKLOG if args.quick else BACKLOG
    report = Report("profile")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=args.folder) as folder,
        Rig(Path(folder) / "rig", partitions=args.partitions, broker=args.broker) as rig,
    ):
        path = Path(folder) / "profile.json"
        extra = {PROFILE_FILE: str(path)}
        module = "tests.benchmarks.harness.profiled_worker"
        candidate = Candidate("spendstream", backlog, lambda rig: rig.start_workers(1, module, extra))
        candidate.start(rig)
        (worker,) = rig.processes()["worker"]
        load = rig.start_load()
        load.allow(backlog)
        rig.until(lambda: rig.booked() > 0, "first rows")
        pace(rig, load, backlog, 0.5 if args.quick else WARM_UP_S)
        sampler = Sampler(rig.processes()).start()
        os.kill(worker, signal.SIGUSR1)
        seen = pace(rig, load, backlog, args.seconds)
        os.kill(worker, signal.SIGUSR2)
        usage = sampler.stop()
        rig.until(path.exists, "the profile")
        sent = load.finish()
        drain(rig, sent)
        check(rig, sent, "profiled worker")
        found = json.loads(path.read_text(encoding="utf-8"))
    report.checks["events in ledger and rollups"] = (sent, sent)
    booked_per_s = rate(seen)
    show(found, booked_per_s)
    report.details = {"profile": found, "processes": as_json(usage), "events_per_s": round(booked_per_s)}
    report.figures.append(Figure("profiled worker: visible in rollups", "events/s", [booked_per_s]))
    report.figures.append(Figure("profiled worker: busy", "cores", [found["cpu_s"] / found["wall_s"]]))
    for stage, cpu_s in by_cost(found):
        report.figures.append(Figure(f"worker's CPU time: {stage}", "%", [100 * cpu_s / found["cpu_s"]]))
    return report.finish()


def by_cost(found: dict[str, Any]) -> list[tuple[str, float]]:
    """Stages with their CPU seconds, dearest first."""
    return sorted(found["stages"].items(), key=lambda item: -item[1])


def show(found: dict[str, Any], booked_per_s: float) -> None:
    """The profile for people."""
    wall, cpu = found["wall_s"], found["cpu_s"]
    print(
        f"{cpu:.1f} s of CPU time in {wall:.1f} s, {found['samples']} samples; sampler {found['sampler_cpu_s']:.2f} s"
    )
    print(f"{'stage':<30}{'of CPU':>8}{'us/event':>10}{'threads in it, waiting or not':>32}")
    for stage, cpu_s in by_cost(found):
        per_event = f"{cpu_s / wall / booked_per_s * 1e6:.2f}" if booked_per_s else ""
        inside = found["in_stage"].get(stage)
        print(f"{stage:<30}{cpu_s / cpu:>8.1%}{per_event:>10}{'' if inside is None else f'{inside:.2f}':>32}")
    print(f"{'idle (of one core)':<30}{max(0.0, 1 - cpu / wall):>8.1%}")


if __name__ == "__main__":
    sys.exit(main())

"""Throughput at saturation: messages go in as fast as rows come out, and in the end each of them is accounted for."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.harness.candidates import Candidate
from tests.benchmarks.harness.messages import expected
from tests.benchmarks.harness.results import WrongResultError
from tests.benchmarks.harness.rig import Load, Rig, as_json
from tests.benchmarks.harness.usage import Sampler, Spent

PACE_S: Final = 0.1
WARM_UP_S: Final = 3.0
PARTS: Final = 5
TABLES: Final = ("ledger", "cost_1m", "cost_1h", "cost_1d", "operations_1d")


@dataclass(frozen=True, slots=True)
class Run:
    """One candidate's run. `rate` is events per second that became visible in the rollup per minute."""

    candidate: str
    rate: float
    sent: int
    seconds: float
    drained_s: float  # from the last message sent to the last one visible
    rates: list[float]  # by fifth of the window: is it sustained?
    usage: dict[str, Spent]
    visible: int  # events that became visible while `usage` was measured
    block_rows: float  # of an event, on average: how large the block was that it came in; 0 where there are no receipts

    def cpu_us_per_event(self, process: str) -> float:
        """What an event costs there. Other than the rate, it hardly depends on what else the machine does."""
        return self.usage[process].cpu_s / self.visible * 1e6 if self.visible else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "candidate": self.candidate,
            "events_per_s": round(self.rate),
            "by_fifth": [round(rate) for rate in self.rates],
            "sent": self.sent,
            "window_s": round(self.seconds, 2),
            "drained_s": round(self.drained_s, 2),
            "block_rows": round(self.block_rows),
            "processes": {
                name: {**spent, "cpu_us_per_event": round(self.cpu_us_per_event(name), 2)}
                for name, spent in as_json(self.usage).items()
            },
        }


def measure(rig: Rig, candidate: Candidate, seconds: float, warm_up_s: float = WARM_UP_S) -> Run:
    """Run it for the time in a rig of its own, then check ledger and rollups. Raises WrongResultError."""
    candidate.start(rig)
    load = rig.start_load()
    load.allow(candidate.backlog)
    rig.until(lambda: rig.booked() > 0, f"{candidate.name}: first rows")
    pace(rig, load, candidate.backlog, warm_up_s)
    before, sampler = rig.visible(), Sampler(rig.processes()).start()
    seen = pace(rig, load, candidate.backlog, seconds)
    usage, visible = sampler.stop(), rig.visible() - before
    sent = load.finish()
    finished = time.perf_counter()
    drain(rig, sent)
    drained_s = time.perf_counter() - finished
    check(rig, sent, candidate.name)
    fifths = [seen[len(seen) * n // PARTS :][: len(seen) // PARTS + 1] for n in range(PARTS)]
    return Run(
        candidate.name, rate(seen), sent, seconds, drained_s, list(map(rate, fifths)), usage, visible, rig.block_rows()
    )


def pace(rig: Rig, load: Load, backlog: int, seconds: float) -> list[tuple[float, int]]:
    """Let in as much as was booked; returns how many events were visible, and when, each time that changed."""
    seen: list[tuple[float, int]] = []
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        rig.raise_if_dead()
        visible = rig.visible()
        if not seen or visible > seen[-1][1]:
            seen.append((time.perf_counter(), visible))
            load.allow(visible + backlog)
        time.sleep(min(PACE_S, left))
    return seen


def rate(seen: list[tuple[float, int]]) -> float:
    """Events per second between two moments at which blocks became visible: a block is not split by the window's edges.

    0 when fewer than two such moments were seen.
    """
    if len(seen) < 2:
        return 0.0
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)


def drain(rig: Rig, sent: int) -> None:
    """Until so many events are in the ledger and in every rollup."""
    for table in TABLES:
        rig.until(lambda table=table: rig.events(table) >= sent, f"{sent} events in {table}")  # type: ignore[misc]


def check(rig: Rig, sent: int, name: str) -> None:
    """The ledger and every rollup hold exactly what was sent, to the pico-USD."""
    wanted = asdict(expected(sent, rig.config_dir))
    for table in TABLES:
        found = rig.totals(table)
        if found != wanted:
            raise WrongResultError(f"{name}: {table} holds {found}, sent were {wanted}")


def in_new_rig(folder: Path, candidate: Candidate, seconds: float, *, partitions: int, broker: str = "tansu") -> Run:
    """`measure` with a broker and a store of its own, so that no run pays for the one before it."""
    with Rig(folder, partitions=partitions, broker=broker) as rig:
        return measure(rig, candidate, seconds)

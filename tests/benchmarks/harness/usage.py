"""What processes cost: CPU time and memory, read from /proc. Linux only."""

import os
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
MIB: Final = 1024 * 1024
INTERVAL_S: Final = 0.25


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far. Raises OSError when the process is gone."""
    # The name in parentheses may hold anything, so the fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def machine_busy_seconds() -> float:
    """CPU time of everything on this machine since it started, time taken by other guests included."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) * TICK_S


@dataclass(slots=True)
class Spent:
    """Of one process, or several under one name. `cores` is CPU time by wall time: 1.0 is one core kept busy."""

    cpu_s: float = 0.0
    cores: float = 0.0
    rss_max: int = 0
    rss: list[int] = field(default_factory=list)  # one sum per sample

    def as_json(self) -> dict[str, Any]:
        return {"cores": round(self.cores, 3), "rss_max_mib": round(self.rss_max / MIB, 1)}


class Sampler:
    """Samples processes by name between `start` and `stop`. Several processes may share a name: they are added up."""

    def __init__(self, processes: Mapping[str, list[int]], interval_s: float = INTERVAL_S) -> None:
        self._processes = processes
        self._interval_s = interval_s
        self._rss: dict[str, list[int]] = {name: [] for name in processes}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage-sampler", daemon=True)

    def start(self) -> "Sampler":
        self._began = time.monotonic()
        self._cpu = {name: self._cpu_of(pids) for name, pids in self._processes.items()}
        self._busy = machine_busy_seconds()
        self._own = time.process_time()
        self._thread.start()
        return self

    def stop(self) -> dict[str, Spent]:
        """By name; "bench" is this process and "others" what had nothing to do with the benchmark."""
        wall = time.monotonic() - self._began
        self._done.set()
        self._thread.join()
        spent = {}
        for name, pids in self._processes.items():
            cpu = self._cpu_of(pids) - self._cpu[name]
            series = self._rss[name]
            spent[name] = Spent(cpu, cpu / wall, max(series, default=0), series)
        own = time.process_time() - self._own
        spent["bench"] = Spent(own, own / wall)
        others = max(0.0, machine_busy_seconds() - self._busy - sum(part.cpu_s for part in spent.values()))
        spent["others"] = Spent(others, others / wall)
        return spent

    def _run(self) -> None:
        while True:
            for name, pids in self._processes.items():
                self._rss[name].append(sum(map(_rss_or_nothing, pids)))
            if self._done.wait(self._interval_s):
                return

    @staticmethod
    def _cpu_of(pids: list[int]) -> float:
        return sum(map(_cpu_or_nothing, pids))


def _cpu_or_nothing(pid: int) -> float:
    try:
        return cpu_seconds(pid)
    except OSError:
        return 0.0


def _rss_or_nothing(pid: int) -> int:
    try:
        return rss_bytes(pid)
    except OSError:
        return 0


def flatness(series: list[int]) -> tuple[float, float]:
    """Median of the first and of the last third."""
    third = max(1, len(series) // 3)
    return statistics.median(series[:third]), statistics.median(series[-third:])

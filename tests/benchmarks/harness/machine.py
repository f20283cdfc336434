"""The machine and the versions that a figure belongs to. Without them a figure says nothing."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
PACKAGES: Final = ("faust-streaming", "aiokafka", "confluent-kafka", "pydantic", "pyarrow", "chdb", "genai-prices")


def facts() -> dict[str, Any]:
    """JSON values. `load_average` is what else was running when the benchmark began."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cores(number: int) -> int:
    """Pin this process, and those it will start, to so many cores, if there are more; returns how many are in use.

    The floors are stated for two cores; more would flatter the result.
    """
    if hasattr(os, "sched_setaffinity") and 0 < number < cores():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])
    return cores()


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (" with local changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"

"""What the operating system says of a process: on Linux in /proc (see proc(5)), elsewhere by `ps`."""

import ctypes
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from stream_jobs.runtime import system

_THREADS_FIELD: Final = 17  # num_threads, counted from the field after the command's name
_BEGAN_FIELD: Final = 19  # starttime
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PR_SET_NAME: Final = 15  # linux/prctl.h
_PS_JITTER_S: Final = 2  # `ps` of Linux computes the beginning from the time since the start of the machine


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process: no other one has had, or will have, the same number and beginning.

    `began` is in clock ticks since boot on Linux, elsewhere in seconds since 1970.
    """

    pid: int
    began: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """None when it does not run (a zombie does not), or where the system does not tell."""
        began = _began(pid) if system.LINUX else _began_by_ps(pid)
        return None if began is None else cls(pid, began)

    def runs(self) -> bool:
        found = ProcessId.of(self.pid)
        return found is not None and abs(found.began - self.began) <= (0 if system.LINUX else _PS_JITTER_S)


def threads() -> int:
    """Of this process, those of libraries too; 0 where the system does not tell."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir()) if system.LINUX else 0
    except OSError:
        return 0


def call_this_process(name: str) -> None:
    """What `ps -o comm` and `top` call it, up to 15 bytes. Linux only."""
    if system.LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not tell or the process is gone."""
    try:
        if system.LINUX:
            resident_pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
            return resident_pages * os.sysconf("SC_PAGE_SIZE")
        return int(system.tool_says("ps", "-o", "rss=", "-p", str(pid)) or 0) * 1024
    except (OSError, IndexError, ValueError):
        return 0


def address_bytes(pid: int) -> int:
    """Address space of a process, used or not; 0 where the system does not tell or the process is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) if system.LINUX else 0
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def private_bytes(pid: int) -> int:
    """Memory that no other process has: what a fork shares with its parent is not counted. Elsewhere than on Linux all
    that is resident; 0 where the process is gone."""
    if not system.LINUX:
        return resident_bytes(pid)
    return sum(_memory(pid).get(kind, 0) for kind in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"))


def proportional_bytes(pid: int) -> int:
    """PSS: what several processes share is counted once over all of them. Elsewhere than on Linux, and of a process of
    somebody else, all that is resident."""
    return (_memory(pid).get("Pss", 0) if system.LINUX else 0) or resident_bytes(pid)


def _memory(pid: int) -> dict[str, int]:
    """Each kind of memory in bytes; none where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
        return {kind: int(amount.split()[0]) * 1024 for kind, _, amount in (line.partition(":") for line in lines)}
    except (OSError, IndexError, ValueError):
        return {}


def _began(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        # The first thread of a process that ends can be gone while others still hold its ports and files.
        gone = fields[0] in "ZX" and int(fields[_THREADS_FIELD]) <= 1
        return None if gone else int(fields[_BEGAN_FIELD])
    except (OSError, IndexError, ValueError):
        return None


def _began_by_ps(pid: int) -> int | None:
    """From a line like "Ss   Sat Nov 28 13:30:55 2026"."""
    try:
        said = system.tool_says("ps", "-o", "stat=,lstart=", "-p", str(pid)) or ""
        state, _, month, day, clock, year = said.split()
        text = f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{clock}+00:00"
        began = int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None
    return None if state[0] in "ZX" else began

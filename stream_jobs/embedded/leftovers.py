"""What an instance that was killed left running: its children stop by themselves, and here somebody waits for that.

Each child is noted in a file of its own, with the instant the process began: a process id alone may belong to somebody
else by now.
"""

import contextlib
import logging
import os
import signal
from pathlib import Path
from typing import Final

from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.retry import wait_until

log = logging.getLogger(__name__)

GRACE_S: Final = 15.0  # a store that was told to stop finishes what it is writing
_KILL_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.05


def note(folder: Path, name: str, pid: int) -> None:
    """Remember a child that has just started, in place of an earlier one of this name."""
    process = ProcessId.of(pid)
    if process is not None:
        temporary = folder / f".{name}"
        temporary.write_text(f"{process.pid} {process.began}\n", encoding="ascii")
        temporary.replace(folder / name)


def forget(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)


def clear(folder: Path, grace_s: float = GRACE_S) -> list[str]:
    """Return when none of the children noted in `folder` runs any more; those that do not stop in time are killed.

    To be called by who holds the data folder's lock. Returns the names of those that still ran.
    """
    found = {path.name: process for path in folder.iterdir() if (process := _read(path)) is not None and process.runs()}
    for process in found.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    wait_until(lambda: not any(process.runs() for process in found.values()), grace_s, _POLL_S)
    for name, process in found.items():
        if process.runs():
            log.warning("the %s of an earlier instance (process %d) does not stop: killing it", name, process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(process.runs() for process in found.values()), _KILL_TIMEOUT_S, _POLL_S)
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    return sorted(found)


def _read(path: Path) -> ProcessId | None:
    try:
        pid, began = path.read_text(encoding="ascii").split()
        return ProcessId(int(pid), int(began))
    except (OSError, ValueError):
        return None  # cut off while it was written: then its child was not ready for anything yet

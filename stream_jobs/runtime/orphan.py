"""A child must not outlive its supervisor, even when that was killed with -9."""

import ctypes
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Callable

from stream_jobs.runtime import system

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent() -> Callable[[], None] | None:
    """To be run in a forked child before exec: the kernel kills it when the thread that forked ends. Linux only.

    For programs that are not ours and do not watch their stdin.
    """
    if not system.LINUX:
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """What the children of this process leave running when they die becomes its own child: so that where the first
    process waits for nobody (in a container it is ours), none of them stays as a zombie. Linux only."""
    if system.LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


class Guard:
    """Where the kernel does not do it (`die_with_parent`): a shell that kills the program once the pipe to us closes.

    To be made once the program runs, and released before it is stopped on purpose or waited for.
    """

    def __init__(self, pid: int) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        if not system.LINUX:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", 'read -r _; kill -9 "$0"', str(pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def release(self) -> None:
        """Safe to call twice."""
        if self._shell is not None:
            self._shell.kill()
            self._shell.communicate()
            self._shell = None


def stop_with_parent() -> None:
    """Send SIGTERM to this process when stdin, a pipe held by the supervisor, closes. No effect on other stdins."""
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(0).st_mode)
    except OSError:
        return
    if is_pipe:
        threading.Thread(target=_wait_for_end, name="parent-watch", daemon=True).start()


def _wait_for_end() -> None:
    # Not sys.stdin: its lock would be held while the interpreter shuts down.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

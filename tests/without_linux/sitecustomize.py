"""Python imports this at its start where PYTHONPATH names this folder: what only Linux has is gone, as on macOS.

In every process of ours, children too. What the engine, the broker and the libraries in C do by themselves stays.
"""

import fcntl
import os
import select
import signal
import socket
import sys
from typing import Any

from stream_jobs.runtime import system

ONLY_ON_LINUX: dict[Any, tuple[str, ...]] = {
    os: (
        *("memfd_create", "eventfd", "pidfd_open", "sched_getaffinity", "sched_setaffinity", "splice", "waitid"),
        *("posix_fadvise", "posix_fallocate", "copy_file_range", "getrandom", "fdatasync", "O_PATH", "O_TMPFILE"),
    ),
    select: ("epoll",),
    signal: ("pidfd_send_signal", "sigtimedwait", "sigwaitinfo"),
    socket: ("SO_PEERCRED", "SO_BINDTODEVICE", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "TCP_USER_TIMEOUT"),
    fcntl: ("F_SETPIPE_SZ", "F_GETPIPE_SZ"),
}
for module, names in ONLY_ON_LINUX.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


OUR_FOLDER = "/dev/shm/spendstream-tests-"  # tests/in_memory.sh


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    path = arguments[0] if event in ("open", "os.listdir", "os.scandir") else None
    if isinstance(path, str) and path.startswith(("/proc", "/sys", "/dev/shm")) and not path.startswith(OUR_FOLDER):
        raise FileNotFoundError(2, "there is no such folder on this system", path)


sys.addaudithook(_refuse)
system.LINUX = False

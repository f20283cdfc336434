"""Choosing and checking loopback ports."""

import contextlib
import errno
import os
import secrets
import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime import system
from stream_jobs.runtime.user_folder import lock_of, user_folder

LOOPBACK = "127.0.0.1"
KAFKA_PORT: Final = 9092  # where the embedded mode listens unless it is told otherwise, or somebody else does
CLICKHOUSE_PORT: Final = 8123
HTTP_PORT: Final = 8321
# Below the range that systems take ports of outgoing connections from (Linux: 32768 and up, see ip_local_port_range).
CHOSEN_PORTS = range(15_000, 32_000)
# What holds the ports chosen last. On Linux a bound socket: a server with SO_REUSEADDR, as all of ours, can listen
# beside it (it does not listen itself), while free_port(), here or in another process, sees that the port is taken.
_held: deque[int] = deque()
HELD_PORTS = 64
IN_USE: Final = "is already in use"
_LISTEN: Final = "0A"  # include/net/tcp_states.h


def free_port() -> int:
    """A TCP port on loopback that is free, that no other call is given, and that no outgoing connection will take.

    It stays reserved until HELD_PORTS later calls. (A client that tries to reach a server which is away can be given
    the server's port as its own, if outgoing connections can have it.)
    """
    hold = _hold_by_socket if system.LINUX else _hold_by_lock
    for _ in range(1000):
        port = secrets.choice(CHOSEN_PORTS)
        held = hold(port)
        if held is None:
            continue
        _held.append(held)
        while len(_held) > HELD_PORTS:
            os.close(_held.popleft())
        return port
    raise ConfigError(f"no free port between {CHOSEN_PORTS[0]} and {CHOSEN_PORTS[-1]}")


def _hold_by_socket(port: int) -> int | None:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return None
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: the bind was to fail beside another
        return probe.detach()


def _hold_by_lock(port: int) -> int | None:
    """Where no server can listen beside a socket that is bound to its port, as on BSD and macOS."""
    lock = lock_of(user_folder("free-ports") / str(port)) if port_trouble(port) is None else None
    if lock is None:
        return None
    with lock:
        return os.dup(lock.fileno())  # shares the lock


def port_trouble(port: int) -> str | None:
    """Why no server of ours can listen on it ("is already in use", "needs more permissions"); None if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return {errno.EADDRINUSE: IN_USE, errno.EACCES: "needs more permissions"}.get(
                error.errno or 0, f"cannot be used ({error.strerror})"
            )
        except OverflowError:
            return "is not a port number (0 to 65535)"
    if not system.LINUX and _answers(port):  # of who listens on all interfaces, which leaves ours free there
        return IN_USE
    return None


def _answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex((LOOPBACK, port)) == 0


def listener(port: int) -> str | None:
    """Who listens on a TCP port: "process 12 (nginx)". None where the system does not tell us (another user's)."""
    return _listener(port) if system.LINUX else _listener_by_lsof(port)


def _listener_by_lsof(port: int) -> str | None:
    """From lines like "p12" and "cnginx", the first two."""
    said = system.tool_says("lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc") or ""
    pid, name, *_ = [*said.splitlines(), "", ""]
    return f"process {pid[1:]} ({name[1:]})" if pid.startswith("p") and name.startswith("c") else None


def _listener(port: int) -> str | None:
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(Path("/proc/net") / table, port)}
    for link in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                process = link.parents[1]
                return f"process {process.name} ({(process / 'comm').read_text(errors='replace').strip()})"
    return None


def _listening(table: Path, port: int) -> Iterator[str]:
    """Inodes of the listening sockets in a table of the kernel's, see proc(5)."""
    with contextlib.suppress(OSError):
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                yield inode

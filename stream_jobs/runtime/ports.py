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

LOOPBACK = "127.0.0.1"
KAFKA_PORT: Final = 9092  # where the embedded mode listens unless it is told otherwise, or somebody else does
CLICKHOUSE_PORT: Final = 8123
HTTP_PORT: Final = 8321
# Below the range that systems take ports of outgoing connections from (Linux: 32768 and up, see ip_local_port_range).
CHOSEN_PORTS = range(15_000, 32_000)
# Sockets that hold the ports chosen last. A server with SO_REUSEADDR, as all of ours, can listen beside one of them
# (none listens itself), while free_port(), here or in another process, sees that the port is taken.
_held: deque[int] = deque()
HELD_PORTS = 64
IN_USE: Final = "is already in use"
_LISTEN: Final = "0A"  # include/net/tcp_states.h


def free_port() -> int:
    """A TCP port on loopback that is free, that no other call is given, and that no outgoing connection will take.

    It stays reserved until HELD_PORTS later calls. (A client that tries to reach a server which is away can be given
    the server's port as its own, if outgoing connections can have it.)
    """
    for _ in range(1000):
        port = secrets.choice(CHOSEN_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: the bind was to fail beside another
            _held.append(probe.detach())
        while len(_held) > HELD_PORTS:
            os.close(_held.popleft())
        return port
    raise ConfigError(f"no free port between {CHOSEN_PORTS[0]} and {CHOSEN_PORTS[-1]}")


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
    return None


def listener(port: int) -> str | None:
    """Who listens on a TCP port: "process 12 (nginx)". None where the system does not tell us (another user's process,
    other systems than Linux)."""
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

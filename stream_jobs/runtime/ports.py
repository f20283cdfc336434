"""Choosing and checking loopback ports."""

import errno
import os
import secrets
import socket
from collections import deque

from stream_jobs.base.errors import ConfigError

LOOPBACK = "127.0.0.1"
# Below the range that systems take ports of outgoing connections from (Linux: 32768 and up, see ip_local_port_range).
CHOSEN_PORTS = range(15_000, 32_000)
# Sockets that hold the ports chosen last. A server with SO_REUSEADDR, as all of ours, can listen beside one of them
# (none listens itself), while free_port(), here or in another process, sees that the port is taken.
_held: deque[int] = deque()
HELD_PORTS = 64


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


def claim_port(port: int, option: str) -> int:
    """The port itself if it is free (0 picks one).

    Raises ConfigError that names the command line option to change when the port is taken or not permitted.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            why = {errno.EADDRINUSE: "is already in use", errno.EACCES: "needs more permissions"}.get(
                error.errno or 0, f"cannot be used ({error.strerror})"
            )
            raise ConfigError(f"port {port} {why}; choose another with {option} (0 picks a free one)") from None
        except OverflowError:
            raise ConfigError(f"{port} is not a port number (0 to 65535); see {option}") from None
    return port

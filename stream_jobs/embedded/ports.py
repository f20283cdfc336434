"""Choosing and checking loopback ports."""

import errno
import secrets
import socket

from stream_jobs.errors import ConfigError

LOOPBACK = "127.0.0.1"
# Below the range that systems take ports of outgoing connections from (Linux: 32768 and up, see ip_local_port_range).
LASTING_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A TCP port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def lasting_port() -> int:
    """A TCP port on loopback that is free now and that no outgoing connection will take while its server is down.

    Clients that try to reach a server which is away would else, sooner or later, be given its port as their own.
    """
    for _ in range(1000):
        port = secrets.choice(LASTING_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise ConfigError(f"no free port between {LASTING_PORTS[0]} and {LASTING_PORTS[-1]}")


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

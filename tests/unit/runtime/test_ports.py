"""Ports: free, taken, out of range, not permitted."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime import ports, system
from stream_jobs.runtime.ports import LOOPBACK, free_port, listener, port_trouble
from tests import unprivileged

pytestmark = pytest.mark.usefixtures("either_system")


def can_be_listened_on(port: int) -> bool:
    """As our servers do."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
        return True


def test_a_free_port_can_be_listened_on() -> None:
    """By servers such as ours, although it is reserved."""
    port = free_port()
    assert port_trouble(port) is None
    assert can_be_listened_on(port)


def test_nobody_else_is_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither here nor in another process, before the server listens and after."""
    monkeypatch.setattr(ports, "CHOSEN_PORTS", range(31_900, 31_960))
    mine = [free_port() for _ in range(20)]
    assert len(set(mine)) == 20
    ask = "from stream_jobs.runtime import ports, system; ports.CHOSEN_PORTS = range(31_900, 31_960); "
    ask += f"system.LINUX = {system.LINUX}; "
    ask += "print(*(ports.free_port() for _ in range(20)))"
    theirs = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert not set(mine) & {int(port) for port in theirs}


def test_a_port_is_reserved_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets are not piled up; where all are reserved, the error says which range was tried."""
    monkeypatch.setattr(ports, "HELD_PORTS", 2)
    monkeypatch.setattr(ports, "CHOSEN_PORTS", range(31_970, 31_973))
    assert len({free_port() for _ in range(30)}) == 3
    monkeypatch.setattr(ports, "HELD_PORTS", 9)
    with pytest.raises(ConfigError, match="no free port between 31970 and 31972"):
        [free_port() for _ in range(4)]


@pytest.mark.parametrize("host", [LOOPBACK, "0.0.0.0"])
def test_who_listens_on_a_port_is_known(host: str) -> None:
    """Also when it listens on all interfaces; a port that is bound only, or that nobody has, has no listener."""
    with socket.socket() as other:
        other.bind((host, 0))
        port = other.getsockname()[1]
        assert listener(port) is None
        other.listen()
        assert port_trouble(port) == "is already in use"
        assert re.fullmatch(rf"process {os.getpid()} \(.+\)", str(listener(port)))
    assert listener(port) is None
    assert port_trouble(port) is None


@pytest.mark.parametrize("port", [65536, 70000, -1])
def test_what_is_no_port_number_is_said_so(port: int) -> None:
    """Outside of 0 to 65535."""
    assert port_trouble(port) == "is not a port number (0 to 65535)"


UNPRIVILEGED_FROM = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


@pytest.mark.skipif(UNPRIVILEGED_FROM <= 1, reason="everybody may bind privileged ports here")
def test_a_privileged_port_needs_permissions() -> None:
    """Below 1024, unless the system allows it to everybody."""
    done = unprivileged.python("from stream_jobs.runtime.ports import port_trouble; print(port_trouble(1))")
    assert done.stdout == "needs more permissions\n"


def test_a_free_port_is_not_one_that_outgoing_connections_get() -> None:
    """A client that tries to reach a server which is down must never be given the server's port as its own."""
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 < free_port() < ephemeral for _ in range(20))

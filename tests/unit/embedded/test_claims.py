"""Which ports an instance takes when others run or start."""

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.claims import PortClaims
from stream_jobs.embedded.instance import Instance, register, running_instances
from stream_jobs.runtime.ports import LOOPBACK, free_port

pytestmark = pytest.mark.usefixtures("either_system")


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of this test's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[PortClaims]:
    claims = PortClaims(tmp_path / "mine")
    yield claims
    for _ in range(2):
        claims.close()


def claim(claims: PortClaims, port: int | None, usual: int) -> int:
    return claims.claim(port, usual, "Kafka", "--kafka-port")


def test_a_port_asked_for_and_a_usual_one_are_used_when_they_are_free(claims: PortClaims) -> None:
    """0 asks for any."""
    asked, usual = free_port(), free_port()
    assert claim(claims, asked, usual) == asked
    assert claim(claims, None, usual) == usual
    assert claim(claims, 0, usual) not in (0, usual)


def test_the_usual_port_gives_way_and_one_asked_for_does_not(
    claims: PortClaims, caplog: pytest.LogCaptureFixture
) -> None:
    """Both say who has it; a port asked for is an error that names the option."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        with caplog.at_level(logging.WARNING):
            chosen = claim(claims, None, taken)
        who = rf"port {taken} is taken by process {os.getpid()} \(.+\)"
        assert chosen != taken
        assert re.search(rf"{who}: Kafka is on port {chosen} \(--kafka-port", caplog.text)
        with pytest.raises(ConfigError, match=rf"{who}; choose another with --kafka-port"):
            claim(claims, taken, free_port())


def test_a_running_instance_is_named_by_its_folder(claims: PortClaims, tmp_path: Path) -> None:
    """By each of its three ports, not by its process alone."""
    (tmp_path / "theirs").mkdir()
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(3)]
    ports = [listening.getsockname()[1] for listening in sockets]
    kafka, clickhouse, http = ports
    addresses = (f"127.0.0.1:{kafka}", f"http://127.0.0.1:{clickhouse}", f"http://127.0.0.1:{http}")
    register(Instance(os.getpid(), str(tmp_path / "theirs"), *addresses, "", "", ""))
    for port in ports:
        with pytest.raises(ConfigError, match=rf"by the spendstream on {tmp_path}/theirs \(process {os.getpid()}\)"):
            claim(claims, port, 1)
    for listening in sockets:
        listening.close()


def test_of_two_that_start_at_once_one_has_the_usual_port(claims: PortClaims, tmp_path: Path) -> None:
    """From the claim on, long before a server listens; when the other has gone, however it ended, the port is free."""
    usual = free_port()
    script = "import sys; from pathlib import Path; from stream_jobs.embedded.claims import PortClaims; "
    script += (
        f"claims = PortClaims(Path('/theirs')); print(claims.claim(None, {usual}, 'Kafka', '-'), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert int(other.stdout.readline()) == usual
    assert claim(claims, None, usual) != usual
    with pytest.raises(ConfigError, match=rf"by the spendstream on /theirs \(process {other.pid}\)"):
        claim(claims, usual, 1)
    other.kill()
    other.communicate()
    assert claim(claims, None, usual) == usual
    assert list(running_instances()) == [], "locks are no instances"


def test_a_usual_port_that_another_service_was_given_gives_way(claims: PortClaims) -> None:
    """`--kafka-port 8123` moves ClickHouse."""
    port = free_port()
    assert claim(claims, port, 1) == port
    assert claim(claims, None, port) != port


@pytest.mark.parametrize("port", [65536, -1])
def test_what_is_no_port_number_names_the_option(claims: PortClaims, port: int) -> None:
    """Nothing is chosen in its place."""
    with pytest.raises(ConfigError, match=f"port {port} is not a port number .*--kafka-port"):
        claim(claims, port, 1)

"""The chaos suite's own parts: an oracle that is wrong, or a proxy that does no harm, would prove nothing."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from stream_jobs.runtime.ports import LOOPBACK
from tests.chaos.oracle import MEASURES, PICO, ROLLUPS, Oracle
from tests.chaos.proxy import FaultProxy, Mode
from tests.chaos.traffic import Traffic, generate
from tests.integration.pipeline import usage_event

NOW = datetime(2026, 11, 20, 12, 30, 45, 678901, tzinfo=UTC)


def tokens(event_id: str, number: int, **changes: Any) -> dict[str, Any]:
    usage = {"kind": "tokens", "input_tokens": number, "output_tokens": 0}
    return usage_event(event_id, usage=usage, **changes)


def oracle_of(*events: dict[str, Any], poison: dict[bytes, str] | None = None) -> tuple[Oracle, list[bytes | None]]:
    values = [json.dumps(event).encode() for event in events]
    traffic = Traffic(events=dict(zip(values, events, strict=True)), poison=poison or {})
    return Oracle(traffic, {}), [*values]


def test_the_highest_revision_counts_and_of_those_the_first() -> None:
    """By hand: 2.50 USD per million input tokens of gpt-4o."""
    events = [tokens("a", 1_000_000), tokens("a", 2_000_000, revision=2), tokens("a", 3_000_000, revision=2)]
    oracle, values = oracle_of(*events, tokens("b", 4_000_000))
    expected = oracle.expect({0: [values[1], values[2], values[0], values[0]], 1: [values[3]]})
    assert expected.winner_at == {"a": (0, 0), "b": (1, 0)}
    total = expected.total()
    assert (total["events"], total["input_tokens"], total["list_cost"]) == (2, 6_000_000, 15 * PICO)


def test_every_rollup_adds_up_to_the_total() -> None:
    """The sums by key of each rollup, over all keys, are the sums over all events."""
    traffic = generate(5, 400, NOW)
    oracle = Oracle(traffic, {})
    expected = oracle.expect({0: list(traffic.events)})
    for name in ROLLUPS:
        rollup = expected.rollup(name)
        assert len(rollup) > 50
        sums = {measure: sum(row[measure] for row in rollup.values()) for measure in MEASURES}
        assert sums == expected.total()
    assert all(expected.total()[measure] > 0 for measure in MEASURES), "every measure is put to the test"


def test_what_must_be_refused_is_known_by_its_reason() -> None:
    """Garbage is expected in quarantine, at its offset, and a message without a value too."""
    oracle, values = oracle_of(tokens("a", 1), poison={b"garbage": "not_json", b"": "empty_message"})
    expected = oracle.expect({2: [b"garbage", values[0], None]})
    assert expected.refused == {(2, 0): "not_json", (2, 2): "empty_message"}
    assert expected.events_at == {(2, 1)}
    assert oracle.missing({2: [values[0], None]}) == [b"garbage"]


def test_a_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    """Same seed and clock: the same messages in the same order."""
    assert generate(1, 300, NOW) == generate(1, 300, NOW)
    assert generate(1, 300, NOW).messages != generate(2, 300, NOW).messages


@pytest.fixture
def echo() -> Iterator[tuple[FaultProxy, socket.socket]]:
    """A proxy in front of a listener that the test answers for."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(5)
        proxy = FaultProxy(server.getsockname()[1]).start()
        try:
            yield proxy, server
        finally:
            proxy.stop()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=5)


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(10) == b""
    except ConnectionError:
        return True


def test_the_proxy_swallows_answers_after_the_request_arrived(echo: tuple[FaultProxy, socket.socket]) -> None:
    """Accepted but not answered: the server has the whole request, the client's connection ends."""
    proxy, server = echo
    with connect(proxy) as client:
        client.sendall(b"insert")
        there, _ = server.accept()
        with there:
            assert there.recv(10) == b"insert"
            proxy.set(Mode.SWALLOW_ANSWERS)
            there.sendall(b"done")
            assert ended(client)


def test_the_proxy_delivers_late_what_hung(echo: tuple[FaultProxy, socket.socket]) -> None:
    """A client that gave up does not take back what it sent: the server gets it once the network moves again."""
    proxy, server = echo
    with connect(proxy) as client:
        there, _ = server.accept()
        with there:
            there.settimeout(0.2)
            proxy.set(Mode.HANG)
            client.sendall(b"late")
            with pytest.raises(TimeoutError):
                there.recv(10)
            proxy.set(Mode.PASS)
            there.settimeout(5)
            assert there.recv(10) == b"late"


def test_the_proxy_cuts_a_request_in_the_middle(echo: tuple[FaultProxy, socket.socket]) -> None:
    """The server gets a part of it and then the end of the connection."""
    proxy, server = echo
    proxy.set(Mode.CUT_REQUESTS)
    with connect(proxy) as client:
        client.sendall(b"0123456789")
        there, _ = server.accept()
        with there:
            there.settimeout(5)
            assert there.recv(10) == b"01234"
            assert ended(there)
            assert ended(client)


def test_the_proxy_refuses_and_recovers(echo: tuple[FaultProxy, socket.socket]) -> None:
    """Open connections are cut, new ones end at once; afterwards everything passes again."""
    proxy, server = echo
    with connect(proxy) as client:
        there, _ = server.accept()
        proxy.set(Mode.REFUSE)
        assert ended(client)
        there.close()
    with connect(proxy) as client:
        assert ended(client)
    proxy.set(Mode.PASS)
    with connect(proxy) as client:
        client.sendall(b"again")
        there, _ = server.accept()
        with there:
            assert there.recv(10) == b"again"

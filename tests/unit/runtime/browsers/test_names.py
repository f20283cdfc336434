"""Under which names a server may be asked for."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_jobs.runtime.browsers.names import LOOPBACK_ONLY, names_for, parse_host, parse_patterns

THIS_MACHINE = ["127.0.0.1", "127.0.0.1:8123", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8123", "127.3.2.1:9"]
STRANGERS = [
    "evil.example",
    "evil.example:8123",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "evil.example.com:80",
]
UNREADABLE = [
    "",
    "[",
    "[]",
    "[::1",
    "::1",
    "localhost.",
    "localhost:",
    "localhost:x",
    "localhost:8123:1",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost evil.example",
    "localhost,evil.example",
    "localhost/evil.example",
    "localhost#evil.example",
    "localhost\tevil.example",
    "löcalhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1%00.evil.example",
    "[::1%25lo]",
    "١٢٧.0.0.1",
]
ELSEWHERE = ["0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "10.0.0.5:8321", "[fd00::5]:8321"]
PRIVATE = ["worker-1:8321", "spendstream_worker", "worker.spendstream.svc.cluster.local", "a.b.svc", "db.internal"]


@pytest.mark.parametrize("host", THIS_MACHINE)
def test_every_server_answers_to_this_machines_names(host: str) -> None:
    """Whatever it listens on: port forwarding ends in one of these."""
    for names in (LOOPBACK_ONLY, names_for("127.0.0.1"), names_for("0.0.0.0"), names_for("10.0.0.5")):
        assert names.admit(parse_host(host))


@pytest.mark.parametrize("host", STRANGERS + UNREADABLE)
def test_no_server_answers_to_a_name_that_a_stranger_can_register(host: str) -> None:
    """Nor to a writing that two readers could read differently."""
    for names in (LOOPBACK_ONLY, names_for("127.0.0.1"), names_for("0.0.0.0"), names_for("::", ["other.example"])):
        assert not names.admit(parse_host(host))
    if host in UNREADABLE:
        assert parse_host(host) is None
        assert not names_for("0.0.0.0", ["*"]).admit(parse_host(host))


@pytest.mark.parametrize("host", ELSEWHERE + PRIVATE + ["metrics.local"])
def test_outside_of_loopback_addresses_and_private_names_will_do(host: str) -> None:
    """Probes ask for the address, Prometheus for the address or the name of a service; on loopback nobody does."""
    assert names_for("0.0.0.0").admit(parse_host(host))
    assert not names_for("127.0.0.1").admit(parse_host(host))


def test_the_machines_own_name_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is a whole one."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Worker-1.prod.example.com")
    assert names_for("0.0.0.0").admit(parse_host("worker-1.prod.example.com:8321"))
    assert not names_for("0.0.0.0").admit(parse_host("worker-2.prod.example.com:8321"))


def test_a_setting_admits_more() -> None:
    """Single names, all below one, or any; also on loopback, for a proxy in front."""
    for listening in ("127.0.0.1", "0.0.0.0"):
        names = names_for(listening, parse_patterns(" Metrics.example.com ,*.prod.example.com,"))
        for host in ("metrics.example.com", "METRICS.EXAMPLE.COM:80", "a.prod.example.com", "a.b.prod.example.com"):
            assert names.admit(parse_host(host))
        for host in (
            "prod.example.com",
            "xprod.example.com",
            "metrics.example.com.evil.example",
            "x.metrics.example.com",
        ):
            assert not names.admit(parse_host(host))
        assert names_for(listening, ["*"]).admit(parse_host("evil.example"))


@pytest.mark.parametrize("text", ["a:80", "http://a", "a b", "*.", "*a", "a.*", "[::1]", "é.example", "a/b"])
def test_what_is_no_name_is_refused_at_start(text: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(ValueError, match="is not a host name without its port"):
        parse_patterns(f"good.example,{text}")


@given(st.text(max_size=40))
def test_any_text_is_read_or_not_and_loopback_means_loopback(text: str) -> None:
    """No header raises, and nothing but the names of this machine counts as this machine."""
    host = parse_host(text)
    if host is not None and host.is_loopback:
        assert host.name in ("localhost", "::1") or host.name.startswith("127.")
        assert "@" not in text

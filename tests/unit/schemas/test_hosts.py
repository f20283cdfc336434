"""Which hosts are this machine, and logins that leave it without TLS."""

import pytest

from spendstream_schemas.hosts import is_loopback, password_in_the_clear


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "localhost.",
        "127.0.0.1",
        "127.1.2.3",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        " 127.0.0.1 ",
    ],
)
def test_this_machine(host: str) -> None:
    """By the name that every system gives it, or by an address of loopback."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1.example.com", "127.example.com", "localhost.example.com", "example.localhost.com", "mylocalhost"),
        *("10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "fe80::1", "128.0.0.1", "1.127.0.0", "2130706433", "", "[]"),
        *("127.0.0.1/8", "127.0.0.1:9092", "localhost\x00", "\u217cocalhost", "\uff11\uff12\uff17.0.0.1"),
    ],
)
def test_another_machine(host: str) -> None:
    """Also what only begins like loopback, and what only looks like it."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("servers", "protocol", "user", "mechanism", "told"),
    [
        ("kafka:9092", "SASL_PLAINTEXT", "me", "PLAIN", ["'me'", "kafka", "readable"]),
        (
            "localhost:1, kafka:2,[::1]:3,[2001:db8::1]:4",
            "SASL_PLAINTEXT",
            "me",
            "SCRAM-SHA-512",
            ["kafka, [2001:db8::1]"],
        ),
        ("kafka:9092", "SASL_SSL", "me", "PLAIN", None),
        ("kafka:9092", "SSL", None, None, None),
        ("kafka:9092", "PLAINTEXT", None, None, None),
        ("localhost:9092,127.0.0.1:9093,[::1]:1", "SASL_PLAINTEXT", "me", "PLAIN", None),
    ],
)
def test_a_login_without_tls_to_another_machine_is_told(
    servers: str, protocol: str, user: str | None, mechanism: str | None, told: list[str] | None
) -> None:
    """With the user and the hosts it goes to; not when it stays here or goes through TLS."""
    text = password_in_the_clear(servers, protocol, user, mechanism)
    assert (text is not None) == (told is not None)
    assert all(part in (text or "") for part in told or ())

"""Which hosts are this machine, and passwords that travel to others without TLS. For the SDK and the application."""

import ipaddress
import re
from typing import Final

HOST: Final = re.compile(r"[A-Za-z0-9._:%\[\]-]{1,253}")
"""Names and addresses as DNS and sockets take them; what else stands there would fail at the first connection."""
_WITHOUT_TLS: Final = frozenset({"PLAINTEXT", "SASL_PLAINTEXT"})


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine: `localhost`, 127.0.0.0/8 or ::1, with or without the
    brackets of a URL. A name that merely resolves to such an address does not count: it may resolve to another one."""
    host = host.strip().removeprefix("[").removesuffix("]")
    if host.casefold().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def password_in_the_clear(
    bootstrap_servers: str, security_protocol: str, username: str | None, mechanism: str | None
) -> str | None:
    """A sentence when a Kafka login goes to another machine without TLS; None when all is well."""
    if security_protocol not in _WITHOUT_TLS or not username:
        return None
    hosts = (server.strip().rpartition(":")[0] for server in bootstrap_servers.split(","))
    others = [host for host in hosts if not is_loopback(host)]
    if not others:
        return None
    how = (
        "is readable on the way there"
        if mechanism == "PLAIN"
        else "can be guessed by whoever listens, and the connection be taken over"
    )
    return (
        f"the password of Kafka's user {username!r} goes to {', '.join(others)} without TLS and {how}; "
        "use SASL_SSL as security_protocol"
    )

"""Under which names a server may be asked for: what the Host header may say.

A page whose name its owner lets point at our address (DNS rebinding) is same-origin with us as far as the browser
knows; only the name in Host gives it away. So a server answers to names alone that no stranger can point anywhere.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

SETTING: Final = "SPENDSTREAM_HTTP_ALLOWED_HOSTS"
PRIVATE_SUFFIXES: Final = (".local", ".internal", ".svc", ".home.arpa", ".localdomain")
"""Names that public DNS does not hold: mDNS and Kubernetes (cluster.local), private networks (RFC 8375, ICANN)."""
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?))(?::[0-9]{1,5})?")
_PATTERN: Final = re.compile(r"\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


class Host(NamedTuple):
    """What a Host header names, without its port."""

    name: str  # lower case, an IPv6 address without brackets
    is_address: bool
    is_loopback: bool


def parse_host(header: str) -> Host | None:
    """None for what no client of ours sends: no name, a user in front, addresses in unusual writing."""
    found = _HOST.fullmatch(header.lower())
    if found is None:
        return None
    bracketed, name = found.groups()
    try:
        address = ipaddress.IPv6Address(bracketed) if bracketed else ipaddress.IPv4Address(name)
    except ValueError:
        # A last label of digits would be read as an address by browsers (127.1), by us as a name.
        if bracketed or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", name.rpartition(".")[2]):
            return None
        return Host(name, is_address=False, is_loopback=name == "localhost")
    # ::ffff:127.0.0.1 is loopback to some Pythons only; to us it is an address like any other.
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return Host(str(address), is_address=True, is_loopback=address.is_loopback and not mapped)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one server. `loopback`: it listens on loopback, so nobody else needs to reach it by a name."""

    loopback: bool
    allowed: frozenset[str] = frozenset()
    own: str = ""

    def admit(self, host: Host | None) -> bool:
        """Whether a request may ask for this host; None is one that cannot be read."""
        if host is None:
            return False
        if host.is_loopback or self._is_allowed(host.name):
            return True
        if self.loopback:
            return False
        if host.is_address or "." not in host.name:  # nobody can register those
            return True
        return host.name == self.own or host.name.endswith(PRIVATE_SUFFIXES)

    @property
    def admit_nameless(self) -> bool:
        """Whether a request may lack Host: old probes (HTTP/1.0) do, browsers never."""
        return not self.loopback

    @property
    def hint(self) -> str:
        """What to do when a name is not admitted: one line."""
        if self.loopback:
            return "This port answers programs on this machine: ask for it as localhost or 127.0.0.1."
        return f"This port does not go by the name in Host: ask for its IP address, or add the name to {SETTING}."

    def _is_allowed(self, name: str) -> bool:
        return any(
            pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:]))
            for pattern in self.allowed
        )


LOOPBACK_ONLY: Final = Names(loopback=True)


def names_for(listening: str, allowed: Iterable[str] = ()) -> Names:
    """For a server that listens on this IP address; `allowed` as `parse_patterns` gives them."""
    return Names(
        loopback=ipaddress.ip_address(listening).is_loopback,
        allowed=frozenset(allowed),
        own=socket.gethostname().lower(),
    )


def parse_patterns(text: str) -> tuple[str, ...]:
    """Names separated by commas, `*.example.com` for all below one, `*` for any. Raises ValueError."""
    patterns = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is not a host name without its port (name, *.name or *)")
    return patterns

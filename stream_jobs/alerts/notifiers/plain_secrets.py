"""Receivers whose secrets would leave this machine readable by whoever listens on the way."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from spendstream_schemas.hosts import is_loopback
from stream_jobs.alerts.receiver_base import HttpReceiver
from stream_jobs.alerts.receivers import AppriseReceiver

_STAYS_HERE: Final = "secret"  # signs what is sent, and is not sent itself


def secrets_in_the_clear(receiver: Any, secrets: Mapping[str, SecretStr]) -> str | None:
    """A sentence when there is something to warn of; it names no secret. `secrets` are the receiver's, resolved.

    (Mail is not asked about: its model refuses a password without TLS.)
    """
    sent = [name for name in secrets if name != _STAYS_HERE]
    if not sent:
        return None
    if isinstance(receiver, HttpReceiver):
        url = secrets["url"].get_secret_value() if "url" in secrets else str(getattr(receiver, "url", None) or "")
        parts = urlsplit(url)
        if parts.scheme != "http" or is_loopback(parts.hostname or ""):
            return None
        # A host of a secret URL is a part of the secret.
        where = "its host" if "url" in secrets else parts.hostname
        return (
            f"receiver {receiver.name!r}: {' and '.join(sent)} would go to {where} over http:// and be readable on the "
            "way there; use https://"
        )
    if isinstance(receiver, AppriseReceiver):
        urls = secrets["url"].get_secret_value().split()
        numbers = [str(number) for number, url in enumerate(urls, start=1) if _apprise_is_plain(url)]
        if numbers:
            return (
                f"receiver {receiver.name!r}: URL number {', '.join(numbers)} goes to another host without TLS, and "
                "what it holds is readable on the way there; use the service's form with TLS (jsons:// for json://)"
            )
    return None


def _apprise_is_plain(url: str) -> bool:
    """Whether this service has two forms and the URL has the one without TLS. False where apprise is missing: then
    nothing is sent at all."""
    from stream_jobs.alerts.notifiers.apprise import instantiate

    service = instantiate(url)
    if service is None or not service.protocol or service.secure:
        return False
    return bool(service.host) and not is_loopback(str(service.host))

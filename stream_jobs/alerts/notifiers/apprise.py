"""Any service that apprise knows, from Teams to Matrix. An extra: `uv sync --group alerts-extra`."""

import asyncio
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from stream_jobs.alerts.notification import DeliveryError, Notification
from stream_jobs.alerts.receivers import AppriseReceiver
from stream_jobs.alerts.text import PLAIN, compose, inert, render
from stream_jobs.base.errors import ConfigError

_REMEMBERED: Final = 1000
_TALKATIVE: Final = ("apprise", "urllib3.connectionpool", "requests", "requests_oauthlib", "oauthlib")
"""Loggers that write the URLs which apprise calls; its services' tokens are in them."""
_TYPES: Final = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}


class AppriseNotifier:
    def __init__(self, receiver: AppriseReceiver, secrets: Mapping[str, SecretStr]) -> None:
        """Raises ConfigError when the package is missing, or a URL isn't one of apprise's."""
        apprise = _package(receiver.name)
        self._name = receiver.name
        self._wait_s = receiver.timeout_s
        self._zone = ZoneInfo(receiver.timezone)
        self._services: list[Any] = []
        # One service at a time, in our thread: there is only one in each.
        asset = apprise.AppriseAsset(async_mode=False, app_id="spendstream", app_desc="spendstream alerts")
        for number, url in enumerate(secrets["url"].get_secret_value().split(), start=1):
            service = apprise.Apprise(asset=asset)
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the plugins, which are imported now
                added = service.add(url) and len(service) == 1
            if not added:
                raise ConfigError(f"receiver {receiver.name!r}: URL number {number} is none that apprise understands")
            self._services.append(service)
        # Which services have taken which notification: a repetition is for the others.
        self._taken: dict[str, set[int]] = {}

    async def send(self, notification: Notification) -> str:
        """Not harmless to repeat for most services, so a repetition goes only to those that failed before."""
        taken = self._taken.setdefault(notification.key, set())
        while len(self._taken) > _REMEMBERED:
            del self._taken[next(iter(self._taken))]
        failed: list[int] = []
        for number, service in enumerate(self._services):
            if number in taken:
                continue
            work = asyncio.to_thread(self._notify, number, service, notification, taken)
            with suppress(TimeoutError):  # the thread goes on: if it gets through after all, a repetition knows
                await asyncio.wait_for(work, self._wait_s)
            if number not in taken:
                failed.append(number + 1)
        if failed:
            numbers = ", ".join(map(str, failed))
            raise DeliveryError(f"receiver {self._name!r}: apprise could not deliver to URL number {numbers}")
        return f"{len(taken)} of {len(self._services)} services"

    async def close(self) -> None:
        """apprise keeps no connections."""

    def _notify(self, number: int, service: Any, notification: Notification, taken: set[int]) -> None:
        story = compose(notification, self._zone)
        body = "\n".join([*map(inert, render(story.parts, PLAIN)), *([story.link] if story.link else [])])
        kind = "success" if notification.action == "resolve" else _TYPES[notification.severity]
        with quiet():
            try:
                if service.notify(title=inert(story.headline), body=body, notify_type=kind, body_format="text"):
                    taken.add(number)
            except Exception:  # noqa: BLE001, S110 - plugins of strangers; what they raise may quote a URL
                pass


def instantiate(url: str) -> Any:
    """apprise's object for one URL; None where it understands none, or is missing."""
    try:
        apprise = _package("")
    except ConfigError:
        return None
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return apprise.Apprise.instantiate(url)
        except Exception:  # noqa: BLE001 - plugins of strangers; what they raise may quote the URL
            return None


def _package(receiver: str) -> Any:
    try:
        with quiet():
            import apprise
    except ImportError:
        raise ConfigError(
            f"receiver {receiver!r} needs the package apprise; install it with: uv sync --group alerts-extra"
        ) from None
    return apprise


_quiet: Final[ContextVar[bool]] = ContextVar("apprise is kept quiet", default=False)


class _DropWhatIsQuiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - whatever it says
        return not _quiet.get()


_filter: Final = _DropWhatIsQuiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that apprise does meanwhile is logged, since what it logs holds URLs and tokens. Its worker threads work
    in our context, so they are quiet too."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_filter)  # adding it again changes nothing
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)

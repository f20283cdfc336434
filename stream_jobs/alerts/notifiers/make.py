"""From a receiver's configuration to its notifier."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from stream_jobs.alerts.notification import Notifier
from stream_jobs.alerts.notifiers.alertmanager import AlertmanagerNotifier
from stream_jobs.alerts.notifiers.grafana import GrafanaNotifier
from stream_jobs.alerts.notifiers.mail import EmailNotifier
from stream_jobs.alerts.notifiers.pagerduty import PagerDutyNotifier
from stream_jobs.alerts.notifiers.plain_secrets import secrets_in_the_clear
from stream_jobs.alerts.notifiers.slack import SlackNotifier
from stream_jobs.alerts.notifiers.webhook import WebhookNotifier
from stream_jobs.alerts.receiver_base import BaseReceiver
from stream_jobs.alerts.receivers import (
    AlertmanagerReceiver,
    AppriseReceiver,
    EmailReceiver,
    GrafanaReceiver,
    PagerDutyReceiver,
    Receiver,
    SlackReceiver,
    WebhookReceiver,
)
from stream_jobs.runtime.logs import warn_once


def _apprise(receiver: AppriseReceiver, secrets: Mapping[str, SecretStr]) -> Notifier:
    from stream_jobs.alerts.notifiers.apprise import AppriseNotifier  # an extra that may not be installed

    return AppriseNotifier(receiver, secrets)


_MAKERS: Final[Mapping[type[BaseReceiver], Callable[[Any, Mapping[str, SecretStr]], Notifier]]] = {
    PagerDutyReceiver: PagerDutyNotifier,
    AlertmanagerReceiver: AlertmanagerNotifier,
    SlackReceiver: SlackNotifier,
    WebhookReceiver: WebhookNotifier,
    EmailReceiver: EmailNotifier,
    AppriseReceiver: _apprise,
    GrafanaReceiver: GrafanaNotifier,
}


def make_notifier(receiver: Receiver, environ: Mapping[str, str] = os.environ) -> Notifier:
    """A notifier that opens its connections when it first sends. Raises ConfigError when a secret or package is
    missing, or a certificate file can't be used."""
    secrets = receiver.resolve(environ)
    warn_once(secrets_in_the_clear(receiver, secrets))
    return _MAKERS[type(receiver)](receiver, secrets)


def resend_every_s(receiver: Receiver) -> int | None:
    """Seconds after which a group that still holds must be sent again, with the latest notification as it was (the
    same key): this receiver forgets. None: never."""
    return receiver.resend_every_s if isinstance(receiver, AlertmanagerReceiver) else None

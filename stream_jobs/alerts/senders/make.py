"""From a receiver's configuration to its sender."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from stream_jobs.alerts.notification import Sender
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
from stream_jobs.alerts.senders.alertmanager import AlertmanagerSender
from stream_jobs.alerts.senders.grafana import GrafanaSender
from stream_jobs.alerts.senders.mail import EmailSender
from stream_jobs.alerts.senders.pagerduty import PagerDutySender
from stream_jobs.alerts.senders.plain_secrets import secrets_in_the_clear
from stream_jobs.alerts.senders.slack import SlackSender
from stream_jobs.alerts.senders.webhook import WebhookSender
from stream_jobs.runtime.logs import warn_once


def _apprise(receiver: AppriseReceiver, secrets: Mapping[str, SecretStr]) -> Sender:
    from stream_jobs.alerts.senders.apprise import AppriseSender  # an extra that may not be installed

    return AppriseSender(receiver, secrets)


_MAKERS: Final[Mapping[type[BaseReceiver], Callable[[Any, Mapping[str, SecretStr]], Sender]]] = {
    PagerDutyReceiver: PagerDutySender,
    AlertmanagerReceiver: AlertmanagerSender,
    SlackReceiver: SlackSender,
    WebhookReceiver: WebhookSender,
    EmailReceiver: EmailSender,
    AppriseReceiver: _apprise,
    GrafanaReceiver: GrafanaSender,
}


def make_sender(receiver: Receiver, environ: Mapping[str, str] = os.environ) -> Sender:
    """A sender that opens its connections when it first sends. Raises ConfigError when a secret or package is missing,
    or a certificate file can't be used."""
    secrets = receiver.resolve(environ)
    warn_once(secrets_in_the_clear(receiver, secrets))
    return _MAKERS[type(receiver)](receiver, secrets)


def resend_every_s(receiver: Receiver) -> int | None:
    """Seconds after which a group that still holds must be sent again, with the latest notification as it was (the
    same key): this receiver forgets. None: never."""
    return receiver.resend_every_s if isinstance(receiver, AlertmanagerReceiver) else None

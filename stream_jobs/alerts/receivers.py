"""Who can be told: the receivers of alerts.yaml, one model for each type. Secrets never stand in the file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spendstream_schemas.hosts import is_loopback
from spendstream_schemas.types import Text64, Text128, Text256
from stream_jobs.alerts.receiver_base import BaseReceiver, HttpReceiver, SecretNeeds, Url
from stream_jobs.alerts.secret_source import EnvName
from stream_jobs.base.errors import ConfigError

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
OWN_ALERTMANAGER_LABELS: Final = ("alertname", "group", "source", "severity", "kind")
"""Labels that the sender gives every alert; a receiver's own cannot take their place."""
_ADDRESS: Final = re.compile(r"[!#-'*+\-/-9=?A-Z^-~]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?").fullmatch


def _mail_address(value: str) -> str:
    if not _ADDRESS(value):
        raise ValueError(f"{value!r} is not a plain e-mail address such as oncall@example.com")
    return value


MailAddress = Annotated[str, Field(strict=True, min_length=3, max_length=254), AfterValidator(_mail_address)]
LabelName = Annotated[str, Field(strict=True, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128)]


class PagerDutyReceiver(HttpReceiver):
    """A service of PagerDuty, over its Events API v2: one incident for each group of alerts."""

    SECRETS: ClassVar[SecretNeeds] = {"routing_key": "required"}

    type: Literal["pagerduty"] = Field(description="PagerDuty, Events API v2.")
    routing_key_env: EnvName | None = Field(
        default=None, description="Variable that holds the integration's routing key."
    )
    routing_key_file: Path | None = Field(default=None, description="File that holds the integration's routing key.")
    url: Url = Field(
        default=PAGERDUTY_URL, description="Address of the API; https://events.eu.pagerduty.com/v2/enqueue in the EU."
    )
    source: Text128 = Field(default="spendstream", description="Name of this installation, shown as the source.")


class AlertmanagerReceiver(HttpReceiver):
    """A Prometheus Alertmanager, whose own routes decide who is told. Of a cluster, give each member a receiver."""

    SECRETS: ClassVar[SecretNeeds] = {"token": "optional", "password": "optional"}

    type: Literal["alertmanager"] = Field(description="Prometheus Alertmanager, API v2.")
    url: Url = Field(description="Address of Alertmanager, such as http://alertmanager:9093.")
    source: Text128 = Field(
        default="spendstream",
        description="Label `source` of every alert; installations that share an Alertmanager need different ones.",
    )
    labels: dict[LabelName, Text256] = Field(default_factory=dict, description="Labels to add to every alert.")
    firing_for_s: int = Field(
        default=86_400, ge=60, le=30 * 86_400, description="Seconds after which an alert ends by itself if we are gone."
    )
    resend_every_s: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds after which what still holds is sent again: Alertmanager forgets.",
    )
    username: Text128 | None = Field(default=None, description="User of HTTP basic authentication.")
    password_env: EnvName | None = Field(default=None, description="Variable that holds the password of the user.")
    password_file: Path | None = Field(default=None, description="File that holds the password of the user.")
    token_env: EnvName | None = Field(default=None, description="Variable that holds a bearer token.")
    token_file: Path | None = Field(default=None, description="File that holds a bearer token.")

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        given = {source.name for source in self.secret_sources()}
        if (self.username is not None) != ("password" in given):
            raise ValueError("username and password_env or password_file belong together")
        if len(given) > 1:
            raise ValueError("give a token or a user with a password, not both")
        taken = sorted(self.labels.keys() & set(OWN_ALERTMANAGER_LABELS))
        if taken:
            raise ValueError(f"labels: {', '.join(taken)} cannot be set: every alert has its own")
        if self.resend_every_s * 2 > self.firing_for_s:
            raise ValueError("firing_for_s must be at least twice resend_every_s, or alerts end between two sends")
        return self


class SlackReceiver(HttpReceiver):
    """A channel of Slack, or of what understands its incoming webhooks."""

    SECRETS: ClassVar[SecretNeeds] = {"url": "required"}

    type: Literal["slack"] = Field(description="Slack, incoming webhook.")
    url_env: EnvName | None = Field(
        default=None, description="Variable that holds the webhook's URL, which is a secret."
    )
    url_file: Path | None = Field(default=None, description="File that holds the webhook's URL, which is a secret.")


class WebhookReceiver(HttpReceiver):
    """Any HTTP endpoint: CloudEvents 1.0 in structured mode, signed where a secret is given."""

    SECRETS: ClassVar[SecretNeeds] = {"url": "required", "secret": "optional", "token": "optional"}

    type: Literal["webhook"] = Field(description="Any HTTP endpoint, as CloudEvents 1.0.")
    url: Url | None = Field(default=None, description="The endpoint's address, where it is no secret.")
    url_env: EnvName | None = Field(default=None, description="Variable that holds the endpoint's address.")
    url_file: Path | None = Field(default=None, description="File that holds the endpoint's address.")
    secret_env: EnvName | None = Field(
        default=None, description="Variable that holds the secret that signs what is sent."
    )
    secret_file: Path | None = Field(default=None, description="File that holds the secret that signs what is sent.")
    token_env: EnvName | None = Field(default=None, description="Variable that holds a bearer token to present.")
    token_file: Path | None = Field(default=None, description="File that holds a bearer token to present.")
    source: Text128 = Field(
        default="/spendstream", description="The events' source: names this installation, as a URI."
    )


class EmailReceiver(BaseReceiver):
    """People with a mailbox, over SMTP."""

    SECRETS: ClassVar[SecretNeeds] = {"password": "optional"}

    type: Literal["email"] = Field(description="E-mail over SMTP.")
    host: Text256 = Field(description="The SMTP server.")
    port: int = Field(
        default=587, ge=1, le=65_535, description="Its port: 587 for starttls, 465 for tls, 25 for plain."
    )
    security: Literal["starttls", "tls", "plain"] = Field(
        default="starttls",
        description="starttls: encrypted after the greeting; tls: from the start; plain: not at all.",
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authorities to trust, in place of the system's."
    )
    username: Text256 | None = Field(default=None, description="User of the login; none: no login.")
    password_env: EnvName | None = Field(default=None, description="Variable that holds the password of the user.")
    password_file: Path | None = Field(default=None, description="File that holds the password of the user.")
    from_address: MailAddress = Field(description="Address that the mail comes from.")
    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=50, description="Addresses that it goes to.")

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if (self.username is not None) != bool(self.secret_sources()):
            raise ValueError("username and password_env or password_file belong together")
        if self.username is not None and self.security == "plain" and not is_loopback(self.host):
            raise ValueError("security: plain would send the password in the clear; use starttls or tls")
        return self


class AppriseReceiver(BaseReceiver):
    """Any of the services that apprise knows. Needs the package: `uv sync --group alerts-extra`."""

    SECRETS: ClassVar[SecretNeeds] = {"url": "required"}
    SECRET_URL_IS_HTTP: ClassVar[bool] = False

    type: Literal["apprise"] = Field(description="Any service that apprise knows.")
    url_env: EnvName | None = Field(
        default=None, description="Variable that holds apprise's URLs, one a line or with blanks."
    )
    url_file: Path | None = Field(default=None, description="File that holds apprise's URLs, one a line.")


class GrafanaReceiver(HttpReceiver):
    """Marks in Grafana's charts: a region for as long as the alerts hold."""

    SECRETS: ClassVar[SecretNeeds] = {"token": "required"}

    type: Literal["grafana"] = Field(description="Grafana, annotations.")
    url: Url = Field(description="Address of Grafana, such as https://grafana.example.com.")
    token_env: EnvName | None = Field(default=None, description="Variable that holds a service account's token.")
    token_file: Path | None = Field(default=None, description="File that holds a service account's token.")
    dashboard_uid: Text64 | None = Field(
        default=None, description="Only on this dashboard; none: wherever the tags are asked for."
    )
    panel_id: int | None = Field(default=None, ge=1, description="Only on this panel of the dashboard.")
    source: Text128 = Field(
        default="spendstream", description="Name of this installation; those that share a Grafana need different ones."
    )
    tags: tuple[Text64, ...] = Field(default=(), max_length=10, description="Tags to add to every annotation.")

    @model_validator(mode="after")
    def _panel_has_dashboard(self) -> Self:
        if self.panel_id is not None and self.dashboard_uid is None:
            raise ValueError("panel_id needs dashboard_uid")
        return self


Receiver = Annotated[
    PagerDutyReceiver
    | AlertmanagerReceiver
    | SlackReceiver
    | WebhookReceiver
    | EmailReceiver
    | AppriseReceiver
    | GrafanaReceiver,
    Field(discriminator="type"),
]


def resolve_all(receivers: tuple[Any, ...], environ: Mapping[str, str]) -> None:
    """Raises ConfigError with everything that is missing for any of them; for `check-config`."""
    problems: list[str] = []
    for receiver in receivers:
        try:
            receiver.resolve(environ)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)

"""Senders against real servers: what is taken, what is tried again, what is given up, and no secret in any message."""

import asyncio
import json
import logging
import sys
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import TypeAdapter

from stream_jobs.alerts.notification import DeliveryError, Notification, Notifier
from stream_jobs.alerts.notifiers import make_notifier
from stream_jobs.alerts.receivers import Receiver
from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime.ports import LOOPBACK, free_port
from tests.receivers import http_server
from tests.receivers.cloudevents import SECRET, CloudEventsEndpoint
from tests.receivers.examples import ACKNOWLEDGE, BUDGET_ALERT, LIFE, RESOLVE, TRIGGER, UPDATE, big_group, hostile
from tests.receivers.grafana import TOKEN as GRAFANA_TOKEN
from tests.receivers.grafana import Grafana
from tests.receivers.http_server import HttpReceiverServer, answering, cutting, quoting, stalling, too_many
from tests.receivers.pagerduty import ROUTING_KEY, PagerDuty
from tests.receivers.slack import TOKEN as SLACK_TOKEN
from tests.receivers.slack import Slack
from tests.receivers.smtp import PASSWORD, USER, SmtpServer

RECEIVER: TypeAdapter[Any] = TypeAdapter(Receiver)
APPRISE_TOKEN = "apprise-path-token"
T = TypeVar("T")


@dataclass
class Setup:
    """One notifier's configuration and the server that it talks to."""

    server: HttpReceiverServer
    fields: dict[str, Any]
    environ: dict[str, str]

    def notifier(self, **fields: Any) -> Notifier:
        return make_notifier(RECEIVER.validate_python({"name": "oncall", **self.fields, **fields}), self.environ)


def pagerduty(server: PagerDuty) -> Setup:
    fields = {"type": "pagerduty", "url": server.enqueue_url, "routing_key_env": "KEY"}
    return Setup(server, fields, {"KEY": ROUTING_KEY})


def slack(server: Slack) -> Setup:
    return Setup(server, {"type": "slack", "url_env": "URL"}, {"URL": server.webhook_url})


def webhook(server: CloudEventsEndpoint) -> Setup:
    fields = {"type": "webhook", "url": server.endpoint_url, "secret_env": "SECRET", "token_env": "TOKEN"}
    return Setup(server, fields, {"SECRET": SECRET, "TOKEN": "bearer-of-the-webhook"})


def grafana(server: Grafana) -> Setup:
    return Setup(server, {"type": "grafana", "url": server.url, "token_env": "TOKEN"}, {"TOKEN": GRAFANA_TOKEN})


def alertmanager(server: HttpReceiverServer) -> Setup:
    fields = {"type": "alertmanager", "url": server.url, "username": "u", "password_env": "PASSWORD"}
    return Setup(server, fields, {"PASSWORD": "alertmanager-password"})


def apprise(server: HttpReceiverServer) -> Setup:
    url = f"json://user:apprise-password@{LOOPBACK}:{server.port}/{APPRISE_TOKEN}"
    return Setup(server, {"type": "apprise", "url_env": "URL"}, {"URL": url})


MAKERS: dict[str, tuple[type[HttpReceiverServer], Callable[[Any], Setup]]] = {
    "pagerduty": (PagerDuty, pagerduty),
    "slack": (Slack, slack),
    "webhook": (CloudEventsEndpoint, webhook),
    "grafana": (Grafana, grafana),
    "alertmanager": (HttpReceiverServer, alertmanager),
    "apprise": (HttpReceiverServer, apprise),
}
OVER_HTTP = [name for name in MAKERS if name != "apprise"]


@pytest.fixture
def setup(request: pytest.FixtureRequest) -> Iterator[Setup]:
    server, make = MAKERS[request.param]
    with server() as running:
        yield make(running)


def run(notifier: Notifier, work: Callable[[Notifier], Awaitable[T]]) -> T:
    async def go() -> T:
        try:
            return await work(notifier)
        finally:
            await notifier.close()

    return asyncio.run(go())


def send(notifier: Notifier, *notifications: Notification) -> list[str]:
    async def all_of_them(notifier: Notifier) -> list[str]:
        return [await notifier.send(notification) for notification in notifications]

    return run(notifier, all_of_them)


def failure(notifier: Notifier, notification: Notification = TRIGGER) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(notifier, notification)
    return caught.value


def test_pagerduty_has_one_incident_for_the_life_of_a_group() -> None:
    """Triggered, updated under the same dedup_key, acknowledged, resolved; every answer says so."""
    with PagerDuty() as server:
        notifier = pagerduty(server).notifier()
        answers = send(notifier, *LIFE)
        assert server.problems == []
        (incident,) = server.incidents
        assert (incident.state, incident.severity, len(incident.events)) == ("resolved", "critical", 4)
        assert answers[0].startswith("202 ")
        assert '"dedup_key": "search-monthly#1"' in answers[0]
        send(notifier, TRIGGER)
        assert len(server.incidents) == 2, "a new incident once the first is over"


def test_a_repeated_notification_makes_no_second_incident_event_or_annotation() -> None:
    """The answer to the first attempt may have been lost."""
    with PagerDuty() as one, CloudEventsEndpoint() as two, Grafana() as three:
        for setup in (pagerduty(one), webhook(two), grafana(three)):
            send(setup.notifier(), TRIGGER, TRIGGER)
        assert len(one.incidents) == 1
        assert len(two.events) == 1
        assert len(three.annotations) == 1


def test_slack_gets_a_message_for_every_state() -> None:
    """A webhook cannot edit, so each names the group."""
    with Slack() as server:
        assert send(slack(server).notifier(), *LIFE) == ["200 ok"] * 4
        assert server.problems == []
        headers = [message["blocks"][0]["text"]["text"] for message in server.messages]
        assert [header.split(" ", 1)[1].split(":")[0] for header in headers] == [
            "ERROR",
            "CRITICAL (100 % crossed)",
            "ACKNOWLEDGED",
            "RESOLVED",
        ]


def test_a_webhook_gets_signed_cloud_events() -> None:
    """The endpoint checks the signature of the body as it came in."""
    with CloudEventsEndpoint() as server:
        setup = webhook(server)
        send(setup.notifier(), *LIFE)
        assert server.problems == []
        assert [event["type"].rpartition(".")[2] for event in server.events] == [
            "trigger",
            "update",
            "acknowledge",
            "resolve",
        ]
        assert server.requests[0].headers["Authorization"] == "Bearer bearer-of-the-webhook"
        setup.environ["SECRET"] = "another"
        assert failure(setup.notifier()).retry, "the endpoint may be given the secret"


def test_a_grafana_annotation_becomes_a_region() -> None:
    """One annotation: created, changed, closed; a later group of the same id gets one of its own."""
    with Grafana() as server:
        setup = grafana(server)
        answers = [send(setup.notifier(tags=["prod"]), state)[0] for state in LIFE]  # each after a restart
        assert server.problems == []
        assert answers[1:] == ["200 annotation 1 updated"] * 2 + ["200 annotation 1 closed"]
        (annotation,) = server.annotations.values()
        assert annotation["time"] == 1_795_661_467_123
        assert annotation["timeEnd"] == 1_795_662_129_000
        assert {"spendstream", "severity:critical", "kind:budget", "prod"} < set(annotation["tags"])
        assert annotation["text"].startswith("<b>RESOLVED: ")
        assert send(setup.notifier(), RESOLVE) == ["200 no open annotation"]
        send(setup.notifier(dashboard_uid="abc", panel_id=2), replace(TRIGGER, revision=9))
        assert (server.annotations[2]["dashboardUID"], server.annotations[2]["panelId"]) == ("abc", 2)


@pytest.mark.parametrize("kind", [name for name in MAKERS if name != "alertmanager"])
def test_large_groups_and_hostile_texts_are_taken(kind: str) -> None:
    """Whatever stands in labels and summaries, the vendors' limits hold."""
    server, make = MAKERS[kind]
    with server() as running:
        send(make(running).notifier(), big_group(), hostile())
        assert running.problems == []


@pytest.mark.parametrize("setup", OVER_HTTP, indirect=True)
def test_busy_and_broken_receivers_are_tried_again(setup: Setup) -> None:
    """429 with its Retry-After, 5xx, a cut connection, silence, nobody there."""
    setup.server.failure = too_many("7")
    error = failure(setup.notifier())
    assert (error.retry, error.retry_after_s) == (True, 7.0)
    for status in (500, 502, 503, 504, 408):
        setup.server.failure = answering(status, "broken")
        assert failure(setup.notifier()).retry
    setup.server.failure = cutting()
    assert failure(setup.notifier()).retry
    setup.server.failure = stalling()
    error = failure(setup.notifier(timeout_s=0.3))
    assert error.retry
    assert "no answer within 0.3 s" in str(error)
    setup.server.down()
    error = failure(setup.notifier())
    assert error.retry
    assert "cannot connect" in str(error)
    assert f"'oncall' ({LOOPBACK})" in str(error)


@pytest.mark.parametrize("setup", [name for name in OVER_HTTP if name != "alertmanager"], indirect=True)
def test_a_receiver_that_comes_back_gets_the_notification(setup: Setup) -> None:
    """The same notifier, without a restart."""

    async def twice(notifier: Notifier) -> str:
        with pytest.raises(DeliveryError):
            await notifier.send(TRIGGER)
        setup.server.up()
        return await notifier.send(TRIGGER)

    setup.server.down()
    assert run(setup.notifier(), twice).startswith("20")


@pytest.mark.parametrize("setup", OVER_HTTP, indirect=True)
@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 407, 409, 410, 423, 451])
def test_what_somebody_may_mend_is_tried_again(setup: Setup, status: int) -> None:
    """A key that is not valid, an address that is not there, a proxy in between."""
    setup.server.failure = answering(status, "what is wrong")
    assert failure(setup.notifier()).retry


@pytest.mark.parametrize("setup", OVER_HTTP, indirect=True)
@pytest.mark.parametrize("status", [400, 411, 413, 415, 422])
def test_what_cannot_get_better_is_not_tried_again(setup: Setup, status: int) -> None:
    """It is what was sent that is not taken. The answer is quoted, so that somebody can mend it."""
    setup.server.failure = answering(status, "what is wrong")
    error = failure(setup.notifier())
    assert (error.retry, error.retry_after_s) == (False, None)
    assert f"answered {status} what is wrong" in str(error)


@pytest.mark.parametrize("setup", OVER_HTTP, indirect=True)
def test_a_redirect_is_not_followed(setup: Setup) -> None:
    """It could lead secrets to somebody else."""
    setup.server.failure = answering(307, headers={"Location": f"{setup.server.url}/elsewhere"})
    error = failure(setup.notifier())
    assert error.retry
    assert "a redirect, which is not followed" in str(error)
    assert "elsewhere" not in [request.path for request in setup.server.requests]
    assert len(setup.server.requests) == 1


@pytest.mark.parametrize("setup", ["pagerduty"], indirect=True)
def test_an_endless_answer_is_read_to_a_bound(setup: Setup) -> None:
    """A wrong address may serve gigabytes; people get the beginning."""
    setup.server.failure = answering(400, "x" * 3_000_000)
    error = failure(setup.notifier())
    assert len(str(error)) < 400


def test_a_wrong_routing_key_says_so() -> None:
    """PagerDuty's own words reach the operator."""
    with PagerDuty() as server:
        setup = pagerduty(server)
        setup.environ["KEY"] = "f" * 32
        error = failure(setup.notifier())
        assert error.retry, "the integration may be made again"
        assert "Invalid routing key" in str(error)


@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
def test_an_address_of_something_else_is_a_wrong_configuration(kind: str) -> None:
    """A server that answers 200 to everything is no Alertmanager and no Grafana."""
    _, make = MAKERS[kind]
    with HttpReceiverServer() as server:
        error = failure(make(server).notifier())
        assert error.retry, "it may be a proxy's page"
        assert "is not that of a" in str(error)


def mail_receiver(server: SmtpServer, **fields: Any) -> dict[str, Any]:
    return {
        "name": "mail",
        "type": "email",
        "host": LOOPBACK,
        "port": server.port,
        "security": "plain",
        "from_address": "alerts@example.com",
        "to": ["a@example.com", "b@example.com"],
        **fields,
    }


def login_receiver(server: SmtpServer, **fields: Any) -> dict[str, Any]:
    login = {"username": USER, "password_env": "PASSWORD", "security": "starttls", "ca_file": str(server.ca_file)}
    return mail_receiver(server, **login, **fields)


def mail_notifier(server: SmtpServer, **fields: Any) -> Notifier:
    return make_notifier(RECEIVER.validate_python(mail_receiver(server, **fields)), {"PASSWORD": PASSWORD})


def test_mail_arrives_as_text_and_html_in_one_thread(tmp_path: Path) -> None:
    """Over a real SMTP server, with STARTTLS and a login."""
    with SmtpServer(tmp_path) as server:
        receiver = RECEIVER.validate_python(login_receiver(server, timezone="Europe/Berlin"))
        notifier = make_notifier(receiver, {"PASSWORD": PASSWORD})
        assert send(notifier, *LIFE, hostile()) == ["250, 2 of 2 recipients"] * 5
        recipients, mail = server.mails[0]
        assert recipients == ("a@example.com", "b@example.com")
        assert mail["Subject"] == "ERROR: Team search has spent 92 % of its budget for November"
        text, html = (part.get_content() for part in mail.iter_parts())
        assert "Since: 2026-11-26 03:51 CET" in text
        assert "<b>At stake:</b> $1,234.57" in html
        assert len({str(mail["References"]) for _, mail in server.mails[:4]}) == 1
        assert len({str(mail["Message-ID"]) for _, mail in server.mails}) == 5
        assert server.mails[4][1]["Bcc"] is None


def test_mail_is_seven_bits_wide() -> None:
    """Not every server offers 8BITMIME, and the next one on the way may not: heads and bodies are ASCII, in lines that
    are short enough, and say the same."""
    strange = replace(
        TRIGGER, key="strange", alerts=(replace(BUDGET_ALERT, summary="Büro über Budget 💸 " + "ä" * 250),)
    )
    with SmtpServer() as server:
        send(mail_notifier(server), *LIFE, hostile(), strange)
        assert all(raw.isascii() for raw in server.raw)
        assert max(len(line) for raw in server.raw for line in raw.split(b"\r\n")) <= 998
        text, html = (part.get_content() for part in server.mails[-1][1].iter_parts())
        assert text.startswith("ERROR: Büro über Budget 💸")
        assert "Büro über Budget 💸" in html


def test_a_wrong_login_is_tried_again(tmp_path: Path) -> None:
    """Somebody may mend it at the server."""
    with SmtpServer(tmp_path) as server:
        receiver = RECEIVER.validate_python(login_receiver(server))
        error = failure(make_notifier(receiver, {"PASSWORD": "wrong-password"}))
        assert error.retry
        assert "the login was refused (535)" in str(error)
        assert failure(mail_notifier(server)).retry, "no STARTTLS and login, where they are required"


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    """The password isn't sent. It may be renewed without us, so it is tried again."""
    with SmtpServer(tmp_path) as server:
        receiver = RECEIVER.validate_python(login_receiver(server) | {"ca_file": None})
        error = failure(make_notifier(receiver, {"PASSWORD": PASSWORD}))
        assert error.retry
        assert "no secure connection (self-signed certificate)" in str(error)


def test_a_busy_mail_server_is_tried_again_and_a_refusal_is_not() -> None:
    """4xx and 5xx, for the mail as a whole; and nobody there."""
    with SmtpServer() as server:
        server.answer = "451 try later"
        assert failure(mail_notifier(server)).retry
        server.answer = "554 looks like spam"
        error = failure(mail_notifier(server))
        assert not error.retry
        assert "554 looks like spam" in str(error)
    error = failure(mail_notifier(server))
    assert error.retry
    assert "the connection failed" in str(error)


def test_a_recipient_that_is_busy_is_tried_again_alone() -> None:
    """Greylisting of one must not send the mail twice to the others."""
    with SmtpServer() as server:

        async def twice(notifier: Notifier) -> str:
            with pytest.raises(DeliveryError) as caught:
                await notifier.send(TRIGGER)
            assert caught.value.retry
            server.refuse.clear()
            return await notifier.send(TRIGGER)

        server.refuse["b@example.com"] = "450 greylisted"
        assert run(mail_notifier(server), twice) == "250, 2 of 2 recipients"
        assert [recipients for recipients, _ in server.mails] == [("a@example.com",), ("b@example.com",)]


def test_a_recipient_that_does_not_exist_stops_nobody_else() -> None:
    """The answer names it; when there is no other, the configuration must change."""
    with SmtpServer() as server:
        server.refuse["b@example.com"] = "550 no such user"
        assert send(mail_notifier(server), TRIGGER) == [
            "250, 1 of 2 recipients; refused: b@example.com: 550 no such user"
        ]
        server.refuse["a@example.com"] = "550 no such user"
        assert not failure(mail_notifier(server)).retry


def test_a_server_without_starttls_gets_no_mail() -> None:
    """Nothing is sent in the clear unless somebody said so."""
    with SmtpServer() as server:
        error = failure(mail_notifier(server, security="starttls"))
        assert error.retry
        assert "lacks STARTTLS" in str(error)
        assert server.mails == []


def test_apprise_delivers_and_repeats_only_where_it_failed() -> None:
    """Two services, one down: the second attempt reaches that one alone."""
    with HttpReceiverServer() as one, HttpReceiverServer() as two:
        urls = "\n".join(f"json://{LOOPBACK}:{server.port}/{APPRISE_TOKEN}" for server in (one, two))
        receiver = RECEIVER.validate_python({"name": "rest", "type": "apprise", "url_env": "URL"})

        async def twice(notifier: Notifier) -> str:
            with pytest.raises(DeliveryError, match="URL number 2"):
                await notifier.send(UPDATE)
            two.failure = None
            return await notifier.send(UPDATE)

        two.failure = answering(500)
        assert run(make_notifier(receiver, {"URL": urls}), twice) == "2 of 2 services"
        assert (len(one.requests), len(two.requests)) == (1, 2)
        document = json.loads(one.requests[0].body)
        assert document["title"].startswith("CRITICAL (100 % crossed): ")
        assert "At stake: $1,234.57" in document["message"]
        assert document["type"] == "failure"
        send(make_notifier(receiver, {"URL": urls}), RESOLVE)
        assert json.loads(one.requests[-1].body)["type"] == "success"


def test_apprise_refuses_an_unknown_url_without_repeating_it() -> None:
    """At start, by its number."""
    receiver = RECEIVER.validate_python({"name": "rest", "type": "apprise", "url_env": "URL"})
    with pytest.raises(ConfigError) as caught:
        make_notifier(receiver, {"URL": "json://localhost/x nosuchservice://geheimnis"})
    assert str(caught.value) == "receiver 'rest': URL number 2 is none that apprise understands"


def test_without_apprise_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    receiver = RECEIVER.validate_python({"name": "rest", "type": "apprise", "url_env": "URL"})
    with pytest.raises(ConfigError, match="uv sync --group alerts-extra"):
        make_notifier(receiver, {"URL": "json://localhost"})


FAILURES: dict[str, http_server.Failure | None] = {
    "quoted": quoting(),
    "busy": too_many(),
    "broken": answering(500, "no"),
    "cut": cutting(),
    "down": None,
}


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("kind", MAKERS)
def test_no_secret_is_in_logs_or_errors(kind: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level, whatever fails, even when a server repeats the request to us."""
    caplog.set_level(logging.DEBUG)
    server, make = MAKERS[kind]
    with server() as running:
        setup = make(running)
        running.failure = FAILURES[how]
        if how == "down":
            running.down()
        error = failure(setup.notifier())
    told = [caplog.text, *(str(vars(record)) for record in caplog.records), *chain(error)]
    secrets = [*setup.environ.values(), SLACK_TOKEN.rpartition("/")[2], APPRISE_TOKEN, "apprise-password"]
    for secret in secrets:
        assert not [text for text in told if secret in text]


def test_no_secret_of_the_mail_server_is_in_logs_or_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A refused login, with the server's own logs set aside: it runs in this process and sees the password."""
    caplog.set_level(logging.DEBUG)
    with SmtpServer(tmp_path) as server:
        receiver = RECEIVER.validate_python(login_receiver(server))
        error = failure(make_notifier(receiver, {"PASSWORD": "a-wrong-password"}))
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    for form in ("a-wrong-password", b64encode(f"\0{USER}\0a-wrong-password".encode()).decode()):
        assert not [text for text in (*told, *chain(error)) if form in text]


def chain(error: BaseException) -> list[str]:
    """Everything that a log of the error could show: all that it stands on, suppressed or not."""
    texts = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        texts += [str(link), repr(link)]
        link = link.__context__
    return texts


def test_closing_a_sender_that_never_sent_is_harmless() -> None:
    """And closing it twice."""

    async def close_twice() -> None:
        notifier = make_notifier(
            RECEIVER.validate_python({"name": "s", "type": "slack", "url_env": "U"}),
            {"U": f"http://{LOOPBACK}:{free_port()}/x"},
        )
        await notifier.close()
        await notifier.close()

    asyncio.run(close_twice())


def test_acknowledging_what_pagerduty_does_not_know_is_harmless() -> None:
    """It may have been resolved by hand."""
    with PagerDuty() as server:
        assert send(pagerduty(server).notifier(), ACKNOWLEDGE)[0].startswith("202")
        assert server.incidents == []

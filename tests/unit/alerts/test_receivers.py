"""The receivers of alerts.yaml: what is accepted, what is refused with which words, and where secrets come from."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from stream_jobs.alerts.notifiers import make_notifier, resend_every_s
from stream_jobs.alerts.receivers import PAGERDUTY_URL, PagerDutyReceiver, Receiver, WebhookReceiver, resolve_all
from stream_jobs.alerts.secret_source import MAX_SECRET_BYTES
from stream_jobs.base.errors import ConfigError

RECEIVER: TypeAdapter[Any] = TypeAdapter(Receiver)
MINIMAL: dict[str, dict[str, Any]] = {
    "pagerduty": {"routing_key_env": "PD_KEY"},
    "alertmanager": {"url": "http://alertmanager:9093"},
    "slack": {"url_env": "SLACK_URL"},
    "webhook": {"url": "https://example.com/alerts"},
    "email": {"host": "mail.example.com", "from_address": "alerts@example.com", "to": ["oncall@example.com"]},
    "apprise": {"url_env": "APPRISE_URL"},
    "grafana": {"url": "https://grafana.example.com", "token_env": "GRAFANA_TOKEN"},
}
ENVIRON = {
    "PD_KEY": "0123456789abcdef0123456789abcdef",
    "SLACK_URL": "https://hooks.slack.com/services/T0/B0/xyz",
    "APPRISE_URL": "json://localhost/token",
    "GRAFANA_TOKEN": "glsa_x",
}


def receiver(kind: str, **fields: Any) -> Any:
    return RECEIVER.validate_python({"name": "r", "type": kind} | MINIMAL[kind] | fields)


def problems(kind: str, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        receiver(kind, **fields)
    return "; ".join(item["msg"] for item in caught.value.errors(include_url=False, include_context=False))


@pytest.mark.parametrize("kind", MINIMAL)
def test_the_least_that_a_receiver_needs(kind: str) -> None:
    """Defaults for all else; a notifier can be made of it without a network."""
    made = receiver(kind)
    assert (made.send_resolved, made.max_per_minute, made.timeout_s, made.timezone) == (True, 20, 10.0, "UTC")
    assert make_notifier(made, ENVIRON) is not None
    assert resend_every_s(made) == (600 if kind == "alertmanager" else None)


def test_pagerduty_has_its_public_address_and_can_have_another() -> None:
    """The EU region, or a test."""
    assert receiver("pagerduty").url == PAGERDUTY_URL
    assert receiver("pagerduty", url="https://events.eu.pagerduty.com/v2/enqueue").url.startswith("https://events.eu.")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("pagerduty", {"routing_key_env": None}, "give one of routing_key_env, routing_key_file"),
        ("pagerduty", {"routing_key_file": "/k"}, "routing_key_env and routing_key_file are given; keep one"),
        ("pagerduty", {"routing_key": "abc"}, "Extra inputs are not permitted"),
        ("pagerduty", {"url": "ftp://example.com"}, "must be a URL that begins with http:// or https://"),
        ("pagerduty", {"timezone": "Berlin"}, "'Berlin' is not a time zone"),
        ("pagerduty", {"timezone": "../../etc/passwd"}, "is not a time zone"),
        ("pagerduty", {"max_per_minute": 0}, "greater than or equal to 1"),
        ("pagerduty", {"name": "a\nb"}, "control"),
        ("alertmanager", {"url": "http://user:pw@host"}, "must not hold a user or password"),
        ("alertmanager", {"labels": {"severity": "x", "source": "y"}}, "severity, source cannot be set"),
        ("alertmanager", {"labels": {"no-dash": "x"}}, "should match pattern"),
        ("alertmanager", {"username": "u"}, "username and password_env or password_file belong together"),
        ("alertmanager", {"username": "u", "password_env": "P", "token_env": "T"}, "not both"),
        ("alertmanager", {"resend_every_s": 60, "firing_for_s": 100}, "at least twice resend_every_s"),
        ("webhook", {"url": None}, "give one of url, url_env, url_file"),
        ("webhook", {"url_env": "X"}, "url and url_env are given; keep one"),
        ("webhook", {"url": "http://host:port/"}, "is not a URL"),
        ("webhook", {"url": "http://host/a b"}, "without blanks"),
        ("email", {"to": []}, "at least 1 item"),
        ("email", {"to": ["a@b.c\r\nBcc: x@y.z"]}, "is not a plain e-mail address"),
        ("email", {"from_address": "Alerts <a@b.c>"}, "is not a plain e-mail address"),
        ("email", {"username": "u"}, "belong together"),
        ("email", {"username": "u", "password_env": "P", "security": "plain"}, "in the clear"),
        ("grafana", {"panel_id": 3}, "panel_id needs dashboard_uid"),
    ],
)
def test_what_is_refused_and_in_which_words(kind: str, fields: dict[str, Any], words: str) -> None:
    """Each message says what to change."""
    assert words in problems(kind, **fields)


def test_a_secret_in_the_place_of_its_variables_name_is_not_repeated() -> None:
    """The most likely mistake; the message must not end up in a log with the secret."""
    words = problems("slack", url_env="https://hooks.slack.com/services/T0/B0/secret")
    assert "not the secret itself" in words
    assert "B0/secret" not in words


def test_an_unknown_type_lists_the_known_ones() -> None:
    """The discriminator's message."""
    with pytest.raises(ValidationError, match="'pagerduty', 'alertmanager', 'slack'"):
        RECEIVER.validate_python({"name": "r", "type": "pager"})


def test_a_secret_comes_from_a_variable_or_a_file_without_its_line_break(tmp_path: Path) -> None:
    """What `echo` and editors leave at the end is not part of it."""
    file = tmp_path / "key"
    file.write_text("from-a-file\r\n")
    made = receiver("pagerduty", routing_key_env=None, routing_key_file=str(file))
    assert made.resolve({})["routing_key"].get_secret_value() == "from-a-file"
    assert receiver("pagerduty").resolve({"PD_KEY": "from-env"})["routing_key"].get_secret_value() == "from-env"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"abc\x00def", "holds control characters"),
        (b"x" * (MAX_SECRET_BYTES + 1), "is larger than"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    """The file, never what is in it."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    made = receiver("pagerduty", routing_key_env=None, routing_key_file=str(file))
    with pytest.raises(ConfigError) as caught:
        made.resolve({})
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.__context__ is None or "xff" not in repr(caught.value.__context__)


def test_all_that_is_missing_is_reported_at_once() -> None:
    """Of all receivers, each with its name."""
    receivers = (
        PagerDutyReceiver(name="one", type="pagerduty", routing_key_env="MISSING_1"),
        WebhookReceiver(name="two", type="webhook", url_env="MISSING_2", secret_env="EMPTY"),
    )
    with pytest.raises(ConfigError) as caught:
        resolve_all(receivers, {"EMPTY": ""})
    assert caught.value.problems == (
        "receiver 'one': routing_key: the environment variable MISSING_1 is not set",
        "receiver 'two': url: the environment variable MISSING_2 is not set",
        "receiver 'two': secret: the environment variable EMPTY is empty",
    )


def test_a_secret_url_is_checked_when_it_is_read_and_not_repeated() -> None:
    """Only then is it known."""
    with pytest.raises(ConfigError) as caught:
        receiver("slack").resolve({"SLACK_URL": "hooks.slack.com/services/geheim"})
    assert "what SLACK_URL holds must be a URL that begins with http:// or https://" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """At start, not when the first alert should go out."""
    with pytest.raises(ConfigError, match=r"ca_file .*ca\.pem cannot be used: No such file"):
        make_notifier(receiver("pagerduty", ca_file=str(tmp_path / "ca.pem")), ENVIRON)
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(ConfigError, match="cannot be used"):
        make_notifier(receiver("email", ca_file=str(tmp_path / "ca.pem")), ENVIRON)


def test_every_field_is_described_for_editors() -> None:
    """The JSON Schema is what people see while they write the file."""
    schema = RECEIVER.json_schema()
    models = [model for model in schema["$defs"].values() if "properties" in model]
    assert len(models) == len(MINIMAL)
    for model in models:
        for name, field in model["properties"].items():
            assert field.get("description", "").endswith("."), f"{model['title']}.{name}"
    json.dumps(schema)

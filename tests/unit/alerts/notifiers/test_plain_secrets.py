"""Secrets of receivers that would go to another machine without TLS."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter

from stream_jobs.alerts.check import check_file
from stream_jobs.alerts.notifiers import make_notifier
from stream_jobs.alerts.notifiers.plain_secrets import secrets_in_the_clear
from stream_jobs.alerts.receivers import Receiver

RECEIVER: TypeAdapter[Any] = TypeAdapter(Receiver)


def told(secrets: dict[str, str], **fields: Any) -> str | None:
    receiver = RECEIVER.validate_python({"name": "r", **fields, **{f"{name}_env": name.upper() for name in secrets}})
    return secrets_in_the_clear(receiver, {name: SecretStr(value) for name, value in secrets.items()})


@pytest.mark.parametrize(
    ("secrets", "fields"),
    [
        ({"token": "t0k3n"}, {"type": "alertmanager", "url": "http://am:9093"}),
        ({"password": "t0k3n"}, {"type": "alertmanager", "url": "http://am:9093", "username": "me"}),
        ({"routing_key": "t0k3n"}, {"type": "pagerduty", "url": "http://proxy.example/v2/enqueue"}),
        ({"token": "t0k3n"}, {"type": "grafana", "url": "http://127.0.0.1.example.com"}),
        ({"token": "t0k3n"}, {"type": "webhook", "url": "http://hook.example"}),
        ({"url": "http://hooks.example/t0k3n"}, {"type": "webhook"}),
        ({"url": "HTTP://hooks.example/t0k3n"}, {"type": "slack"}),
        ({"url": "json://user:t0k3n@host.example"}, {"type": "apprise"}),
        ({"url": "jsons://a:b@host.example mailto://user:t0k3n@example.com"}, {"type": "apprise"}),
    ],
)
def test_a_secret_over_http_to_another_host_is_told(secrets: dict[str, str], fields: dict[str, Any]) -> None:
    """With the receiver's name, and never with the secret or a part of it."""
    text = told(secrets, **fields)
    assert text is not None
    assert text.startswith("receiver 'r': ")
    assert "t0k3n" not in text
    assert "hooks.example" not in text


@pytest.mark.parametrize(
    ("secrets", "fields"),
    [
        ({"token": "t"}, {"type": "alertmanager", "url": "https://am:9093"}),
        ({"token": "t"}, {"type": "alertmanager", "url": "http://localhost:9093"}),
        ({"token": "t"}, {"type": "grafana", "url": "http://[::1]:3000"}),
        ({}, {"type": "alertmanager", "url": "http://am:9093"}),
        ({"secret": "signs"}, {"type": "webhook", "url": "http://hook.example"}),
        ({"url": "https://hooks.example/t"}, {"type": "slack"}),
        ({"url": "jsons://user:t@host.example"}, {"type": "apprise"}),
        ({"url": "json://user:t@localhost"}, {"type": "apprise"}),
        ({"url": "tgram://123456789:abcdefg_hijklmnop/12315544/"}, {"type": "apprise"}),
        ({"url": "nonsense"}, {"type": "apprise"}),
    ],
)
def test_nothing_is_told_of_the_others(secrets: dict[str, str], fields: dict[str, Any]) -> None:
    """TLS, this machine, no secret, a secret that only signs, services that only have TLS."""
    assert told(secrets, **fields) is None


def test_it_is_said_by_check_config_and_when_the_receiver_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same sentence; in the log once."""
    (tmp_path / "alerts.yaml").write_text(
        "receivers: [{name: said-once, type: grafana, url: 'http://grafana.example', token_env: GRAFANA_TOKEN}]\n"
        "default: [said-once]\n"
    )
    environ = {"GRAFANA_TOKEN": "t0k3n"}
    report = check_file(tmp_path, environ)
    assert report.document is not None
    (warning,) = [text for text in report.warnings if "said-once" in text and "alone" not in text]
    assert "token would go to grafana.example over http://" in warning
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            make_notifier(report.document.receivers[0], environ)
    assert caplog.text.count("token would go to grafana.example") == 1
    assert not any("would go" in text for text in check_file(tmp_path, {}).warnings)

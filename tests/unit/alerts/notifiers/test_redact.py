"""Secrets in texts that people read."""

import base64
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from stream_jobs.alerts.notifiers.redact import Redactor

SECRET = 'p@ss w"rd/1234'
URL = "https://user-x:pass-word@hooks.example.com/services/T0000/B0000/abcdefgh?token=zyxwvuts"


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET, safe=""), quote(SECRET), base64.b64encode(SECRET.encode()).decode(), 'p@ss w\\"rd/1234'],
)
def test_a_secret_is_found_in_every_form_that_it_travels_in(form: str) -> None:
    """As it is, in a URL, in JSON, in base64."""
    assert form not in Redactor({"secret": SecretStr(SECRET)})(f"bad value {form} given")


@pytest.mark.parametrize("part", [URL, "/services/T0000/B0000/abcdefgh", "abcdefgh", "zyxwvuts", "pass-word"])
def test_of_a_secret_url_every_part_but_the_host_is_hidden(part: str) -> None:
    """A server that answers "no such hook: abcdefgh" tells the secret."""
    text = Redactor({"url": SecretStr(URL)})(f"hooks.example.com: no such hook {part}")
    assert part not in text
    assert text.startswith("hooks.example.com: ")


def test_without_secrets_nothing_changes() -> None:
    """An empty pattern would match everywhere."""
    assert Redactor({})("abc") == "abc"

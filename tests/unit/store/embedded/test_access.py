"""Who is let in."""

import base64
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.store.embedded.access import authenticate, read_or_make_password
from stream_jobs.store.embedded.errors import EngineError

PASSWORD = "a-long-enough-password"


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "query", "may_write"),
    [
        ({}, {}, False),
        (basic("default:"), {}, False),
        (basic(f"spendstream:{PASSWORD}"), {}, True),
        ({"X-ClickHouse-User": "spendstream", "X-ClickHouse-Key": PASSWORD}, {}, True),
        ({}, {"user": "spendstream", "password": PASSWORD}, True),
    ],
)
def test_all_three_ways_to_log_in(headers: dict[str, str], query: dict[str, str], may_write: bool) -> None:
    """Headers, Basic and URL, as ClickHouse takes them; nothing at all is the reader."""
    assert authenticate(headers, query, PASSWORD).may_write is may_write


@pytest.mark.parametrize(
    "headers",
    [
        basic("spendstream:wrong"),
        basic("spendstream:"),
        basic("default:x"),
        basic("root:"),
        {"Authorization": "Basic !!!"},
        {"X-ClickHouse-User": "spendstream"},
    ],
)
def test_everything_else_is_refused(headers: dict[str, str]) -> None:
    """Code 516, and the message never holds a password."""
    with pytest.raises(EngineError) as caught:
        authenticate(headers, {}, PASSWORD)
    assert caught.value.code == 516
    assert PASSWORD not in str(caught.value)


def test_the_password_is_made_once(tmp_path: Path) -> None:
    """Long, random, kept, and an empty file is no password."""
    path = tmp_path / "credentials"
    password = read_or_make_password(path)
    assert len(password) >= 32
    assert read_or_make_password(path) == password
    assert read_or_make_password(tmp_path / "other") != password
    path.write_text("\n")
    with pytest.raises(ConfigError, match="no usable password"):
        read_or_make_password(path)
    with pytest.raises(ConfigError, match="cannot be kept"):
        read_or_make_password(tmp_path / "missing" / "credentials")

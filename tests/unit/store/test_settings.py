"""Where ClickHouse is: URL, parts, secrets."""

from pathlib import Path

import pytest

from stream_jobs.errors import ConfigError
from stream_jobs.store.settings import ENV_PREFIX, load_clickhouse_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)


def test_a_url_fills_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheme, host, port, user and password, escaped characters included."""
    monkeypatch.setenv(f"{ENV_PREFIX}URL", "https://me:p%40ss@db.example:9443")
    settings = load_clickhouse_settings()
    assert (settings.host, settings.port, settings.secure, settings.user) == ("db.example", 9443, True, "me")
    assert settings.secret() == "p@ss"
    assert settings.address == "https://db.example:9443"
    assert "p@ss" not in repr(settings)
    assert load_clickhouse_settings(url="http://[::1]").address == "http://[::1]:8123"
    assert load_clickhouse_settings(url="localhost:81").port == 81


def test_the_password_comes_from_a_file_each_time(tmp_path: Path) -> None:
    """A rotated secret works at the next connection."""
    path = tmp_path / "secret"
    path.write_text("one\n")
    settings = load_clickhouse_settings(password_file=path)
    assert settings.secret() == "one"
    path.write_text("two\n")
    assert settings.secret() == "two"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "ftp://x"}, "not a URL like"),
        ({"url": "http://"}, "not a URL like"),
        ({"url": "http://x:99999"}, "PORT|url"),
        ({"port": 0}, "SPENDSTREAM_CLICKHOUSE_PORT"),
        ({"database": "a; DROP"}, "SPENDSTREAM_CLICKHOUSE_DATABASE"),
        ({"password_file": "/nowhere/secret"}, "cannot be read"),
    ],
)
def test_problems_name_the_variable(arguments: dict[str, object], message: str) -> None:
    """What is wrong, and where to change it; never the secret itself."""
    with pytest.raises(ConfigError, match=message):
        load_clickhouse_settings(**arguments)


def test_two_passwords_are_refused(tmp_path: Path) -> None:
    """Which one would count?"""
    (tmp_path / "secret").write_text("one")
    with pytest.raises(ConfigError, match="not both") as caught:
        load_clickhouse_settings(password="hidden-one", password_file=tmp_path / "secret")
    assert "hidden-one" not in str(caught.value)

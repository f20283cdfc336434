"""Where ClickHouse is: URL, parts, secrets."""

from pathlib import Path

import pytest

from stream_jobs.base.environment import from_environment, prefix_of
from stream_jobs.base.errors import ConfigError
from stream_jobs.store.settings import ClickHouseSettings
from tests.tls import Authority

ENV_PREFIX = prefix_of(ClickHouseSettings)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)


def test_a_url_fills_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheme, host, port, user and password, escaped characters included."""
    monkeypatch.setenv(f"{ENV_PREFIX}URL", "https://me:p%40ss@db.example:9443")
    settings = from_environment(ClickHouseSettings)
    assert (settings.host, settings.port, settings.secure, settings.user) == ("db.example", 9443, True, "me")
    assert settings.secret() == "p@ss"
    assert settings.address == "https://db.example:9443"
    assert "p@ss" not in repr(settings)
    assert from_environment(ClickHouseSettings, url="http://[::1]").address == "http://[::1]:8123"
    assert from_environment(ClickHouseSettings, url="localhost:81").port == 81


def test_the_password_comes_from_a_file_each_time(tmp_path: Path) -> None:
    """A rotated secret works at the next connection."""
    path = tmp_path / "secret"
    path.write_text("one\n")
    settings = from_environment(ClickHouseSettings, password_file=path)
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
        from_environment(ClickHouseSettings, **arguments)


def test_two_passwords_are_refused(tmp_path: Path) -> None:
    """Which one would count?"""
    (tmp_path / "secret").write_text("one")
    with pytest.raises(ConfigError, match="not both") as caught:
        from_environment(ClickHouseSettings, password="hidden-one", password_file=tmp_path / "secret")
    assert "hidden-one" not in str(caught.value)


def test_a_ca_file_must_hold_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found when the settings are read, with the variable's name; an empty variable counts as not set, and http has no
    use for the file."""
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for name, told in {
        "missing": "No such file",
        ".": "it is a folder",
        "empty": "no PEM file",
        "noise": "no PEM file",
        "key": "no PEM file",
    }.items():
        monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_CA_FILE", str(tmp_path / name))
        with pytest.raises(ConfigError, match=rf"SPENDSTREAM_CLICKHOUSE_CA_FILE: .* cannot be (used|read): .*{told}"):
            from_environment(ClickHouseSettings)
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_CA_FILE", "")
    assert from_environment(ClickHouseSettings).ca_file is None
    authority = Authority(tmp_path / "authority")
    monkeypatch.setenv("SPENDSTREAM_CLICKHOUSE_CA_FILE", str(authority.file))
    assert from_environment(ClickHouseSettings, url="http://localhost:1").ca_file == authority.file

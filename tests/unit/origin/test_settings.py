"""SPENDSTREAM_ORIGIN_*: what is wrong is said at once, and never with a secret in it."""

import json
import os
from pathlib import Path

import pytest

from spendstream_schemas.signature import sign
from stream_jobs.base.environment import PREFIX, from_environment
from stream_jobs.base.errors import ConfigError
from stream_jobs.origin.settings import OriginSettings
from stream_jobs.settings import load_settings
from stream_jobs.settings_table import MASK, effective

SECRET, OTHER = "first-secret-of-thirty-two-bytes", "other-secret-of-thirty-two-bytes"
KEYS = json.dumps({"checkout": {"old": SECRET, "new": OTHER}, "team-*": {"k": SECRET}})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"{PREFIX}ORIGIN_{name}", str(value))


def test_keys_come_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Several per source, all of them believed; of another source none."""
    (tmp_path / "keys").write_text(KEYS)
    for variables in ({"KEYS": KEYS}, {"KEYS_FILE": tmp_path / "keys"}):
        with monkeypatch.context() as only:
            _set(only, SIGNED_SOURCES="checkout,team-*", **variables)
            origin = from_environment(OriginSettings).origin()
        assert origin.rules.must_sign("checkout")
        assert origin.rules.must_sign("team-a")
        for source, key_id, secret, believed in (
            ("checkout", "old", SECRET, True),
            ("checkout", "new", OTHER, True),
            ("checkout", "new", SECRET, False),
            ("checkout", "k", SECRET, False),
            ("team-a", "k", SECRET, True),
            ("team-a", "old", SECRET, False),
        ):
            header = sign(secret.encode(), key_id, "t", b"k", b"v")
            assert origin.keys.signed_by(source, header, "t", b"k", b"v") is believed, (source, key_id)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"KEYS": "{"}, "ORIGIN_\\*: keys: is not JSON: line 1 column 2"),
        ({"KEYS": "[" * 100_000}, "is not JSON"),
        ({"KEYS": "[]"}, "expected a JSON object"),
        ({"KEYS": json.dumps({"a": SECRET})}, "'a': expected its keys"),
        ({"KEYS": json.dumps({"a": {"k": SECRET[:31]}})}, "'a': key 'k' is no text of at least 32 bytes"),
        ({"KEYS": json.dumps({"a": {"k": 5}})}, "'a': key 'k' is no text"),
        ({"KEYS": json.dumps({"a": {"not an id": SECRET}})}, "'a': a key id has"),
        ({"KEYS": f'{{"a": {{"k": "{SECRET}"}}, "a": {{"j": "{OTHER}"}}}}'}, "'a' is there twice"),
        ({"KEYS": KEYS, "KEYS_FILE": __file__}, "both set"),
        ({"KEYS_FILE": "/nowhere"}, "KEYS_FILE: /nowhere: cannot be read"),
        ({"SIGNED_SOURCES": "checkout"}, "nobody could be believed"),
        ({"SIGNED_SOURCES": "checkout,search", "KEYS": KEYS}, "there is no key of 'search'"),
        ({"SIGNED_SOURCES": "a,,b", "KEYS": KEYS}, "holds an empty name"),
        ({"CORRECTORS": "checkout"}, "is not corrector=corrected"),
        ({"CORRECTORS": ",".join(["a=b"] * 2_000)}, "at most 4096"),
    ],
)
def test_what_cannot_be_used_is_said(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, object], problem: str
) -> None:
    """By the variable's name, and without the secret."""
    _set(monkeypatch, **variables)
    with pytest.raises(ConfigError, match=problem) as refused:
        load_settings()
    assert SECRET[:31] not in str(refused.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither in the table of what is in force, nor in a repr."""
    (tmp_path / "keys").write_text(KEYS)
    _set(monkeypatch, KEYS_FILE=tmp_path / "keys")
    settings = load_settings()
    shown = {row.variable: row.value for row in effective(settings)}
    assert shown[f"{PREFIX}ORIGIN_KEYS"] == MASK
    assert SECRET not in repr(settings) + repr(settings.origin.origin()) + str(shown)

"""Whatever the environment says, the settings are used, or refused with one error that lists every variable."""

# ruff: noqa: E501 - lists of values read best as they are

import os
import time
from pathlib import Path

import pytest

from stream_jobs.base.environment import from_environment, prefix_of
from stream_jobs.base.errors import ConfigError
from stream_jobs.runtime.health import HealthServer
from stream_jobs.settings import GROUPS, load_settings

VARIABLES = [prefix_of(model) + field.upper() for model in GROUPS.values() for field in model.model_fields]
VALUES = (
    *("1e999", "-1e999", "nan", "inf", "-1", "0", "9" * 5000, "1e-9999", "0x10", "٣", " ", "x" * 5000, "a/b" * 2000),
    *("\udcff", "\x1b]52;c;x\x07", "\n", "/dev/zero", "/", "/nowhere", "FIFO", "NOT_UTF8", "[]", "{}", "null", "true"),
    *("http://[::1", "http://", "https://u:p@h:99999", "http://a b:1", "a:b:c", "[::1:9092", "h:99999999999", "ä:9092", "h\t:1"),
    *("../../../etc/passwd", "'; DROP TABLE ledger; --", "${HOME}", "a" * 300 + ":1", "host:9092,", ",", "host:-1", "host:0"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SPENDSTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "FIFO")
    (tmp_path / "NOT_UTF8").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize("variable", VARIABLES)
def test_any_value_is_used_or_refused_by_its_name(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time: a file that never ends, a number without end, bytes that are no text."""
    group = max((group for group in GROUPS.values() if variable.startswith(prefix_of(group))), key=prefix_of)
    began = time.process_time()
    for value in VALUES:
        monkeypatch.setenv(variable, value)
        problems: tuple[str, ...] = ()
        try:
            from_environment(group)
        except ConfigError as error:
            problems = error.problems
        assert all(problem.startswith(prefix_of(group)) for problem in problems), problems
    assert time.process_time() - began < 5


def test_all_problems_come_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its variable: nothing is hidden behind what is found first."""
    wrong = [
        name for name in VARIABLES if name.endswith(("_S", "_PORT", "_ROWS", "_SERVERS", "_DIR_", "_LEVEL", "_HOST"))
    ]
    for name in wrong:
        monkeypatch.setenv(name, "a b\x07" + "x" * 5000)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    found = "\n".join(caught.value.problems)
    # Any text may be the name of a host to listen on.
    assert [name for name in wrong if f"{name}: " not in found] == ["SPENDSTREAM_HTTP_HOST"]


@pytest.mark.parametrize("host", ["a b", "x" * 5000, "256.256.256.256", "\udcff", "a..b"])
def test_an_address_that_is_none_is_an_error_that_names_the_setting(host: str) -> None:
    """Found when the worker starts to listen."""
    with pytest.raises(ConfigError, match="SPENDSTREAM_HTTP_HOST"):
        HealthServer(0, lambda: None, host=host)

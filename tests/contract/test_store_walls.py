"""The embedded store's two walls, each with the other one down: nothing outside of the data folder is read or written,
and no connection is opened, whatever a statement holds and whoever sends it."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import pytest

from stream_jobs.store.embedded.vocabulary import read_names
from tests.store_attacks import Attack, Guard, attacks, made_up
from tests.store_server import StoreProcess

# Starts the store as it is, but for the wall that the system keeps.
_WITHOUT_CONFINEMENT = """
import sys
import stream_jobs.store.server as server
from stream_jobs.store.embedded.confinement import Confinement
server.confine = lambda *_: Confinement(False, False, ("switched off by a test",))
sys.exit(server.main(sys.argv[1:]))
"""
# The engine behind the system's wall alone: runs every line of stdin (JSON) as it is, without looking at it.
_WITHOUT_JUDGE = """
import json, os, sys
from pathlib import Path
from stream_jobs.store.server import _confine
from stream_jobs.store.embedded.engine_config import write_engine_config
folder = Path(sys.argv[1])
folder.mkdir(mode=0o700)
config = write_engine_config(folder, timeout_s=20)
confinement = _confine(folder)
import chdb
handle = chdb.connect(f"{folder / 'data'}?config-file={config}")
handle.query("CREATE DATABASE IF NOT EXISTS spendstream")
handle.query("USE spendstream")
handle.query("CREATE TABLE t (a String) ENGINE = Memory")
print(json.dumps(confinement.complete), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        other = chdb.connect(f"{folder / 'data'}?config-file={config}")
        try:
            other.query("USE spendstream")
            for name, value in asked["settings"].items():
                other.query("SET " + name + " = '" + value.replace("'", "") + "'")
            answer = other.query(asked["sql"], asked["format"]).bytes().decode(errors="replace")
        finally:
            other.close()
    except Exception as error:
        answer = f"ERROR {error}"
    print(json.dumps(answer[:2000]), flush=True)
"""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with Guard(tmp_path / "machine") as guard:
        guard.check_itself()
        yield guard


class Asking:
    """Requests to a store over one connection, as the user without a password and as the one that may write."""

    def __init__(self, store: StoreProcess) -> None:
        self._store = store
        self._password = store.settings.secret()
        self._connection = HTTPConnection("127.0.0.1", store.port, timeout=60)

    def ask(self, attack: Attack, *, write: bool) -> tuple[int, bytes]:
        auth = {"X-ClickHouse-User": "spendstream", "X-ClickHouse-Key": self._password} if write else {}
        try:
            self._connection.request(
                "POST", f"/?{urlencode(attack.url)}", attack.sql.encode(errors="replace"), attack.headers | auth
            )
            response = self._connection.getresponse()
            return response.status, response.read()
        except (ConnectionError, ValueError, OSError):
            self._connection.close()
            return 0, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def works(self) -> bool:
        return self.ask(Attack("SELECT 40 + 2"), write=False) == (200, b"42\n")


@pytest.fixture
def unconfined(tmp_path: Path) -> Iterator[StoreProcess]:
    """A store whose only wall is the judge."""
    store = StoreProcess(tmp_path / "store", program=["-c", _WITHOUT_CONFINEMENT]).wait_ready()
    with store.connect() as client:
        client.command("CREATE TABLE t (a String) ENGINE = Memory")
    yield store
    store.kill()


def test_the_judge_holds_alone(unconfined: StoreProcess, guard: Guard) -> None:
    """Every known way out is refused without the system's help, for both users."""
    assert "not confined" in unconfined.log.read_text()
    with Asking(unconfined) as asking:
        for attack in attacks(guard):
            for write in (False, True):
                status, body = asking.ask(attack, write=write)
                assert guard.breaches() == [], attack
                assert status >= 400, (attack, status, body)
        assert asking.works()


def _fuzz_the_judge(store: StoreProcess, guard: Guard, seconds: float, seed: int) -> None:
    chance = random.Random(seed)
    began, count, answered = time.monotonic(), 0, 0
    with Asking(store) as asking:
        for attack in made_up(guard, chance):
            status, _ = asking.ask(attack, write=chance.random() < 0.3)
            answered += status == 200
            assert guard.breaches() == [], f"seed {seed}, after {count}: {attack}"
            count += 1
            if time.monotonic() - began > seconds:
                break
        assert asking.works()
    assert count > 100
    assert answered > 0, "every statement was refused: the fuzzer proves nothing"


def test_no_made_up_statement_gets_past_the_judge(unconfined: StoreProcess, guard: Guard) -> None:
    """Ten seconds of attacks that are cut, joined, quoted, escaped, commented and nested at random."""
    seed = int(os.environ.get("SPENDSTREAM_TEST_SEED", time.time_ns() % 10**9))
    _fuzz_the_judge(unconfined, guard, 10, seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_made_up_statement_gets_past_the_judge_for_minutes(unconfined: StoreProcess, guard: Guard) -> None:
    """The same for longer."""
    _fuzz_the_judge(unconfined, guard, 100, time.time_ns() % 10**9)


class Unjudged:
    """The engine in a process that only the system confines."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITHOUT_JUDGE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.confined = json.loads(self._process.stdout.readline())

    def run(self, attack: Attack) -> str | None:
        """The answer, or None when the process is gone: some statements end it, which lets nothing out."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output_format = attack.url.get("default_format", "TabSeparated")
        settings = {name: value for name, value in attack.url.items() if name not in ("default_format", "query")}
        settings = {name: value for name, value in settings.items() if not name.startswith(("param_", "database"))}
        asked = {"sql": attack.sql, "format": output_format, "settings": settings}
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        return str(json.loads(line)) if line else None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _against_the_system(guard: Guard, folder: Path, tries: Iterator[Attack], seconds: float) -> int:
    """How many statements ran behind the system's wall alone, without a breach."""
    began, count, starts = time.monotonic(), 0, 0
    engine = Unjudged(folder / "engine-0")
    try:
        if not engine.confined:
            pytest.skip("this kernel has no Landlock or no seccomp: the store says so, and has one wall only")
        for attack in tries:
            answer = engine.run(attack)
            assert guard.breaches() == [], attack
            count += 1
            if answer is None:
                engine.close()
                starts += 1
                engine = Unjudged(folder / f"engine-{starts}")
            if time.monotonic() - began > seconds:
                break
    finally:
        engine.close()
    return count


def test_the_system_holds_alone(guard: Guard, tmp_path: Path) -> None:
    """With no look at the statement at all, no known way leads out of the process."""
    known = attacks(guard)
    assert _against_the_system(guard, tmp_path, iter(known), 120) == len(known)


@pytest.mark.timeout(300)
def test_no_made_up_statement_gets_past_the_system(guard: Guard, tmp_path: Path) -> None:
    """Ten seconds of made-up statements that nobody has judged."""
    seed = time.time_ns() % 10**9
    assert _against_the_system(guard, tmp_path, made_up(guard, random.Random(seed)), 10) > 10, f"seed {seed}"


def test_a_password_that_the_engine_could_read_is_refused(tmp_path: Path) -> None:
    """In its data folder, say: the store says so and does not start."""
    data = tmp_path / "store" / "data"
    data.mkdir(parents=True, mode=0o700)
    data.parent.chmod(0o700)
    store = StoreProcess(tmp_path / "store", options=["--credentials", str(data / "credentials")])
    try:
        if store.process.wait(60) != 2:
            pytest.fail(store.log.read_text())
        assert "the engine could read the password there" in store.log.read_text()
    except subprocess.TimeoutExpired:
        assert "no Landlock" in store.log.read_text(), "it started with its password within reach"
    finally:
        store.kill()


def test_every_function_of_the_engine_is_known_and_decided(unconfined: StoreProcess) -> None:
    """A new engine brings new functions: they are refused until somebody has read what they do."""
    with unconfined.connect() as client:
        known = {str(row[0]) for row in client.query("SELECT name FROM system.functions").result_rows}
    allowed = read_names("functions")
    assert allowed <= known, f"no longer there: {sorted(allowed - known)}"
    assert sorted(known - allowed) == sorted(read_names("functions_refused")), (
        "read what these do, then add them to functions.txt or functions_refused.txt in store/embedded/allowed: "
        f"{sorted((known - allowed) ^ read_names('functions_refused'))}"
    )

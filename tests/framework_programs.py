"""The programs under tests/frameworks: services on frameworks that the checkout's own environment does not hold.

They run in an environment of their own, made once per user in a cache, with the SDK of the checkout on their path.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from stream_jobs.embedded.kafka.jars import cache_root
from tests import client_programs

ROOT: Final = Path(__file__).parents[1]
REQUIREMENTS: Final = ROOT / "tests" / "frameworks" / "requirements.txt"
MAKE_TIMEOUT_S: Final = 300.0
EXIT_S: Final = 30.0


def python() -> str:
    """The environment's interpreter; else a skip that says what is missing, or a failure where it is required."""
    wanted = f"{sys.version_info[:2]}".encode() + REQUIREMENTS.read_bytes()
    folder = cache_root() / f"test-frameworks-{hashlib.sha256(wanted).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "test-frameworks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problem = None if (folder / "made").exists() else _make(folder)
    if problem is None:
        return str(folder / "bin" / "python")
    message = f"no environment for the programs of tests/frameworks: {problem}"
    if client_programs.REQUIRED:
        pytest.fail(message)
    pytest.skip(message)


def environment(**more: str) -> dict[str, str]:
    """With the SDK and these tests on the path, and nothing of the checkout's own environment."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME")}
    path = os.pathsep.join(str(ROOT / name) for name in ("producers", "schemas", "."))
    return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"} | more


def run(*arguments: str, timeout_s: float = 60.0, **variables: str) -> str:
    """What `python ARGUMENTS` writes. It must end well."""
    done = subprocess.run(
        [python(), *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


@contextlib.contextmanager
def running(log: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """`python ARGUMENTS` while the block runs; what it writes goes to `log`. Its children end with it."""
    with (
        log.open("w") as output,
        subprocess.Popen(
            [python(), "-X", "faulthandler", *arguments],
            cwd=ROOT,
            env=environment(**(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[str], log: Path) -> None:
    """SIGTERM ends it well, or the test fails with what it wrote and where each of its threads waits."""
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(EXIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)
        process.wait(EXIT_S)
        pytest.fail(f"it did not end within {EXIT_S:.0f} s:\n{log.read_text()[-8000:]}")
    assert code == 0, log.read_text()


def _make(folder: Path) -> str | None:
    """None, or why it did not work. The mark `made` comes last: half an environment is made again."""
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        return "uv is neither on PATH nor beside this Python"
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "-r", str(REQUIREMENTS)],
    ):
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAKE_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)} took more than {MAKE_TIMEOUT_S:.0f} s"
        if done.returncode != 0:
            return f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).strip()[-1500:]}"
    (folder / "made").touch()
    return None

"""The programs under tests/clients: clients of the store and of the broker in other languages, made ready once per user
in a cache."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from stream_jobs.embedded.kafka.jars import cache_root

REQUIRED_VARIABLE: Final = "SPENDSTREAM_TEST_CLIENTS_REQUIRED"
# Read once: `conftest.py` takes it out of the environment, in which the application would find it strange.
REQUIRED: Final = bool(os.environ.get(REQUIRED_VARIABLE))
SOURCES: Final = Path(__file__).parent / "clients"
MAKE_TIMEOUT_S: Final = 600.0
RUN_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Language:
    """Which tools it takes, how its folder is made ready in the current one, and the command that runs its program."""

    tools: Sequence[str]
    make: Sequence[str]
    run: Callable[[Path], Sequence[str]]


def _go() -> Language:
    build = ["go", "build", "-mod=readonly", "-o", "client", "."]
    return Language(["go"], build, lambda folder: [str(folder / "client")])


def _java(source: str) -> Language:
    return Language(
        ["java", "javac", "mvn"],
        [
            *["mvn", "--batch-mode", "--quiet", "--strict-checksums", "dependency:copy-dependencies"],
            *["-DincludeScope=runtime", "-DoutputDirectory=jars"],
        ],
        lambda folder: ["java", "-Xmx256m", "-cp", str(folder / "jars" / "*"), str(folder / source)],
    )


def _node(program: str) -> Language:
    install = ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
    return Language(["node", "npm"], install, lambda folder: ["node", str(folder / program)])


def _typescript(program: str) -> Language:
    """Compiled in its folder by the compiler that the lock file pins."""
    install = "npm ci --no-audit --no-fund --ignore-scripts && npx --no-install tsc"
    return Language(["node", "npm", "npx"], ["sh", "-c", install], lambda folder: ["node", str(folder / program)])


def _python(program: str) -> Language:
    """Into a folder of its own: what the client needs is no dependency of ours."""
    install = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pinned = ["--require-hashes", "--only-binary=:all:", "--target", "packages", "--requirement", "requirements.txt"]
    return Language([], [*install, *pinned], lambda folder: [sys.executable, str(folder / program)])


# By the name of their folder.
LANGUAGES: Final[Mapping[str, Language]] = {
    "go": _go(),
    "java": _java("StoreClient.java"),
    "node": _node("client.mjs"),
    "kafka-go": _go(),
    "kafka-java": _java("Produce.java"),
    "kafka-node": _node("produce.mjs"),
    "kafka-python": _python("produce.py"),
    "usage-go": _go(),
    "usage-java": _java("Usage.java"),
    "usage-typescript": _typescript("main.js"),
}


def made(name: str) -> Path:
    """The folder with the program, ready to run; else a skip that says what is missing, or a failure."""
    missing = [tool for tool in LANGUAGES[name].tools if shutil.which(tool) is None]
    problem = f"{' and '.join(missing)} not on PATH" if missing else None
    if problem is None:
        folder = cache_root() / f"test-clients-{name}-{_digest(SOURCES / name)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"test-clients-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            problem = None if (folder / "made").exists() else _make(LANGUAGES[name], SOURCES / name, folder)
        if problem is None:
            return folder
    message = f"no clients in {name} here: {problem}"
    if REQUIRED:
        pytest.fail(message)
    pytest.skip(message)


def answers(name: str, **environment: str) -> dict[str, Any]:
    """What the program says of the store or the broker that the environment names."""
    done = subprocess.run(
        LANGUAGES[name].run(made(name)),
        env=os.environ | {"LC_ALL": "C.UTF-8"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def _digest(source: Path) -> str:
    """Of names and contents: a changed program or version never meets what was made before, nor does another Python."""
    digest = hashlib.sha256(sys.version.encode() if (source / "requirements.txt").exists() else b"")
    for path in sorted(source.iterdir()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _make(language: Language, source: Path, folder: Path) -> str | None:
    """None, or why it did not work. The mark `made` comes last: half a folder is made again."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    try:
        done = subprocess.run(
            language.make,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAKE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{' '.join(language.make)} took more than {MAKE_TIMEOUT_S:.0f} s"
    if done.returncode != 0:
        return f"{' '.join(language.make)} failed:\n{(done.stdout + done.stderr).strip()[-1500:]}"
    (folder / "made").touch()
    return None

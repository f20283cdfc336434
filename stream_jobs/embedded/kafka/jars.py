"""Kafka's jars: fetched once per user through Maven, checked against the list in infra/kafka, then kept in a cache.

Maven's own settings say where from; nothing here names a host.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stream_jobs.base.checkout import ROOT
from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.kafka.java import find_maven

INFRA: Final = ROOT / "infra" / "kafka"
FETCH_TIMEOUT_S: Final = 600.0


def cache_root() -> Path:
    """`$XDG_CACHE_HOME/spendstream`, by default `~/.cache/spendstream`."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache") / "spendstream"


def listed_jars(infra: Path = INFRA) -> dict[str, str]:
    """SHA-256 by file name, as declared in jars.sha256. Raises ConfigError when the checkout is incomplete."""
    try:
        lines = (infra / "jars.sha256").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be read ({error.strerror}): is the checkout complete?") from None
    return {name: digest for digest, name in (line.split() for line in lines)}


def jar_folder(infra: Path = INFRA, root: Path | None = None) -> Path:
    """The folder with all jars, fetched if need be; safe when several processes ask at once.

    The folder carries the digest of the list in its name, so that another version of it never meets these jars.
    Raises ConfigError when they cannot be fetched or are not the listed ones.
    """
    jars = listed_jars(infra)
    root = root or cache_root()
    digest = hashlib.sha256("".join(sorted(f"{name}{jars[name]}" for name in jars)).encode()).hexdigest()
    folder = root / f"kafka-{digest[:12]}"
    if _complete(folder, jars):
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / "kafka.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _complete(folder, jars):  # the process before us may have fetched them
                _fetch_into(folder, jars, infra)
    except OSError as error:
        raise ConfigError(
            f"Kafka cannot be kept in {root}: {error.strerror}; XDG_CACHE_HOME names another folder"
        ) from None
    return folder


def _complete(folder: Path, jars: Mapping[str, str]) -> bool:
    return all((folder / name).is_file() for name in jars)


def _fetch_into(folder: Path, jars: Mapping[str, str], infra: Path) -> None:
    """The folder appears whole or not at all."""
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=folder.parent) as work:
        fetched = Path(work) / "jars"
        run_maven(infra / "pom.xml", fetched, Path(work))
        problems = differences(digests(fetched), jars)
        if problems:
            raise ConfigError(["what Maven fetched is not what infra/kafka/jars.sha256 lists:", *problems])
        if folder.exists():  # a cleaner of old files took a part of it
            shutil.rmtree(folder)
        fetched.rename(folder)


def run_maven(pom: Path, target: Path, work: Path) -> None:
    """Copy what the POM names into `target`. Raises ConfigError with the end of Maven's output."""
    maven = find_maven()
    # From a copy: Maven looks for settings of a project around the POM.
    copy = Path(shutil.copy(pom, work / "pom.xml"))
    command = [str(maven), "--batch-mode", "--quiet", "--strict-checksums", "--file", str(copy)]
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(
            [*command, *goal],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
            cwd=work,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"Maven did not fetch Kafka within {FETCH_TIMEOUT_S:.0f} s; try again") from None
    if done.returncode != 0:
        raise ConfigError(
            "Maven could not fetch Kafka; it needs the network once, and its settings.xml says which repository "
            f"it asks:\n{(done.stdout + done.stderr).strip()[-1500:]}"
        )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.jar"))}


def differences(found: Mapping[str, str], listed: Mapping[str, str]) -> list[str]:
    """One line per jar that is missing, unexpected or different."""
    lines = [f"{name}: missing" for name in sorted(listed.keys() - found.keys())]
    lines += [f"{name}: not in the list" for name in sorted(found.keys() - listed.keys())]
    return lines + [
        f"{name}: is {found[name]}, listed is {listed[name]}"
        for name in sorted(found.keys() & listed.keys())
        if found[name] != listed[name]
    ]

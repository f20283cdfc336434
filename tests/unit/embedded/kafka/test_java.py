"""Finding Java and Maven: stand-in programs that say what each version of Java says."""

from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.kafka.java import find_java, find_maven


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize(
    "line", ['openjdk version "17.0.15" 2025-04-15', 'openjdk version "21" 2023-09-19', 'java version "24-ea"']
)
def test_a_java_that_is_new_enough_is_used(tmp_path: Path, line: str) -> None:
    """The version stands on stderr, with and without minor numbers."""
    java = program(tmp_path / "bin", "java", f"echo '{line}' >&2")
    assert find_java() == java


@pytest.mark.parametrize(("line", "version"), [('java version "1.8.0_292"', 8), ('openjdk version "11.0.2"', 11)])
def test_an_old_java_is_refused_and_the_package_named(tmp_path: Path, line: str, version: int) -> None:
    """Kafka 4 would end with a class version error."""
    program(tmp_path / "bin", "java", f"echo '{line}' >&2")
    with pytest.raises(ConfigError, match=rf"is Java {version}\. Kafka needs Java 17.*default-jre-headless"):
        find_java()


def test_a_java_that_does_not_work_is_told(tmp_path: Path) -> None:
    """For instance macOS's, which only says where to get one."""
    program(tmp_path / "bin", "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    with pytest.raises(ConfigError, match=r"does not tell its version \(Unable to locate.*default-jre-headless"):
        find_java()


def test_without_java_or_maven_the_packages_are_named() -> None:
    """Each by its Debian name."""
    with pytest.raises(ConfigError, match=r"no java on PATH\..*apt install default-jre-headless"):
        find_java()
    with pytest.raises(ConfigError, match=r"no mvn on PATH\..*apt install maven"):
        find_maven()


def test_java_home_goes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is wrong: the operator meant that one."""
    program(tmp_path / "bin", "java", "echo 'version \"17\"' >&2")
    chosen = program(tmp_path / "home" / "bin", "java", "echo 'version \"21\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == chosen
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"no java in JAVA_HOME \(.*nowhere\)"):
        find_java()

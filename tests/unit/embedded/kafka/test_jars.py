"""Fetching Kafka's jars once, whole and unchanged: a stand-in for Maven that counts how often it is asked."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.kafka.jars import INFRA, cache_root, differences, jar_folder, listed_jars
from tests.brokers import need_own_kafka

JARS = {"a.jar": b"alpha", "b.jar": b"beta"}
FETCH = f"""#!{sys.executable}
import pathlib, sys, time
here = pathlib.Path({{here!r}})
with (here / "asked").open("a") as asked:
    asked.write("once\\n")
time.sleep(0.2)
target = pathlib.Path(next(a for a in sys.argv if a.startswith("-DoutputDirectory=")).split("=")[1])
target.mkdir()
for name, content in {{jars!r}}.items():
    (target / name).write_bytes(content)
"""


class Site:
    """A checkout's infra folder, a cache, and a Maven."""

    def __init__(self, folder: Path) -> None:
        self.infra, self.root, self.bin = folder / "infra", folder / "cache", folder / "bin"
        self.infra.mkdir()
        self.bin.mkdir()
        (self.infra / "pom.xml").write_text("<project/>", encoding="utf-8")
        lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in JARS.items()]
        (self.infra / "jars.sha256").write_text("".join(lines), encoding="utf-8")
        self.maven(FETCH.format(here=str(folder), jars=JARS))
        self._asked = folder / "asked"

    def maven(self, script: str) -> None:
        path = self.bin / "mvn"
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def folder(self) -> Path:
        return jar_folder(self.infra, self.root)

    @property
    def asked(self) -> int:
        return len(self._asked.read_text().splitlines()) if self._asked.exists() else 0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    monkeypatch.setenv("PATH", f"{site.bin}:{os.environ['PATH']}")
    return site


def test_jars_are_fetched_once_and_then_kept(site: Site) -> None:
    """The second time nothing is asked; nothing but the jars and the lock is left in the cache."""
    folder = site.folder()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == JARS
    assert site.folder() == folder
    assert site.asked == 1
    assert {path.name for path in site.root.iterdir()} == {folder.name, "kafka.lock"}


def test_processes_that_ask_at_once_fetch_once(site: Site) -> None:
    """One does, the others wait for it and find the whole folder."""
    code = (
        "import sys; from pathlib import Path; from stream_jobs.embedded.kafka.jars import jar_folder;"
        "print(len(list(jar_folder(Path(sys.argv[1]), Path(sys.argv[2])).iterdir())))"
    )
    command = [sys.executable, "-c", code, str(site.infra), str(site.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["2\n"] * 4
    assert site.asked == 1


def test_a_folder_that_lost_a_jar_is_fetched_again(site: Site) -> None:
    """Cleaners of old files take what they find."""
    (site.folder() / "a.jar").unlink()
    assert (site.folder() / "a.jar").exists()
    assert site.asked == 2


def test_another_list_has_another_folder(site: Site) -> None:
    """A new version of Kafka never meets the jars of the old one."""
    old = site.folder()
    site.maven(FETCH.format(here=str(site.root.parent), jars={"c.jar": b"gamma"}))
    (site.infra / "jars.sha256").write_text(f"{hashlib.sha256(b'gamma').hexdigest()}  c.jar\n", encoding="utf-8")
    assert [path.name for path in site.folder().iterdir()] == ["c.jar"]
    assert site.folder() != old


def test_jars_that_are_not_the_listed_ones_are_refused(site: Site) -> None:
    """One line per difference, and nothing is kept."""
    site.maven(FETCH.format(here=str(site.root.parent), jars={"a.jar": b"tampered", "extra.jar": b"?"}))
    with pytest.raises(ConfigError) as caught:
        site.folder()
    heading, *lines = caught.value.problems
    assert "jars.sha256" in heading
    assert [line.split(":")[0] for line in lines] == ["b.jar", "extra.jar", "a.jar"]
    assert [path.name for path in site.root.iterdir()] == ["kafka.lock"]


def test_a_maven_that_fails_is_quoted(site: Site) -> None:
    """With the end of what it said; nothing is kept, and the next time it is asked again."""
    site.maven("#!/bin/sh\necho '[ERROR] Could not transfer artifact'; exit 1\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"(?s)could not fetch Kafka.*settings\.xml.*Could not transfer artifact"):
            site.folder()
    assert [path.name for path in site.root.iterdir()] == ["kafka.lock"]


def test_without_maven_the_package_is_named_unless_the_jars_are_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maven is needed once."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="apt install maven"):
        site.folder()
    monkeypatch.setenv("PATH", f"{site.bin}:/usr/bin:/bin")
    folder = site.folder()
    monkeypatch.setenv("PATH", "/nowhere")
    assert site.folder() == folder


def test_a_cache_that_cannot_be_written_is_told(site: Site) -> None:
    """With the variable that names another folder."""
    site.root.write_text("a file")
    with pytest.raises(ConfigError, match=r"cannot be kept in .*cache.*XDG_CACHE_HOME"):
        site.folder()


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_CACHE_HOME where it is an absolute path, as its specification says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "spendstream"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_root() == tmp_path / "home" / ".cache" / "spendstream"


def test_the_list_and_the_pom_name_the_same_versions() -> None:
    """Whoever raises a version in the POM has to renew the list."""
    pom = (INFRA / "pom.xml").read_text(encoding="utf-8")
    dependencies = pom[pom.index("<dependencies>") : pom.index("</dependencies>")]
    pinned = re.findall(r"<artifactId>(.+)</artifactId>\s*<version>(.+)</version>", dependencies)
    assert len(pinned) == 2
    jars = listed_jars()
    assert {f"{artifact}-{version}.jar" for artifact, version in pinned} <= jars.keys()
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in jars.values())


def test_differences_are_complete() -> None:
    """Missing, unexpected, changed; none when all is well."""
    assert differences({"a": "1"}, {"a": "1"}) == []
    assert len(differences({"a": "1", "b": "2"}, {"a": "9", "c": "3"})) == 3


@pytest.mark.xdist_group("kafka")
@pytest.mark.slow
def test_the_real_maven_fetches_what_is_listed(tmp_path: Path) -> None:
    """The POM as it is, with Maven's settings as they are on this machine."""
    need_own_kafka()
    folder = jar_folder(root=tmp_path)
    assert {path.name for path in folder.iterdir()} == listed_jars().keys()

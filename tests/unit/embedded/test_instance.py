"""Finding what runs on this machine."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream_jobs.base.environment import from_environment
from stream_jobs.base.errors import ConfigError
from stream_jobs.embedded.datadir import said_data_dir
from stream_jobs.embedded.instance import (
    Instance,
    find_clickhouse,
    find_instance,
    find_kafka,
    read_instance,
    register,
    running_instances,
    unregister,
)
from stream_jobs.embedded.options import add_instance_options
from stream_jobs.runtime.processes import ProcessId
from stream_jobs.runtime.user_folder import user_folder
from stream_jobs.settings import PipelineSettings

pytestmark = pytest.mark.usefixtures("either_system")


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of this test's own, and no settings from outside."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("SPENDSTREAM_"):
            monkeypatch.delenv(name)


def instance(folder: Path, pid: int, kafka: str = "127.0.0.1:9092") -> Instance:
    folder.mkdir(exist_ok=True)
    (folder / "credentials").write_text("secret\n")
    found = Instance(
        pid, str(folder), kafka, "http://127.0.0.1:8123", "http://127.0.0.1:8321", str(folder / "credentials"), "", ""
    )
    register(found)
    return found


@pytest.fixture
def other() -> Iterator[int]:
    """The pid of another living process."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate()


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_only_one_that_runs_is_found_by_nothing(tmp_path: Path) -> None:
    """No option is needed; after it has gone nothing is found."""
    running = instance(tmp_path / "a", os.getpid())
    assert find_instance() == find_instance(tmp_path / "a") == running
    for _ in range(2):
        unregister(running)
    assert find_instance() is None
    assert find_instance(tmp_path / "a") is None


def test_what_a_dead_process_left_does_not_count(tmp_path: Path) -> None:
    """After kill -9 the file stays; it is ignored, and its pointer is cleaned up."""
    gone = instance(tmp_path / "a", dead_pid())
    assert read_instance(tmp_path / "a") is None
    assert list(running_instances()) == []
    assert not (user_folder() / str(gone.pid)).exists()


def test_a_process_that_got_the_number_of_a_dead_instance_is_not_one(tmp_path: Path, other: int) -> None:
    """After a reboot process ids are given out again: the file names the beginning of its process too."""
    process = ProcessId.of(other)
    assert process is not None
    found = instance(tmp_path / "a", other)
    register(replace(found, began=process.began))
    assert read_instance(tmp_path / "a") is not None
    register(replace(found, began=process.began - 100))
    assert read_instance(tmp_path / "a") is None
    assert list(running_instances()) == []


def test_a_process_nobody_has_waited_for_is_dead(tmp_path: Path) -> None:
    """A zombie answers to signal 0."""
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    instance(tmp_path / "a", child.pid)
    while read_instance(tmp_path / "a") is not None:
        pass  # it is about to exit
    child.wait()
    child.stdout.close()


def test_of_two_the_folder_must_be_named(tmp_path: Path, other: int) -> None:
    """Guessing could show another team's money."""
    first, second = instance(tmp_path / "a", os.getpid()), instance(tmp_path / "b", other, "127.0.0.1:9192")
    with pytest.raises(
        ConfigError, match=r"say which one with --data-dir or SPENDSTREAM_DATA_DIR: .*/[ab] \(Kafka .*/[ab] \(K"
    ):
        find_instance()
    assert find_instance(tmp_path / "b") == second
    assert find_instance(bootstrap="127.0.0.1:9092") == first


def test_of_two_the_one_of_the_current_folder_is_meant(
    tmp_path: Path, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` without a folder's name has put it there."""
    monkeypatch.chdir(tmp_path)
    instance(tmp_path / "a", os.getpid())
    here = instance(tmp_path / ".spendstream", other, "127.0.0.1:9192")
    assert find_instance() == here
    assert find_kafka().bootstrap_servers == here.kafka
    assert find_instance(bootstrap="127.0.0.1:9092") != here


def test_the_environment_names_the_folder_like_the_flag(
    tmp_path: Path, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when another one is the only one that runs; a flag and an address come first."""
    first, second = instance(tmp_path / "a", os.getpid()), instance(tmp_path / "b", other, "127.0.0.1:9192")
    monkeypatch.setenv("SPENDSTREAM_DATA_DIR", str(tmp_path / "b"))
    assert find_instance() == second
    assert find_kafka().bootstrap_servers == second.kafka
    assert find_instance(tmp_path / "a") == find_instance(bootstrap="127.0.0.1:9092") == first
    unregister(second)
    assert find_instance() is None
    for find in (find_kafka, find_clickhouse):
        with pytest.raises(ConfigError, match=f"no spendstream runs on {tmp_path}/b"):
            find()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9192", "localhost:9192", "[::1]:9192", " localhost:9192", "far:1,localhost:9192"]
)
def test_an_instance_is_found_by_its_kafka_address(tmp_path: Path, other: int, address: str) -> None:
    """However loopback is written, and as one of several servers."""
    instance(tmp_path / "a", os.getpid())
    wanted = instance(tmp_path / "b", other, "127.0.0.1:9192")
    assert find_instance(bootstrap=address) == wanted
    assert find_instance(bootstrap=address.replace("9192", "9999")) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00"])
def test_a_broken_instance_file_is_no_instance(tmp_path: Path, content: str) -> None:
    """Half a file, or one of another version."""
    instance(tmp_path / "a", os.getpid())
    (tmp_path / "a" / "instance.json").write_text(content)
    assert find_instance(tmp_path / "a") is None
    assert find_instance() is None


def test_where_nothing_runs_the_error_says_what_to_do(tmp_path: Path) -> None:
    """For ClickHouse and for Kafka."""
    with pytest.raises(ConfigError, match="spendstream up"):
        find_clickhouse(data_dir=tmp_path)
    with pytest.raises(ConfigError, match="--bootstrap"):
        find_kafka()


def test_the_store_is_read_as_anybody_and_written_as_the_writer(tmp_path: Path) -> None:
    """Only `writable` opens it with the instance's credentials."""
    instance(tmp_path / "a", os.getpid())
    assert find_clickhouse(data_dir=tmp_path / "a").user == "default"
    assert find_clickhouse(data_dir=tmp_path / "a", writable=True).secret() == "secret"


def test_the_registry_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    """A link or file in its place could lead our pointers elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"spendstream-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        user_folder()


def test_an_address_without_a_port_is_said_so() -> None:
    """What --bootstrap holds is checked like the setting it stands for."""
    with pytest.raises(ConfigError, match="'kafka-1' is not host:port"):
        find_kafka("kafka-1")


def test_kafka_is_found_in_the_environment_before_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder beats the environment, the environment beats the only instance."""
    running = instance(tmp_path / "a", os.getpid())
    assert find_kafka().bootstrap_servers == running.kafka
    monkeypatch.setenv("SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9093")
    assert find_kafka().bootstrap_servers == "kafka-1:9093"
    assert find_kafka(data_dir=tmp_path / "a").bootstrap_servers == running.kafka
    assert find_kafka("kafka-2:9092", tmp_path / "a").bootstrap_servers == "kafka-2:9092"


def test_a_folder_whose_own_one_does_not_run_does_not_mean_another(
    tmp_path: Path, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent from here would be booked there. Who says which one gets it; where none runs, none is found."""
    (tmp_path / "here" / ".spendstream").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    running = instance(tmp_path / "a", other)
    assert find_instance() == running, "nothing has run here"
    (tmp_path / "here" / ".spendstream" / "layout").write_text("1\n")
    for _ in range(2):
        for find in (find_instance, find_kafka, find_clickhouse):
            with pytest.raises(ConfigError, match=r"\(\.spendstream\) does not run, and others do; .*--data-dir .*/a"):
                find()
        assert find_instance(tmp_path / "a") == find_instance(bootstrap=running.kafka) == running
        instance(tmp_path / "here" / ".spendstream", dead_pid())
    unregister(running)
    assert find_instance() is None


def test_a_home_is_a_home_where_no_shell_has_seen_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file of settings, and behind `--data-dir=`; nobody's home is an error, not a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPENDSTREAM_DATA_DIR", "~/sp")
    assert said_data_dir() == PipelineSettings().data_dir == tmp_path / "sp"
    parser = argparse.ArgumentParser()
    add_instance_options(parser)
    assert parser.parse_args([]).data_dir == tmp_path / "sp"
    named = parser.parse_args(["--data-dir=~/other", "--config-dir=~"])
    assert (named.data_dir, named.config_dir) == (tmp_path / "other", tmp_path)
    monkeypatch.setenv("SPENDSTREAM_CONFIG_DIR", "~")
    assert PipelineSettings().config_dir == tmp_path
    monkeypatch.setenv("SPENDSTREAM_DATA_DIR", "~nobody-of-this-name/sp")
    with pytest.raises(ConfigError, match="SPENDSTREAM_DATA_DIR: ~nobody"):
        said_data_dir()
    with pytest.raises(ConfigError, match="SPENDSTREAM_DATA_DIR: ~nobody"):
        from_environment(PipelineSettings)

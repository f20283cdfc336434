"""The wall around the store's process, in processes of the tests' own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.store.embedded.confinement import Confinement

_TRY = """
import json, os, socket, subprocess, sys, threading
from pathlib import Path
from stream_jobs.store.embedded.confinement import confine
own, other = Path(sys.argv[1]), Path(sys.argv[2])
inherited = os.open(other, os.O_RDONLY)
confinement = confine([own])
def tried(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"
results = {}
def all_of_it():
    results.update({
        "write own": tried(lambda: (own / "new").write_text("x")),
        "read own": tried(lambda: (own / "new").read_text()),
        "read other": tried(other.read_text),
        "write other": tried(lambda: other.write_text("x")),
        "make beside": tried(lambda: (own.parent / "beside").write_text("x")),
        "move out": tried(lambda: (own / "new").rename(own.parent / "moved")),
        "link in": tried(lambda: os.link(other, own / "linked")),
        "link out and read": tried(lambda: ((own / "sym").symlink_to(other), (own / "sym").read_text())),
        "thread's account": tried(lambda: Path("/proc/thread-self/schedstat").read_text()),
        "environment": tried(Path("/proc/self/environ").read_bytes),
        "another process": tried(Path(f"/proc/{os.getppid()}/environ").read_bytes),
        "memory": tried(Path("/proc/self/mem").read_bytes),
        "by descriptor": tried(lambda: Path(f"/proc/self/fd/{inherited}").read_text()),
        "execute": tried(lambda: subprocess.run(["/bin/true"])),
        "tcp": tried(lambda: socket.create_connection(("127.0.0.1", 9))),
        "udp": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "unix": tried(lambda: socket.socket(socket.AF_UNIX)),
        "netlink": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        "signal": tried(lambda: os.kill(os.getppid(), 0)),
        "pair": tried(lambda: [end.close() for end in socket.socketpair()]),
    })
thread = threading.Thread(target=all_of_it)  # as the engine's: started afterwards
thread.start()
thread.join()
print(json.dumps([confinement.files, confinement.network, list(confinement.missing), results]))
"""
_LEAVE = """
from pathlib import Path
from stream_jobs.store.embedded.confinement import leave_secrets
leave_secrets()
print(Path("/proc/thread-self/environ").read_text().replace("\\0", "\\n"))
"""
_WITH_THREADS = """
import threading
from pathlib import Path
from stream_jobs.store.embedded.confinement import confine
threading.Thread(target=threading.Event().wait, daemon=True).start()
confine([Path(".")])
"""


def test_only_the_own_folder_is_left(tmp_path: Path) -> None:
    """Files, other processes, sockets of every kind: gone, for threads that start later too; the own folder works."""
    own, other = tmp_path / "own folder", tmp_path / "secret"
    own.mkdir()
    other.write_text("secret")
    done = subprocess.run([sys.executable, "-c", _TRY, own, other], capture_output=True, text=True, check=True)
    files, network, missing, results = json.loads(done.stdout)
    if not (files and network):
        assert missing, "what is missing is not said"
        pytest.skip(f"this kernel lacks a wall: {missing}")
    refused = {name for name, result in results.items() if result != "done"}
    assert refused == {
        *("read other", "write other", "make beside", "move out", "link in", "link out and read", "environment"),
        *("another process", "memory", "by descriptor", "execute", "tcp", "udp", "unix", "netlink", "signal"),
    }
    assert other.read_text() == "secret"
    assert not (tmp_path / "beside").exists()


def test_with_threads_there_is_no_wall_and_no_start(tmp_path: Path) -> None:
    """Threads that run already would stay free: that is an error, not a store that believes to be confined."""
    done = subprocess.run(
        [sys.executable, "-c", _WITH_THREADS], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode != 0
    assert "before it starts threads" in done.stderr


def test_a_store_that_was_started_with_secrets_starts_anew_without_them() -> None:
    """The kernel shows what a process was started with, and the engine may read it of its threads."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DATABASE_PASSWORD": "hunter2", "path": "x"}
    done = subprocess.run([sys.executable, "-c", _LEAVE], capture_output=True, text=True, check=True, env=environment)
    assert {line.partition("=")[0] for line in done.stdout.split()} == {"PATH", "LC_ALL"}


def test_what_is_missing_is_said() -> None:
    """In the log, and where `status` looks."""
    assert str(Confinement(True, True)) == "confined to its data folder"
    assert not Confinement(True, False, ("no seccomp",)).complete
    assert str(Confinement(True, False, ("no seccomp",))) == "not confined: no seccomp"

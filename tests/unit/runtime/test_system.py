"""What this operating system is, and which modules may know."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.runtime.system import OPEN_FILES, tool_says

ROOT = Path(__file__).resolve().parents[3]
KNOW_LINUX = {
    "stream_jobs/runtime/orphan.py",  # prctl, else a shell that waits
    "stream_jobs/runtime/ports.py",  # /proc/net, else lsof
    "stream_jobs/runtime/processes.py",  # /proc, else ps
    "stream_jobs/runtime/system.py",
    "stream_jobs/store/embedded/confinement.py",  # Landlock and seccomp, else no walls, which status tells
    "stream_jobs/store/embedded/engine.py",  # a file in memory, else one beside the data
    "stream_jobs/store/server.py",  # CAP_SYS_NICE, else readers have half of the cores
}
LINUX = re.compile(
    r"[\"']/(proc|sys|dev/shm)\b|sys\.platform\b.*linux|memfd_create|prctl\(|epoll|pidfd|sched_\wetaffinity"
)


def test_few_modules_know_linux() -> None:
    """One more is one more way that needs another one beside it: see `without_linux/` in the tests."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("stream_jobs", "producers", "schemas")
        for path in (ROOT / folder).rglob("*.py")
        if LINUX.search(path.read_text(encoding="utf-8"))
    }
    assert found == KNOW_LINUX


def test_a_tool_that_is_missing_or_finds_nothing_says_nothing() -> None:
    """Callers go on without it."""
    assert tool_says("no-such-tool-of-any-system") is None
    assert tool_says("ps", "-p", str(2**22 + 1)) is None
    assert tool_says("printf", "a\nb") == "a\nb"


@pytest.mark.parametrize("allowed", [256, OPEN_FILES, OPEN_FILES + 10])
def test_open_files_are_raised_and_never_lowered(allowed: int) -> None:
    """In a process of its own; up to what the system allows at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < allowed:
        pytest.skip(f"this system allows {hard} open files")
    script = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({allowed}, {hard})); "
    script += "from stream_jobs.runtime.system import allow_open_files; allow_open_files(); "
    script += "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    assert done.stdout.split() == [str(max(allowed, most)), str(hard)]

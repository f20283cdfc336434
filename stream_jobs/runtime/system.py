"""Which operating system this is. What goes its own way on Linux asks here, so that the other way can be tried there.

Elsewhere (macOS) the tools are those of POSIX and BSD: `ps` and `lsof` in place of /proc, lock files in place of
sockets bound twice, a shell that waits in place of prctl, named files in place of files in memory, no walls.
"""

import resource
import subprocess
import sys
from typing import Final

LINUX = sys.platform == "linux"
OPEN_FILES: Final = 8192
_TOOL_TIMEOUT_S: Final = 10


def tool_says(*command: str) -> str | None:
    """What a tool of the system prints, in the C locale and UTC; None where it is missing or finds nothing."""
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC0"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_TOOL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def allow_open_files() -> None:
    """Let this process and its children open as many files as the engine needs: a shell on macOS allows 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

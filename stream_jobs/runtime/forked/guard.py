"""What a pool leaves behind goes with it, even when its process was killed with -9: its processes, and their files."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable
from typing import Final

_SCRIPT: Final = """
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -9 -"$group"; done
rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }
"""
"""The last line that it was given holds when the pipe to us closes. The second try: who is being killed may yet
write."""
_STOP_S: Final = 10.0


class Guard:
    """A shell that waits for our end, and then kills process groups and removes a folder for temporary files.

    Nothing can be made to end a grandchild with us by the kernel's hand alone: the programs that a task starts die with
    their group.
    """

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="spendstream-pool-")
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, groups: Iterable[int]) -> None:
        """These, and no others, from now on."""
        assert self._shell.stdin is not None
        with contextlib.suppress(OSError):  # killed by somebody: the end of their pipes and the kernel remain
            self._shell.stdin.write((" ".join(map(str, groups)) + "\n").encode())
            self._shell.stdin.flush()

    def close(self) -> None:
        """Removes the folder; kills whom it watches, so tell it first of those that have ended."""
        assert self._shell.stdin is not None
        with contextlib.suppress(OSError):
            self._shell.stdin.close()
        try:
            self._shell.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()

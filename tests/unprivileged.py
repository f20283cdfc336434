"""Running code without the powers of root, so that refusals can be tested by whoever runs the tests.

Root without capabilities is held to permission bits and port limits like everybody else.
"""

import os
import subprocess
import sys

PREFIX = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Put before a command (setpriv is part of util-linux, which every Debian has)."""


NAMELESS = 54321
"""A uid without an entry in passwd, as a container is given one."""


def nameless() -> list[str]:
    """Put before a command by root: it runs under that uid, and may still read what is root's."""
    reading = "+dac_read_search,+dac_override"
    return ["setpriv", f"--reuid={NAMELESS}", f"--inh-caps={reading}", f"--ambient-caps={reading}"]


def python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the tests' interpreter, from the current folder."""
    return subprocess.run(
        [*PREFIX, sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

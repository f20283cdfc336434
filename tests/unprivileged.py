"""Running code without the powers of root, so that refusals can be tested by whoever runs the tests.

Root without capabilities is held to permission bits and port limits like everybody else.
"""

import os
import subprocess
import sys

PREFIX = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Put before a command (setpriv is part of util-linux, which every Debian has)."""


def python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the tests' interpreter, from the current folder."""
    return subprocess.run(
        [*PREFIX, sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

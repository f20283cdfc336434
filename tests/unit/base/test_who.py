"""Who did it, also where the user has no name."""

import os
import subprocess
import sys

import pytest

from stream_jobs.base.who import user

NAMELESS = 54321
"""A uid without an entry in passwd, as a container is given one."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_user_without_a_name_is_a_number() -> None:
    """Also without the variables that getpass asks first."""
    script = f"import os\nfrom stream_jobs.base.who import user\nos.setuid({NAMELESS})\nprint(user())"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"{NAMELESS}\n", "")


def test_a_name_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of another encoding, which no store or broker takes, are marked."""
    monkeypatch.setenv("LOGNAME", "j\udcf6rg")
    assert user() == "j?rg"

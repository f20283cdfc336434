"""What a service installs: the wheel alone, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_works_without_the_pipeline() -> None:
    """Installed alone, the SDK imports, makes and sends events, and nothing of the pipeline comes with it."""
    done = subprocess.run(
        ["bash", str(ROOT / "infra" / "wheel_check.sh"), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "works alone" in done.stdout

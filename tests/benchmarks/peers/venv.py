"""A virtual environment for peers whose pins clash with ours, made once in bench-results/.venv and kept.

Needs a package index the first time. Without one the peers are named as not measured; the benchmarks go on.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.benchmarks.harness.machine import ROOT

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
FOLDER: Final = ROOT / "bench-results" / ".venv"
SHARED: Final = ("clickhouse-connect", "pyarrow", "genai-prices", "pyyaml", "google-re2", "lz4")
"""What the job itself needs, at exactly our versions: peers differ in how they stream, in nothing else."""
SHARED_LOOSE: Final = ("pydantic-settings", "backports.zstd; python_version < '3.14'")
"""As above, where the peers' pins ask for other versions."""
TIMEOUT_S: Final = 180


def peers_python(*, install: bool = True) -> tuple[Path | None, str]:
    """The interpreter of the peers' environment, made first where it is missing and `install`; or None and why not."""
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / "installed.txt"
    wanted = [*SHARED_LOOSE, *(f"{name}=={importlib.metadata.version(name)}" for name in SHARED)]
    contents = REQUIREMENTS.read_text(encoding="utf-8") + "\n".join(wanted)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == contents:
        return python, ""
    if not install:
        return None, "not installed"
    try:
        _make(python, [*wanted, "-r", str(REQUIREMENTS)])
    except subprocess.TimeoutExpired:
        return None, f"not installed within {TIMEOUT_S} s"
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return None, f"not installed: {said[-1] if said else error}"
    stamp.write_text(contents, encoding="utf-8")
    return python, ""


def _make(python: Path, packages: list[str]) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is not None:
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(FOLDER)])
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *packages])
    else:
        _run([sys.executable, "-m", "venv", str(FOLDER)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)


def version_of(python: Path, package: str) -> str:
    """Of a package in that environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()

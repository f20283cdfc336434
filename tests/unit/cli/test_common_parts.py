"""No command goes around the common parts: JSON has one encoder, a table one form, money and instants one text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from stream_jobs.cli import COMMANDS

APPLICATION: Final = Path(__file__).resolve().parents[3] / "stream_jobs"
SHOWN: Final = sorted(
    [*(APPLICATION / "cli").glob("*.py"), *APPLICATION.rglob("terminal.py"), *(APPLICATION / "output").glob("*.py")]
)
"""What people and programs are shown is written here."""
ENCODERS: Final = {"dumps", "dump", "model_dump_json", "isoformat", "to_json", "encode_json"}
WHO: Final = {"getuser", "getlogin", "getpwuid"}
_ALIGNED: Final = re.compile(r"[<>^]\d+|[<>^]$")
_INSTANT: Final = re.compile(r"%Y-%m-%d %H:%M")
_CENTS: Final = re.compile(r"\.\d+f$")


def name(path: Path) -> str:
    return str(path.relative_to(APPLICATION))


def calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            yield (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")), node.lineno


def formats(path: Path) -> Iterator[tuple[str, int]]:
    """The format specifications of f-strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            spec = "".join(str(part.value) for part in node.format_spec.values if isinstance(part, ast.Constant))
            yield spec, node.lineno


@pytest.mark.parametrize("path", SHOWN, ids=name)
def test_json_has_one_encoder(path: Path) -> None:
    """`say_json`, or `json_text` for a part of a text."""
    assert [line for called, line in calls(path) if called in ENCODERS] == []


def test_who_did_it_is_asked_in_one_place() -> None:
    """The one that never raises."""
    asking = {name(path) for path in APPLICATION.rglob("*.py") for called, _ in calls(path) if called in WHO}
    assert asking == {"base/who.py"}


@pytest.mark.parametrize("path", [path for path in SHOWN if path.name != "tables.py"], ids=name)
def test_a_table_is_no_padded_text(path: Path) -> None:
    """Blanks to line up columns would have to be taken off again by whoever reads a pipe."""
    assert [line for spec, line in formats(path) if _ALIGNED.search(spec)] == []
    assert [line for called, line in calls(path) if called in ("ljust", "rjust", "center", "expandtabs")] == []


@pytest.mark.parametrize("path", SHOWN, ids=name)
def test_money_and_instants_are_readables(path: Path) -> None:
    """Neither digits after the point nor the order of a date are decided anywhere else."""
    assert [line for spec, line in formats(path) if _CENTS.search(spec) or _INSTANT.search(spec)] == []


def test_every_command_is_looked_at() -> None:
    """The lists above are of files that exist."""
    assert {f"cli/{command}.py" for command in COMMANDS} <= {name(path) for path in SHOWN}
    assert len(SHOWN) > len(COMMANDS)

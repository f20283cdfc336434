"""Every example of a guard waits until the budgets are read: whoever copies one that does not has a service that allows
everything in its first second, or refuses it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pages import ROOT

SOURCES = ("producers", "schemas", "stream_jobs")
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", "node_modules", ".git"} & {*page.parts} and page.name != "CHANGELOG.md"
)
MODULES = sorted(module for folder in SOURCES for module in (ROOT / folder).rglob("*.py"))
FENCED = re.compile(r"^ *```(?:python|py|pycon)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^(?: {4,}|>>> ).*\n)+", re.MULTILINE)
MAKES = re.compile(r"\bGuard\((?![^\n]*connect=False)")
ASKS = re.compile(r"\bguard\.(?:decide|cheapest_capable)\(")
WAITS = "wait_ready("


def examples_of(path: Path) -> Iterator[str]:
    """Blocks of Python in a page, and indented ones in the docstrings of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from FENCED.findall(text)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from INDENTED.findall(f"{ast.get_docstring(node) or ''}\n")


def does_not_wait(example: str) -> bool:
    """Whether it makes a guard, or asks one, before one was waited for."""
    asked = ASKS.search(example)
    if asked is None:
        return MAKES.search(example) is not None and WAITS not in example
    return WAITS not in example[: asked.start()]


def test_all_examples_of_a_guard_wait_for_it() -> None:
    """In pages and docstrings, before the first question."""
    found = {
        path.relative_to(ROOT).as_posix(): example
        for path in (*PAGES, *MODULES)
        for example in examples_of(path)
        if does_not_wait(example)
    }
    assert found == {}


def test_the_examples_are_found() -> None:
    """The test above would hold of nothing."""
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in (*PAGES, *MODULES)
        if any(ASKS.search(example) for example in examples_of(path))
    }
    assert asking >= {
        "producers/README.md",
        "producers/spendstream/guard/README.md",
        "producers/spendstream/guard/guard.py",
        "producers/spendstream/guard/price_list.py",
    }


@pytest.mark.parametrize(
    ("example", "wrong"),
    [
        ("guard = Guard(config)\nguard.decide()", True),
        ("guard = Guard(config)\nguard.decide()\nguard.wait_ready()", True),
        ("guard = Guard(config)\nguard.wait_ready()\nguard.decide()", False),
        ("guard = Guard(config)", True),
        ("guard = Guard(config, connect=False)", False),
        ("guard.cheapest_capable(options, needs)", True),
        ("rules.decide(facts)", False),
    ],
)
def test_what_counts_as_waiting(example: str, wrong: bool) -> None:
    """Before the first question, in the same example."""
    assert does_not_wait(example) is wrong

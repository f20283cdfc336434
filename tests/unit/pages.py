"""The pages of documentation, and their parts: what the tests of the documentation read."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
GENERATED: Final = "REPORT.md"
"""Written by a command, from what others call their models: no page that people wrote."""
PAGES: Final = sorted(
    path
    for pattern in ("*.md", "[a-z]*/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != GENERATED
    and not any(
        part.startswith((".", "demo-data", "dist", "build", "bench-results")) for part in path.relative_to(ROOT).parts
    )
)
ARCHITECTURE: Final = ROOT / "ARCHITECTURE.md"
COMMANDS: Final = ROOT / "stream_jobs" / "cli" / "README.md"
TABLES: Final = ROOT / "sql" / "TABLES.md"
EVENTS: Final = ROOT / "schemas" / "EVENTS.md"
BAD_INPUT: Final = ROOT / "schemas" / "BAD_INPUT.md"
PRICES: Final = ROOT / "stream_jobs" / "pricing" / "README.md"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(page: Path, title: str) -> str:
    """The text under a heading of the second or third level, up to the next one."""
    found = re.search(rf"^###? {re.escape(title)}\n(.*?)(?=^###? |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    assert found, f"{name_of(page)} has no section {title!r}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    """The contents of fenced code blocks in a language ('' for none)."""
    return [
        body for name, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if name == language
    ]


def code(text: str) -> set[str]:
    """Everything in backticks, each word of it."""
    return {word for span in re.findall(r"`([^`\n]+)`", text) for word in span.split()}

"""The registry of figures."""

import ast
from pathlib import Path

from stream_jobs.store.queries import INTERNAL

REPORT = Path(__file__).resolve().parents[3] / "stream_jobs" / "report"


def test_every_figure_is_shown_and_every_one_that_is_shown_exists() -> None:
    """By its name."""
    asked = set()
    for path in REPORT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func
                if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in (
                    "rows",
                    "rows_for",
                ):
                    asked.add(node.args[0].value)
    assert asked == {path.stem.removeprefix("report_") for path in INTERNAL.glob("report_*.sql")}

"""The analysts' page is what the registry makes."""

from pathlib import Path

from stream_jobs.economics.page import page

PAGE = Path(__file__).resolve().parents[3] / "sql/FIGURES.md"


def test_the_page_is_made_from_the_registry() -> None:
    """`make schemas` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()

"""The README shows the table of deliberate differences as the property test uses it."""

from pathlib import Path

import stream_jobs.pricing
from tests.unit.pricing.differences import markdown


def test_the_readme_shows_every_deliberate_difference() -> None:
    """Copy what `differences.markdown()` prints when this fails."""
    readme = Path(str(stream_jobs.pricing.__file__)).with_name("README.md").read_text(encoding="utf-8")
    assert markdown() in readme

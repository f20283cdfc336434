"""Warnings about attribution rules."""

from pathlib import Path
from typing import Any

import pytest

from stream_jobs.attribution.document import AttributionDocument
from stream_jobs.attribution.lint import warnings
from stream_jobs.attribution.rules import read_document

EXAMPLE = Path(__file__).parents[3] / "stream_jobs" / "attribution" / "example_attribution.yaml"


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        ({"tables": {"t": {"a": "b"}}}, "'t' is not used"),
        (
            {"rules": [{"name": "a", "fill": {"team": "x"}}, {"name": "b", "fill": {"team": "y"}}]},
            "team has a value by then",
        ),
        ({"rules": [{"name": "a", "rename": {"team": {"x": "y", "y": "z"}}}]}, "itself renamed"),
        (
            {"categories": [{"name": "a", "category": "inference"}, {"name": "b", "category": "inference"}]},
            "never asked",
        ),
    ],
)
def test_what_is_probably_not_meant_is_reported(document: dict[str, Any], finding: str) -> None:
    """One finding per document, naming what to look at."""
    (text,) = warnings(AttributionDocument.model_validate(document))
    assert finding in text


def test_the_example_has_no_warnings() -> None:
    """What people copy from is clean."""
    assert warnings(read_document(EXAMPLE)) == []

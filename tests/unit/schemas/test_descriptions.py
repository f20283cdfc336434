"""What the published schemas say of each field."""

import json
from pathlib import Path

import pytest

from spendstream_schemas.descriptions import describe, undescribed
from tests.unit.pages import ROOT

PUBLISHED = sorted((ROOT / "schemas" / "json").glob("*.schema.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=[path.name for path in PUBLISHED])
def test_every_field_of_every_published_schema_says_what_it_means(path: Path) -> None:
    """Contract, feeds and YAML files alike: `descriptions.py`, or a description at the field."""
    assert undescribed(json.loads(path.read_text(encoding="utf-8"))) == []


def test_a_field_without_a_description_is_found() -> None:
    """Also inside alternatives and definitions."""
    inner = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"b": {}}}]}
    schema = {"title": "T", "properties": {"a": {"description": "says it"}, "c": {}}, "$defs": {"D": inner}}
    assert undescribed(schema) == ["T.c", "D.b"]
    assert undescribed(describe(schema, {"T": {"c": "too"}, "D": {"b": "this"}})) == []

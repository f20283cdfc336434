"""The JSON Schemas of the YAML formats are generated, and the shipped files are valid under them."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream_jobs.pricing.book import DATA
from stream_jobs.pricing.json_schemas import FOLDER, SCHEMAS, schema_text
from stream_jobs.pricing.yaml_models import yaml_files

FILES = [(kind, path) for kind, name in (("price-corrections", "corrections"), ("price-rate-cards", "rate_cards"))
         for path in yaml_files(DATA / name)] + [("price-providers", DATA / "providers.yaml")]  # fmt: skip


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schema_file_is_what_the_models_say(name: str) -> None:
    """Regenerate with `python -m stream_jobs.pricing.json_schemas`."""
    assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name)


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.name for _, path in FILES])
def test_shipped_files_are_valid_under_their_schema_and_point_to_it(kind: str, path: Path) -> None:
    """An editor that follows the first line sees no error."""
    text = path.read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    pointer = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / pointer).resolve() == FOLDER / f"{kind}.schema.json"
    jsonschema.validate(_as_json(yaml.safe_load(text)), json.loads(schema_text(kind)))


def _as_json(value: Any) -> Any:
    """Dates as an editor's YAML plugin sees them: strings."""
    return json.loads(json.dumps(value, default=str))

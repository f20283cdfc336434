"""What attribution.yaml may say."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from stream_jobs.attribution.document import SCHEMA_FILE_NAME
from stream_jobs.attribution.jsonschema import schema_text
from stream_jobs.attribution.rules import AttributionRules, read_document
from stream_jobs.base.errors import ConfigError

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "stream_jobs" / "attribution" / "example_attribution.yaml"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("fill: {cost_center: 471}", "put quotes around it"),
        ("fill: {environment: no}", "put quotes around it"),
        ("fill: {label.x: y}", "cannot be set"),
        ("fill: {team: x}\n    set: {owner: y}", "exactly one of: fill, set, rename, lookup"),
        ("valid_to: 2026-01-01", "exactly one of: fill, set, rename, lookup"),
        ("fill: {}", "exactly one of: fill, set, rename, lookup"),
        ("when: {sorce: x}\n    fill: {team: x}", "there is no 'sorce'"),
        ("when: {source: {globb: x}}\n    fill: {team: x}", "globb"),
        ("when: {source: {glob: x, regex: y}}\n    fill: {team: x}", "exactly one of"),
        ("when: {source: []}\n    fill: {team: x}", "at least 1 item"),
        ("valid_from: 2026-02-01\n    valid_to: 2026-02-01\n    fill: {team: x}", "is not before"),
        ("valid_from: 2026-02-01T08:00:00\n    fill: {team: x}", "has no UTC offset"),
        ("valid_from: soon\n    fill: {team: x}", "is not a date"),
        ("valid_from: 7\n    fill: {team: x}", "is not a date"),
        ('fill: {team: "' + "x" * 129 + '"}', "at most 128 characters"),
        ('when: {source: {regex: "' + "x" * 513 + '"}}\n    fill: {team: x}', "at most 512 characters"),
        ("fil: {team: x}", "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, rule: str, message: str) -> None:
    """Each mistake gets one clear sentence with the file, the rule's number and its name."""
    path = tmp_path / "attribution.yaml"
    path.write_text(f"rules:\n  - name: the one\n    {rule}\n")
    with pytest.raises(ConfigError) as caught:
        AttributionRules.load(tmp_path)
    assert any(message in problem for problem in caught.value.problems)
    assert all(re.match(rf"{path}:[23]: rules\[0\] 'the one'", problem) for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["[]", "7", "rules: 7", "rules: [7]", "rules: [[]]", "tables: {a: {}}", "other: 1"])
def test_a_document_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever YAML it holds, the answer is a ConfigError and never a traceback."""
    (tmp_path / "attribution.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"attribution\.yaml"):
        AttributionRules.load(tmp_path)


def test_the_schema_file_is_what_the_model_says() -> None:
    """Regenerate with: python -m stream_jobs.attribution.jsonschema schemas/json."""
    assert (ROOT / "schemas" / "json" / SCHEMA_FILE_NAME).read_text(encoding="utf-8") == schema_text()


def test_the_example_is_valid_for_the_model_and_for_the_schema() -> None:
    """An editor that follows the schema line accepts what the loader accepts."""
    assert read_document(EXAMPLE).rules
    text = EXAMPLE.read_text(encoding="utf-8")
    reference = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (EXAMPLE.parent / reference).resolve() == ROOT / "schemas" / "json" / SCHEMA_FILE_NAME
    # Editors see dates as text.
    document = json.loads(json.dumps(yaml.safe_load(text), default=str))
    jsonschema.validate(document, json.loads(schema_text()), cls=jsonschema.Draft202012Validator)


def test_the_schema_refuses_a_misspelt_condition() -> None:
    """The schema is strict where the loader is strict."""
    wrong = {"rules": [{"name": "x", "when": {"source": {"globb": "x"}}, "fill": {"team": "x"}}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(schema_text()), cls=jsonschema.Draft202012Validator)

"""Generating, writing and comparing the JSON Schemas."""

from pathlib import Path

import jsonschema
import pytest

from spendstream_schemas.jsonschema import DIALECT, MESSAGES, drifted, file_name, generate, main


@pytest.mark.parametrize("topic", MESSAGES)
def test_what_is_generated_is_a_json_schema(topic: str) -> None:
    """Valid by the meta-schema of the dialect it names, and closed against unknown fields."""
    schema = generate(topic)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["additionalProperties"] is False


def test_what_was_written_has_not_drifted(tmp_path: Path) -> None:
    """Writing makes the folder; checking afterwards finds nothing."""
    folder = tmp_path / "json"
    assert main([str(folder), "--check"]) == 1
    assert main([str(folder)]) == 0
    assert main([str(folder), "--check"]) == 0


def test_a_changed_or_missing_file_is_drift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says how to repair it."""
    main([str(tmp_path)])
    events, outcomes = (tmp_path / file_name(topic) for topic in MESSAGES)
    events.write_text(events.read_text().replace("token", "tocken", 1))
    outcomes.unlink()
    assert drifted(tmp_path) == [events.name, outcomes.name]
    assert main([str(tmp_path), "--check"]) == 1
    assert f"run `python -m spendstream_schemas.jsonschema {tmp_path}`" in capsys.readouterr().err

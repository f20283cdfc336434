"""The JSON Schema of alerts.yaml, for editors. `python -m stream_jobs.alerts.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path
from typing import Any

from stream_jobs.alerts.document import SCHEMA_FILE_NAME, AlertsDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **AlertsDocument.model_json_schema()}
    _short_condition(schema["$defs"]["Condition"])
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(folder: str) -> None:
    """Write the schema file into the folder."""
    Path(folder, SCHEMA_FILE_NAME).write_text(schema_text(), encoding="utf-8")


def _short_condition(schema: dict[str, Any]) -> None:
    """A text, or a list of texts, stands for `any_of`."""
    text = {"type": "string", "minLength": 1, "maxLength": 128}
    full = {key: schema.pop(key) for key in list(schema) if key != "description"}
    full["minProperties"] = full["maxProperties"] = 1
    schema["anyOf"] = [text, {"type": "array", "items": text, "minItems": 1}, full]


if __name__ == "__main__":
    main(sys.argv[1])

"""The JSON Schema of budgets.yaml, for editors. `python -m stream_jobs.budgets.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path
from typing import Any

from stream_jobs.budgets.document import SCHEMA_FILE_NAME, BudgetsDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **BudgetsDocument.model_json_schema()}
    definitions = schema["$defs"]
    _short_condition(definitions["Condition"])
    thresholds = definitions["Budget"]["properties"]["thresholds"]
    thresholds["anyOf"] = [{"$ref": thresholds.pop("$ref")}, definitions["Thresholds"]["properties"]["actual"]]
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

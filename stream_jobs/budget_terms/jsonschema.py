"""The JSON Schema of budgets.yaml, for editors. `python -m stream_jobs.budget_terms.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path

from spendstream_schemas.descriptions import describe
from stream_jobs.budget_terms.document import SCHEMA_FILE_NAME, BudgetsDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **describe(BudgetsDocument.model_json_schema()),
    }
    definitions = schema["$defs"]
    thresholds = definitions["Budget"]["properties"]["thresholds"]
    thresholds["anyOf"] = [{"$ref": thresholds.pop("$ref")}, definitions["Thresholds"]["properties"]["actual"]]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(folder: str) -> None:
    """Write the schema file into the folder."""
    Path(folder, SCHEMA_FILE_NAME).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

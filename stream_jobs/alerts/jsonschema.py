"""The JSON Schema of alerts.yaml, for editors. `python -m stream_jobs.alerts.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path

from spendstream_schemas.descriptions import describe
from stream_jobs.alerts.document import SCHEMA_FILE_NAME, AlertsDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **describe(AlertsDocument.model_json_schema())}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(folder: str) -> None:
    """Write the schema file into the folder."""
    Path(folder, SCHEMA_FILE_NAME).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

"""The JSON Schema of events.yaml, for editors. `python -m stream_jobs.planned.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path

from spendstream_schemas.descriptions import describe
from stream_jobs.planned.document import SCHEMA_FILE_NAME, EventsDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **describe(EventsDocument.model_json_schema(by_alias=True)),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1], SCHEMA_FILE_NAME).write_text(schema_text(), encoding="utf-8")

"""The JSON Schema of currencies.yaml, for editors. `python -m stream_jobs.currencies.jsonschema FOLDER` writes it."""

import json
import sys
from pathlib import Path

from spendstream_schemas.descriptions import describe
from stream_jobs.currencies.document import SCHEMA_FILE_NAME, CurrenciesDocument


def schema_text() -> str:
    """The schema as it is kept in schemas/json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **describe(CurrenciesDocument.model_json_schema()),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1], SCHEMA_FILE_NAME).write_text(schema_text(), encoding="utf-8")

"""JSON Schemas of the YAML formats, for editors. They are generated: `python -m stream_jobs.pricing.json_schemas`."""

import json
import sys
from typing import Any, Final

from pydantic import BaseModel

from spendstream_schemas.descriptions import describe
from stream_jobs.base.checkout import ROOT
from stream_jobs.pricing.corrections import CorrectionFile
from stream_jobs.pricing.descriptions import FIELDS
from stream_jobs.pricing.export import TasksFile
from stream_jobs.pricing.overlays import OverlayFile
from stream_jobs.pricing.provider_rules import ProvidersFile
from stream_jobs.pricing.rate_cards import RateCardFile

FOLDER: Final = ROOT / "schemas" / "json"
SCHEMAS: Final[dict[str, type[BaseModel]]] = {
    "price-corrections": CorrectionFile,
    "price-overlays": OverlayFile,
    "price-rate-cards": RateCardFile,
    "price-providers": ProvidersFile,
    "price-tasks": TasksFile,
}


def schema_text(name: str) -> str:
    """The schema file's content for one of the formats."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= describe(SCHEMAS[name].model_json_schema(), FIELDS)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schema files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        path = FOLDER / f"{name}.schema.json"
        path.write_text(schema_text(name), encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()

"""JSON Schemas (draft 2020-12) of the messages, generated from the models.

``python -m spendstream_schemas.jsonschema FOLDER`` writes them, ``--check`` compares and exits 1 on drift.

They describe what a producer may send. Rules between fields (parts fit their wholes, a token usage names a model) and
printable text cannot be said in JSON Schema: the models remain the judge.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from spendstream_schemas.alert_feed import ALERT_RECORD
from spendstream_schemas.budget_feed import BUDGET_RECORD
from spendstream_schemas.descriptions import describe
from spendstream_schemas.event import UsageEvent
from spendstream_schemas.outcome import OutcomeEvent
from spendstream_schemas.types import Message

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: Final[Mapping[str, type[Message]]] = {"usage.events.v1": UsageEvent, "usage.outcomes.v1": OutcomeEvent}
"""Topic and model of its messages. The name joins the schema, the topic file and the examples."""

FEEDS: Final[Mapping[str, TypeAdapter[Any]]] = {"budget.state.v1": BUDGET_RECORD, "alerts.v1": ALERT_RECORD}
"""Topics that the jobs write, with records of several types, told apart by `type`."""


def file_name(topic: str) -> str:
    """'usage.events.v1' -> 'usage.events.v1.schema.json'."""
    return f"{topic}.schema.json"


def generate(topic: str) -> dict[str, Any]:
    """The schema of the topic's messages."""
    if topic in FEEDS:
        schema = FEEDS[topic].json_schema(mode="validation")
    else:
        schema = MESSAGES[topic].model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": f"urn:spendstream:{topic}"} | describe(schema)


def render(schema: Mapping[str, Any]) -> str:
    """The text of a schema file: the same models always give the same bytes."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def drifted(folder: Path) -> list[str]:
    """Files in `folder` that are missing or differ from what the models give now."""
    found = []
    for topic in (*MESSAGES, *FEEDS):
        path = folder / file_name(topic)
        if not path.is_file() or path.read_text(encoding="utf-8") != render(generate(topic)):
            found.append(path.name)
    return found


def write(folder: Path) -> None:
    """Write all schemas into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in (*MESSAGES, *FEEDS):
        (folder / file_name(topic)).write_text(render(generate(topic)), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """The command line; the exit code is 1 when `--check` found drift."""
    parser = argparse.ArgumentParser(prog="python -m spendstream_schemas.jsonschema", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the schemas are (schemas/json)")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args(argv)
    if not arguments.check:
        write(arguments.folder)
        return 0
    stale = drifted(arguments.folder)
    for name in stale:
        print(
            f"{arguments.folder / name} does not match the models: run "
            f"`python -m spendstream_schemas.jsonschema {arguments.folder}` and commit it",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

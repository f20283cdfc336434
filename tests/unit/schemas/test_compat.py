"""The check for breaking schema changes, on made-up changes of both kinds."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spendstream_schemas.compat import breaking_changes, check_against_released
from spendstream_schemas.jsonschema import MESSAGES, file_name, generate

TEXT = {"type": "string", "minLength": 1, "maxLength": 10}
NULLABLE = {"anyOf": [TEXT, {"type": "null"}], "default": None}
BASE: dict[str, Any] = {
    "$defs": {
        "Tokens": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"kind": {"const": "tokens"}, "n": {"type": "integer", "minimum": 0, "maximum": 100}},
            "required": ["kind"],
        },
        "Metered": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"kind": {"const": "metered"}, "sku": TEXT},
            "required": ["kind", "sku"],
        },
    },
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": TEXT,
        "team": NULLABLE,
        "status": {"type": "string", "enum": ["ok", "error"], "default": "ok"},
        "score": {"type": "number"},
        "usage": {"oneOf": [{"$ref": "#/$defs/Tokens"}, {"$ref": "#/$defs/Metered"}]},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}, "maxProperties": 3},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["id", "usage"],
}
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(BASE))  # no part is shared, unlike with deepcopy
    change(schema)
    return schema


BREAKING: dict[str, tuple[Change, str]] = {
    "field removed": (lambda s: s["properties"].pop("team"), "$.team: the field was removed"),
    "field required": (lambda s: s["required"].append("team"), "$.team: is required now"),
    "new field required": (
        lambda s: (s["properties"].update(x=TEXT), s["required"].append("x")),
        "$.x: is required now",
    ),
    "type narrowed": (
        lambda s: s["properties"]["score"].update(type="integer"),
        "$.score: the type was narrowed from number to integer",
    ),
    "null removed": (
        lambda s: s["properties"].update(team=TEXT | {"default": None}),
        "$.team: the alternative null was removed",
    ),
    "bound lowered": (
        lambda s: s["$defs"]["Tokens"]["properties"]["n"].update(maximum=99),
        "$.usage.n: maximum was lowered from 100 to 99",
    ),
    "bound raised": (
        lambda s: s["$defs"]["Tokens"]["properties"]["n"].update(minimum=1),
        "$.usage.n: minimum was raised from 0 to 1",
    ),
    "bound added": (
        lambda s: s["properties"]["score"].update(maximum=1),
        "$.score: maximum was lowered from none to 1",
    ),
    "shorter text in an alternative": (
        lambda s: s["properties"]["team"]["anyOf"].__setitem__(0, TEXT | {"maxLength": 9}),
        "$.team: maxLength was lowered from 10 to 9",
    ),
    "enum value removed": (
        lambda s: s["properties"]["status"].update(enum=["ok"]),
        "$.status: no longer allowed: 'error'",
    ),
    "enum introduced": (
        lambda s: s["properties"]["id"].update(enum=["a"]),
        "$.id: no longer allowed: any value",
    ),
    "default changed": (
        lambda s: s["properties"]["status"].update(default="error"),
        "$.status: the default changed from 'ok' to 'error'",
    ),
    "pattern added": (
        lambda s: s["properties"]["id"].update(pattern="^a"),
        "$.id: pattern changed from None to '^a'",
    ),
    "kind of usage removed": (
        lambda s: s["properties"]["usage"]["oneOf"].pop(),
        "$.usage: the alternative Metered was removed",
    ),
    "required inside a kind of usage": (
        lambda s: s["$defs"]["Tokens"]["required"].append("n"),
        "$.usage.n: is required now",
    ),
    "label values shorter": (
        lambda s: s["properties"]["labels"]["additionalProperties"].update(maxLength=4),
        "$.labels.additionalProperties: maxLength was lowered from 5 to 4",
    ),
    "free labels closed": (
        lambda s: s["properties"]["labels"].update(additionalProperties=False),
        "$.labels.additionalProperties: was allowed and is forbidden now",
    ),
    "list items narrowed": (
        lambda s: s["properties"]["tags"]["items"].update(type="integer"),
        "$.tags.items: the type was narrowed from string to integer",
    ),
    "something said beside the alternatives": (
        lambda s: s["properties"]["team"].update(maxLength=3),
        "$.team: maxLength was lowered from none to 3",
    ),
}
COMPATIBLE: dict[str, Change] = {
    "nothing": lambda s: None,
    "optional field added": lambda s: s["properties"].update(x=NULLABLE),
    "field no longer required": lambda s: s["required"].remove("id"),
    "type widened": lambda s: s["$defs"]["Tokens"]["properties"]["n"].update(type="number"),
    "null allowed": lambda s: s["properties"].update(id={"anyOf": [TEXT, {"type": "null"}]}),
    "bound widened": lambda s: s["$defs"]["Tokens"]["properties"]["n"].update(maximum=101, minimum=-1),
    "bound removed": lambda s: s["properties"]["id"].pop("maxLength"),
    "enum value added": lambda s: s["properties"]["status"]["enum"].append("cancelled"),
    "enum dropped": lambda s: s["properties"]["status"].pop("enum"),
    "kind of usage added": lambda s: s["properties"]["usage"]["oneOf"].append({"type": "object", "properties": {}}),
    "alternatives reordered": lambda s: s["properties"]["usage"]["oneOf"].reverse(),
    "unknown fields allowed": lambda s: s.update(additionalProperties=True),
    "description changed": lambda s: s["properties"]["id"].update(description="an id", title="Id"),
    "definition renamed": lambda s: (
        s["$defs"].update(T=s["$defs"].pop("Tokens")),
        s["properties"]["usage"]["oneOf"].__setitem__(0, {"$ref": "#/$defs/T"}),
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_named(name: str) -> None:
    """Exactly one line, with the path of the field and what happened to it."""
    change, line = BREAKING[name]
    assert breaking_changes(BASE, changed(change)) == [line]


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_compatible_change_is_none(name: str) -> None:
    """Messages that were valid stay valid."""
    assert breaking_changes(BASE, changed(COMPATIBLE[name])) == []


def test_a_recursive_model_ends() -> None:
    """A definition that refers to itself is compared once."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "number"}}}
    old = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    new = copy.deepcopy(old)
    assert breaking_changes(old, new) == []
    new["$defs"]["Node"]["properties"]["n"]["type"] = "integer"  # type: ignore[index]
    assert breaking_changes(old, new) == ["$.n: the type was narrowed from number to integer"]


@pytest.mark.parametrize("topic", MESSAGES)
def test_every_schema_is_compatible_with_itself(topic: str) -> None:
    """On the real models, with all their unions and references."""
    assert breaking_changes(generate(topic), generate(topic)) == []


def test_a_removed_meter_is_found_in_the_real_schema() -> None:
    """Deep inside the union of usages."""
    old = generate("usage.events.v1")
    new = copy.deepcopy(old)
    del new["$defs"]["TokenUsage"]["properties"]["cache_read_tokens"]
    assert breaking_changes(old, new) == ["$.usage.cache_read_tokens: the field was removed"]


def test_released_schemas_are_compared_with_their_successors(tmp_path: Path) -> None:
    """A removed schema is breaking too."""
    released = tmp_path / "released" / "1.0"
    released.mkdir(parents=True)
    for name in ("a.schema.json", "b.schema.json"):
        (released / name).write_text(json.dumps(BASE))
    (tmp_path / "a.schema.json").write_text(json.dumps(changed(BREAKING["field removed"][0])))
    assert check_against_released(tmp_path) == [
        "1.0/a.schema.json: $.team: the field was removed",
        "1.0/b.schema.json: the schema was removed",
    ]
    assert file_name("usage.events.v1") == "usage.events.v1.schema.json"

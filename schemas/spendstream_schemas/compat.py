"""Breaking changes between two JSON Schemas of one message.

A change breaks when a message that was valid under the old schema is no longer valid, or means something else, under
the new one: producers are updated later than consumers, and messages stay in the topic for weeks. A keyword this
module does not know counts as breaking when it changes: better to look once too often.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Schema = Mapping[str, Any]

_ANNOTATIONS: Final = frozenset(
    {"title", "description", "examples", "deprecated", "$schema", "$id", "$defs", "$comment", "discriminator"}
)
_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SUBSCHEMAS: Final = ("items", "additionalProperties", "propertyNames")
_JUDGED: Final = frozenset(
    {
        "type",
        "const",
        "enum",
        "properties",
        "required",
        "anyOf",
        "oneOf",
        "$ref",
        *_LOWER_BOUNDS,
        *_UPPER_BOUNDS,
        *_SUBSCHEMAS,
    }
)


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What is breaking in going from `old` to `new`, one line each, with the path of the field. Empty: compatible."""
    return sorted(set(_Comparison(old, new).compare(old, new, "$")))


def check_against_released(folder: Path) -> list[str]:
    """Compare each schema in ``folder/released/<version>/`` with its successor in `folder`."""
    problems = []
    for path in sorted(folder.glob("released/*/*.schema.json")):
        current = folder / path.name
        label = f"{path.parent.name}/{path.name}"
        if not current.is_file():
            problems.append(f"{label}: the schema was removed")
            continue
        old, new = (json.loads(file.read_text(encoding="utf-8")) for file in (path, current))
        problems += [f"{label}: {problem}" for problem in breaking_changes(old, new)]
    return problems


class _Comparison:
    """Holds the two documents, against which references are resolved."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._open: set[tuple[str, str]] = set()  # pairs of references being compared: recursive models end here

    def compare(self, old: Any, new: Any, path: str) -> Iterator[str]:
        pair = (str(_reference(old)), str(_reference(new)))
        if pair != ("None", "None"):
            if pair in self._open:
                return
            self._open.add(pair)
        try:
            yield from self._compare(_resolve(old, self._old), _resolve(new, self._new), path)
        finally:
            self._open.discard(pair)

    def _compare(self, old: Any, new: Any, path: str) -> Iterator[str]:
        if new is True or old is False:  # everything is allowed now, or nothing was allowed before
            return
        if new is False:
            yield f"{path}: was allowed and is forbidden now"
            return
        old = {} if old is True else old
        old_choices, new_choices = _choices(old), _choices(new)
        if len(old_choices) > 1 or len(new_choices) > 1:
            yield from self._compare_choices(old_choices, new_choices, path)
            if len(old_choices) > 1 and len(new_choices) > 1:  # also what both say beside their alternatives
                yield from self._compare(_without_choices(old), _without_choices(new), path)
            else:
                yield from _compare_default(old, new, path)
            return
        yield from _compare_scalars(old, new, path)
        yield from _compare_default(old, new, path)
        yield from self._compare_properties(old, new, path)
        for keyword in _SUBSCHEMAS:
            yield from self.compare(old.get(keyword, True), new.get(keyword, True), f"{path}.{keyword}")
        for keyword in sorted((old.keys() | new.keys()) - _JUDGED - _ANNOTATIONS - {"default"}):
            if keyword in new and old.get(keyword) != new[keyword]:
                yield f"{path}: {keyword} changed from {old.get(keyword)!r} to {new[keyword]!r}"

    def _compare_choices(self, old: list[Any], new: list[Any], path: str) -> Iterator[str]:
        """Each old alternative must be accepted by one of the new ones; else the closest one says what is missing."""
        for choice in old:
            attempts = [list(self.compare(choice, candidate, path)) for candidate in new]
            best = min(attempts, key=lambda problems: (_is_other_kind(problems), len(problems)))
            if _is_other_kind(best):
                yield f"{path}: the alternative {_name(choice)} was removed"
            else:
                yield from best

    def _compare_properties(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in now:
            if name in before:
                yield from self.compare(before[name], now[name], f"{path}.{name}")
            elif old.get("additionalProperties", True) is not False:
                # The name could be used freely before, with whatever value.
                yield from self.compare(old.get("additionalProperties", True), now[name], f"{path}.{name}")
        for name in before.keys() - now.keys():
            if new.get("additionalProperties", True) is False:
                yield f"{path}.{name}: the field was removed"
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name}: is required now"


def _compare_scalars(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "type" in new and not _types(old.get("type")) <= _types(new["type"]):
        yield f"{path}: {_TYPE} {old.get('type', 'any')} to {new['type']}"
    allowed, now_allowed = _values(old), _values(new)
    if now_allowed is not None and (allowed is None or any(value not in now_allowed for value in allowed)):
        gone = "any value" if allowed is None else ", ".join(repr(v) for v in allowed if v not in now_allowed)
        yield f"{path}: {_VALUES} {gone}"
    for keyword in _LOWER_BOUNDS:
        if keyword in new and (keyword not in old or new[keyword] > old[keyword]):
            yield f"{path}: {keyword} was raised from {old.get(keyword, 'none')} to {new[keyword]}"
    for keyword in _UPPER_BOUNDS:
        if keyword in new and (keyword not in old or new[keyword] < old[keyword]):
            yield f"{path}: {keyword} was lowered from {old.get(keyword, 'none')} to {new[keyword]}"


_TYPE: Final = "the type was narrowed from"
_VALUES: Final = "no longer allowed:"


def _compare_default(old: Schema, new: Schema, path: str) -> Iterator[str]:
    """An absent field would mean something else."""
    if old.get("default") != new.get("default") and "default" in old:
        yield f"{path}: the default changed from {old['default']!r} to {new.get('default')!r}"


def _is_other_kind(problems: list[str]) -> bool:
    """Whether two alternatives have nothing to do with each other: another type, or another tag of a union."""
    return any(_TYPE in problem or f".kind: {_VALUES}" in problem for problem in problems)


def _choices(schema: Any) -> list[Any]:
    return list(schema.get("anyOf") or schema.get("oneOf") or [schema])


def _without_choices(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(declared: Any) -> set[str]:
    every = {"string", "number", "integer", "boolean", "object", "array", "null"}
    found = every if declared is None else {declared} if isinstance(declared, str) else set(declared)
    return found | {"integer"} if "number" in found else found


def _reference(schema: Any) -> str | None:
    return schema.get("$ref") if isinstance(schema, Mapping) else None


def _resolve(schema: Any, document: Schema) -> Any:
    """The schema with its reference replaced by what it points to; keywords beside the reference stay."""
    reference = _reference(schema)
    if reference is None:
        return schema
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def _name(schema: Any) -> str:
    return str(_reference(schema) or (schema.get("type") if isinstance(schema, Mapping) else schema)).split("/")[-1]

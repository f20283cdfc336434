"""Scopes: filters over what an entry of the ledger says about itself. Budgets, silences and routes are given one."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator

from spendstream_schemas.attribution import ATTRIBUTION_FIELDS
from spendstream_schemas.types import Flag, Message, Text256

SCOPE_FIELDS_1: Final = (*ATTRIBUTION_FIELDS, "provider", "model", "category")
"""What the first version of scopes could look at, and readers of it can still."""
SCOPE_FIELDS: Final = (*SCOPE_FIELDS_1, "source", "region")
"""What a scope can look at, beside labels (`labels.NAME`). An entry that lacks one has the empty string there."""
LABEL: Final = "labels."
"""What the field of a label begins with; all that follows is the label's name, whatever characters it has."""
MAX_LABEL_NAME: Final = 64
MAX_FIELDS: Final = len(SCOPE_FIELDS) + 8
MAX_GLOBS: Final = 100
_MAX_CHARS_1: Final = 128
_MAX_SHOWN: Final = 512  # what is longer is too long for any condition
_IN_WORDS: Final = "a value, a list of values, any_of, none_of, glob, missing"


def _short_forms_too(schema: dict[str, Any]) -> None:
    text = {"type": "string", "minLength": 1, "maxLength": 256}
    full = {key: schema.pop(key) for key in list(schema) if key != "description"}
    full["minProperties"] = full["maxProperties"] = 1
    schema["anyOf"] = [text, {"type": "array", "items": text, "minItems": 1}, full]


def short_form(value: Any) -> Any:
    """What a text, or a list of texts, stands for where a condition is asked for: `any_of`, or `glob` where one of them
    has a * (any text) or a ? (one character). Everything else is as it was given.

    Raises ValueError for brackets, of which nobody can tell whether they are meant as a pattern's.
    """
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)):
        return value
    for text in texts:
        if isinstance(text, str) and len(text) <= _MAX_SHOWN and "]" in text.partition("[")[2]:
            raise ValueError(
                f"{text!r} can be meant in two ways: write {{glob: {text!r}}} if one of the characters in brackets is "
                f"meant, {{any_of: [{text!r}]}} if the brackets are part of the value"
            )
    if any(isinstance(text, str) and ("*" in text or "?" in text) for text in texts):
        return {"glob": texts[0] if len(texts) == 1 else tuple(texts)}
    return {"any_of": tuple(texts)}


def _is_pattern(glob: str) -> str:
    try:
        _pattern(glob)
    except re.error as error:
        raise ValueError(f"{glob!r} is not a shell pattern: {error}") from None
    return glob


Glob = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256), AfterValidator(_is_pattern)]


class Condition(Message):
    """One condition on one value; exactly one of the four is given, and all compare the whole value.

    In the short form a text, or a list of texts, stands for `any_of`, and for `glob` if there is a * or ? in it.
    """

    model_config = ConfigDict(json_schema_extra=_short_forms_too)  # the rest is Message's

    any_of: Annotated[tuple[Text256, ...], Field(min_length=1, max_length=1000)] | None = None
    none_of: Annotated[tuple[Text256, ...], Field(min_length=1, max_length=1000)] | None = None
    glob: Glob | Annotated[tuple[Glob, ...], Field(min_length=1, max_length=MAX_GLOBS)] | None = None
    """One shell pattern or several: * any text, ? one character, [abc] one of these."""
    missing: Flag | None = None  # true: only when there is no value; false: only when there is one

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        return short_form(value)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of: {_IN_WORDS}")
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns, if it has some."""
        return (self.glob,) if isinstance(self.glob, str) else self.glob or ()

    def holds(self, value: str) -> bool:
        """Whether it holds for this value; a missing one is the empty string."""
        if self.any_of is not None:
            return value in self.any_of
        if self.none_of is not None:
            return value not in self.none_of
        if self.glob is not None:
            return bool(value) and any(_pattern(glob).match(value) is not None for glob in self.globs)
        return (not value) == self.missing


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Python's `re` goes back and tries again: a pattern with twenty stars, from whoever can write a scope, would keep
    it busy for years. What is between two stars is looked for once, at the first place where it stands: later stars
    can only gain by that. So the time is the text's length times the pattern's, at most."""
    first, *rest = _parts(glob)
    between = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"(?s:{first}{between}{f'.*{rest[-1]}' if rest else ''})\\Z")


_CLASS: Final = re.compile(r"\[(!?)(\]?[^\]]*)\]")
_IN_CLASS: Final = re.compile(r"(.)(?:-(.))?", re.DOTALL)
"""A character, or a range from one to another."""
_SPECIAL: Final = re.compile(r"[\\\[\]^&~|-]")


def glob_regex(*globs: str) -> str:
    """The regular expression of shell patterns, one of which holds, from the start of a text on, in the words that
    Python and RE2 share.

    A bracket that is not closed stands for itself.
    """
    return f"^(?s:{'|'.join('.*'.join(_parts(glob)) for glob in globs)})"


def _parts(glob: str) -> list[str]:
    """The regular expressions of what stands before, between and after the stars; each matches texts of one length."""
    parts = [""]
    at = 0
    while at < len(glob):
        if glob[at] == "[" and (found := _CLASS.match(glob, at)):
            parts[-1] += f"[{'^' if found[1] else ''}{_IN_CLASS.sub(_escaped, found[2])}]"
            at = found.end()
            continue
        if glob[at] == "*":
            parts.append("")
        else:
            parts[-1] += "." if glob[at] == "?" else re.escape(glob[at])
        at += 1
    return parts


def _escaped(found: re.Match[str]) -> str:
    """A character, or a range, as it stands in the brackets of a regular expression."""
    return "-".join(_SPECIAL.sub(r"\\\g<0>", end) for end in found.groups() if end)


def _field(name: str) -> str:
    if name in SCOPE_FIELDS or (name.startswith(LABEL) and 0 < len(name) - len(LABEL) <= MAX_LABEL_NAME):
        if not name.isprintable():
            raise ValueError(f"{name!r}: the name of a label has no control or unprintable characters")
        return name
    if name.startswith("label."):
        raise ValueError(f"there is no {name!r}: write 'labels.{name.removeprefix('label.')}'")
    known = ", ".join((*SCOPE_FIELDS, f"{LABEL}NAME"))
    raise ValueError(f"there is no {name!r}; known: {known}, with names of at most {MAX_LABEL_NAME} characters")


ScopeField = Annotated[
    str,
    AfterValidator(_field),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({'|'.join(SCOPE_FIELDS)}|{re.escape(LABEL)}.{{1,{MAX_LABEL_NAME}}})$"}
    ),
]
"""One of SCOPE_FIELDS, or `labels.NAME`."""
Scope = Annotated[
    dict[ScopeField, Condition], Field(max_length=MAX_FIELDS, json_schema_extra={"additionalProperties": False})
]
"""Every condition must hold; the empty scope holds for everything."""


def in_scope(scope: Mapping[str, Condition], facts: Mapping[str, str]) -> bool:
    """Whether an entry with these facts (by ScopeField; absent is empty) belongs to the scope."""
    return all(condition.holds(facts.get(field, "")) for field, condition in scope.items())


def version_of(scope: Mapping[str, Condition], per: Iterable[str] = ()) -> int:
    """The first version of scopes whose readers understand this one: 1, or 2 for labels, source, region, several
    patterns at once, and values of more than 128 characters."""
    named = all(field in SCOPE_FIELDS_1 for field in (*scope, *per))
    plain = all(
        isinstance(condition.glob, (str, type(None)))
        and all(len(value) <= _MAX_CHARS_1 for value in (*(condition.any_of or ()), *(condition.none_of or ())))
        for condition in scope.values()
    )
    return 1 if named and plain else 2

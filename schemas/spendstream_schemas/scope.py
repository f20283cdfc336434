"""Scopes: filters over what an entry of the ledger says about itself. Budgets, silences and routes are given one."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from spendstream_schemas.attribution import ATTRIBUTION_FIELDS
from spendstream_schemas.types import Flag, Message, Text128

SCOPE_FIELDS: Final = (*ATTRIBUTION_FIELDS, "provider", "model", "category")
"""What a scope can look at. An entry that lacks one has the empty string there."""


def _short_forms_too(schema: dict[str, Any]) -> None:
    text = {"type": "string", "minLength": 1, "maxLength": 128}
    full = {key: schema.pop(key) for key in list(schema) if key != "description"}
    full["minProperties"] = full["maxProperties"] = 1
    schema["anyOf"] = [text, {"type": "array", "items": text, "minItems": 1}, full]


class Condition(Message):
    """One condition on one value; exactly one of the four is given, and all compare the whole value.

    In the short form a text, or a list of texts, stands for `any_of`.
    """

    model_config = ConfigDict(json_schema_extra=_short_forms_too)  # the rest is Message's

    any_of: Annotated[tuple[Text128, ...], Field(min_length=1, max_length=1000)] | None = None
    none_of: Annotated[tuple[Text128, ...], Field(min_length=1, max_length=1000)] | None = None
    glob: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)] | None = None
    """Shell pattern: * any text, ? one character, [abc] one of these."""
    missing: Flag | None = None  # true: only when there is no value; false: only when there is one

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"any_of": (value,)}
        return {"any_of": value} if isinstance(value, (list, tuple)) else value

    @field_validator("glob")
    @classmethod
    def _pattern_is_valid(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                _pattern(value)
            except re.error as error:
                raise ValueError(f"{value!r} is not a shell pattern: {error}") from None
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of: a value, a list of values, any_of, none_of, glob, missing")
        return self

    def holds(self, value: str) -> bool:
        """Whether it holds for this value; a missing one is the empty string."""
        if self.any_of is not None:
            return value in self.any_of
        if self.none_of is not None:
            return value not in self.none_of
        if self.glob is not None:
            return bool(value) and _pattern(self.glob).match(value) is not None
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


def glob_regex(glob: str) -> str:
    """The regular expression of a shell pattern, from the start of a text on, in the words that Python and RE2 share.

    A bracket that is not closed stands for itself.
    """
    return f"^(?s:{'.*'.join(_parts(glob))})"


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


ScopeField = Annotated[str, StringConstraints(pattern=f"^({'|'.join(SCOPE_FIELDS)})$")]
Scope = Annotated[dict[ScopeField, Condition], Field(max_length=len(SCOPE_FIELDS))]
"""Every condition must hold; the empty scope holds for everything."""


def in_scope(scope: Mapping[str, Condition], facts: Mapping[str, str]) -> bool:
    """Whether an entry with these facts (by SCOPE_FIELDS; absent is empty) belongs to the scope."""
    return all(condition.holds(facts.get(field, "")) for field, condition in scope.items())

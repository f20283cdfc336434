"""The form of `attribution.yaml`: what an operator may write, checked before anything is compiled.

A rule has conditions (`when`), a period (`valid_from`, `valid_to`) and exactly one action. Rules run in the order they
are written and each sees what the rules before it have set, so the file reads from top to bottom.
"""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from spendstream_schemas import ATTRIBUTION_FIELDS
from spendstream_schemas.scope import MAX_GLOBS, short_form
from spendstream_schemas.types import Text128
from stream_jobs.base.instants import as_utc

FILE_NAME: Final = "attribution.yaml"
SCHEMA_FILE_NAME: Final = "attribution-rules.schema.json"
MAX_RULES: Final = 2_000
MAX_PATTERN_CHARS: Final = 512
FACTS: Final = (
    "source",
    "provider",
    "model",  # the model that was served, or else the one that was asked for
    "operation",
    "kind",
    "service_tier",
    "region",
    "sku",
    "unit",
    "accelerator",
    "instance_type",
    "purchase_option",
)
"""What a rule can look at besides the attribution fields and `label.NAME`."""
LABEL_PREFIX: Final = "label."

Category = Literal["inference", "infrastructure", "development"]


def text_hint(value: Any) -> Any:
    """YAML reads an unquoted 0471 as the number 313 and `no` as false: say so instead of guessing back."""
    if value is not None and not isinstance(value, (str, dict, list)):
        raise ValueError(f"YAML read this as {type(value).__name__} {value!r}; put quotes around it to make it text")
    return value


def _instant(value: Any) -> Any:
    """A date means its first instant in UTC; a date with a time needs an offset."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a date (2026-04-01) or a time (2026-04-01T00:00:00Z)") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            if value.time() != time():
                raise ValueError(f"{value} has no UTC offset: write {value.isoformat()}Z if UTC is meant")
            return value.replace(tzinfo=UTC)
        return as_utc(value)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("is not a date (2026-04-01) or a time (2026-04-01T00:00:00Z)")


def _selector(name: str) -> str:
    """A fact, an attribution field, or `label.NAME`."""
    if name in FACTS or name in ATTRIBUTION_FIELDS or (name.startswith(LABEL_PREFIX) and name != LABEL_PREFIX):
        return name
    raise ValueError(f"there is no {name!r}; known: {', '.join((*FACTS, *ATTRIBUTION_FIELDS))}, label.NAME")


def _target(name: str) -> str:
    if name in ATTRIBUTION_FIELDS:
        return name
    raise ValueError(f"{name!r} cannot be set; rules set {', '.join(ATTRIBUTION_FIELDS)}")


Text = Annotated[Text128, BeforeValidator(text_hint)]
Pattern = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_PATTERN_CHARS), BeforeValidator(text_hint)]
Selector = Annotated[str, BeforeValidator(text_hint), AfterValidator(_selector)]
Target = Annotated[str, BeforeValidator(text_hint), AfterValidator(_target)]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant, json_schema_input_type=str),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Part):
    """One condition on one value. Exactly one of the four is given. All compare the whole value.

    The short forms are those of scopes: a text with a * or ? in it is a pattern.
    """

    any_of: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, description="Equal to one of these values."
    )
    glob: Pattern | Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=MAX_GLOBS)] | None = Field(
        None, description="Shell pattern, or several: * any text, ? one character, [abc] one of these."
    )
    regex: Pattern | None = Field(None, description="RE2 regular expression; its named groups can be used as ${name}.")
    missing: bool | None = Field(None, description="true: only when there is no value; false: only when there is one.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, (str, list, tuple)):
            return short_form(value)
        return value if isinstance(value, (dict, Match)) else {"any_of": (value,)}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.model_fields_set) != 1 or getattr(self, next(iter(self.model_fields_set))) is None:
            raise ValueError("give exactly one of: a value, a list of values, glob, regex, missing")
        return self


def _match_short_forms(schema: dict[str, Any]) -> None:
    """A value or a list of values stands for `any_of` or `glob`; editors should accept it too."""
    text = {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN_CHARS}
    full = {key: schema.pop(key) for key in list(schema) if key != "description"}
    full["minProperties"] = full["maxProperties"] = 1
    schema["anyOf"] = [text, {"type": "array", "items": text, "minItems": 1}, full]


Match.model_config["json_schema_extra"] = _match_short_forms


class Lookup(_Part):
    """Takes the value from a table."""

    table: Text = Field(description="Name of a table in `tables`.")
    by: Selector = Field(description="The value to look up: a fact, an attribution field or label.NAME.")


class Dated(_Part):
    """What every rule has: a name, conditions and a period."""

    name: Text = Field(description="Says in words what the rule is for; must be unique.")
    valid_from: Instant | None = Field(None, description="First instant (of occurred_at) the rule applies to.")
    valid_to: Instant | None = Field(None, description="First instant (of occurred_at) it no longer applies to.")
    when: dict[Selector, Match] = Field(default_factory=dict, description="All conditions must hold; none: always.")
    ignore_case: bool = Field(False, description="Compare in `when` and `rename` without regard to case.")

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            raise ValueError(f"valid_from {self.valid_from} is not before valid_to {self.valid_to}")
        return self


ACTIONS: Final = ("fill", "set", "rename", "lookup")


class Rule(Dated):
    """One step: conditions, a period and one action (fill, set, rename or lookup)."""

    fill: dict[Target, Text] | None = Field(None, description="Sets fields that have no value. ${...} is replaced.")
    set: dict[Target, Text] | None = Field(None, description="Sets fields whatever they hold. ${...} is replaced.")
    rename: dict[Target, dict[Text, Text]] | None = Field(None, description="Replaces values: {field: {old: new}}.")
    lookup: dict[Target, Lookup] | None = Field(None, description="Fills fields without a value from a table.")

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        if sum(bool(getattr(self, action)) for action in ACTIONS) != 1:
            raise ValueError(f"give exactly one of: {', '.join(ACTIONS)}")
        return self


class CategoryRule(Dated):
    """Puts what matches into a cost category, before the built-in rule is asked."""

    category: Category = Field(description="The cost category that it puts them into.")


class StackRule(Dated):
    """Puts what matches into a second level of its cost category, before the mapping that ships is asked."""

    category: Category = Field(description="The cost category that it divides.")
    subcategory: Text = Field(description="The second level that it puts them into; any name.")


class AttributionDocument(_Part):
    """Rules that say who a cost belongs to. See stream_jobs/attribution/README.md."""

    tables: dict[Text, Annotated[dict[Text, Text], Field(min_length=1)]] = Field(
        default_factory=dict, description="Named tables for `lookup`: {table: {value: result}}."
    )
    rules: tuple[Rule, ...] = Field(
        default=(), max_length=MAX_RULES, description="Run from first to last for every event."
    )
    categories: tuple[CategoryRule, ...] = Field(
        default=(),
        max_length=MAX_RULES,
        description="The first that matches decides the cost category; without a match the built-in rule does.",
    )
    cost_stack: tuple[StackRule, ...] = Field(
        default=(),
        max_length=MAX_RULES,
        description="The second level: the first of its category that matches decides; without a match the mapping "
        "that ships does (stream_jobs/attribution/cost_stack.yaml).",
    )

    model_config = ConfigDict(title="spendstream attribution rules")

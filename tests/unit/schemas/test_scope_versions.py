"""What an SDK of version 0.1.0 makes of a policy: its reader of scopes, as it was, beside what we write."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from spendstream_schemas.budget_feed import BUDGET_RECORD, BudgetPolicy, policy_key, record_key
from spendstream_schemas.scope import MAX_FIELDS, SCOPE_FIELDS, SCOPE_FIELDS_1, Condition, version_of
from spendstream_schemas.types import Flag, Text128

OldField = Annotated[str, StringConstraints(pattern=f"^({'|'.join(SCOPE_FIELDS_1)})$")]
OldTexts = Annotated[tuple[Text128, ...], Field(min_length=1, max_length=1000)]


class OldCondition(BaseModel):
    """Of 0.1.0, but for its short forms, which no record has."""

    model_config = ConfigDict(extra="forbid")

    any_of: OldTexts | None = None
    none_of: OldTexts | None = None
    glob: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)] | None = None
    missing: Flag | None = None


class OldPolicy(BaseModel):
    """Of 0.1.0: what concerns the scope."""

    schema_version: Literal[1] = 1
    scope: Annotated[dict[OldField, OldCondition], Field(max_length=13)]
    per: Annotated[tuple[OldField, ...], Field(max_length=13)] = ()


NAMES = st.sampled_from([*SCOPE_FIELDS, "labels.tenant", "labels.team", "labels.a.b"])
TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=4) | st.sampled_from(
    ["x" * 128, "x" * 129, "x" * 256]
)
CONDITIONS = st.one_of(
    *(st.fixed_dictionaries({kind: st.lists(TEXTS, min_size=1, max_size=2)}) for kind in ("any_of", "none_of", "glob")),
    st.fixed_dictionaries({"glob": TEXTS}),
    st.fixed_dictionaries({"missing": st.booleans()}),
)


def reads(reader: Any, policy: BudgetPolicy) -> bool:
    try:
        reader.model_validate_json(policy.model_dump_json(exclude_none=True))
    except ValidationError:
        return False
    return True


@given(st.dictionaries(NAMES, CONDITIONS, max_size=MAX_FIELDS), st.lists(NAMES, unique=True, max_size=4))
def test_what_stands_under_the_old_key_is_what_the_old_reader_understands(
    scope: dict[str, Any], per: list[str]
) -> None:
    """All of it, and nothing else: else it would go on with what the budget demanded before, and nobody would know."""
    try:
        given = {name: Condition.model_validate(condition) for name, condition in scope.items()}
    except ValidationError:
        return  # a pattern that is none
    version = version_of(given, per)
    policy = BudgetPolicy(
        schema_version=2 if version == 2 else 1, budget_id="b", scope=given, per=tuple(per), amount_usd=Decimal(1)
    )
    assert record_key(policy) == policy_key("b", version)
    assert reads(OldPolicy, policy) is (record_key(policy) == "policy/b")
    raw = policy.model_dump_json(exclude_none=True).encode()
    assert BUDGET_RECORD.validate_json(raw) == policy

"""What `spendstream alerts silence --scope` takes."""

from typing import Any

import pytest
from pydantic import ValidationError

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.cli.alerts_asking import _condition


@pytest.mark.parametrize(
    ("text", "field", "condition"),
    [
        ("team=search", "team", {"any_of": ("search",)}),
        ("team=load-*", "team", {"glob": "load-*"}),
        ("team=a=b", "team", {"any_of": ("a=b",)}),
        ("labels.a.b=x", "labels.a.b", {"any_of": ("x",)}),
        ('team={any_of: ["load-*"]}', "team", {"any_of": ("load-*",)}),
        ('team={glob: "[ab]*"}', "team", {"glob": "[ab]*"}),
        ("team={missing: true}", "team", {"missing": True}),
    ],
)
def test_a_scope_is_written_as_in_alerts_yaml(text: str, field: str, condition: dict[str, Any]) -> None:
    """So the way that a refusal prints can be typed as it stands."""
    name, value = _condition(text)
    assert (name, Condition.model_validate(value)) == (field, Condition(**condition))


@pytest.mark.parametrize("text", ["team", "=x", "team={any_of: [", "team={"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    """With what it must look like, or the line that is no YAML."""
    with pytest.raises(ConfigError, match=r"--scope"):
        _condition(text)


def test_brackets_are_refused_with_what_to_type() -> None:
    """A silence that holds for nothing would be found out in the night."""
    name, value = _condition("team=team-[ab]")
    with pytest.raises(ValidationError, match=r"write \{glob: 'team-\[ab\]'\}") as refusal:
        Condition.model_validate(value)
    advised = str(refusal.value).partition("write ")[2].partition(" if ")[0]
    assert Condition.model_validate(_condition(f"{name}={advised}")[1]).holds("team-a")

"""A YAML file as a checked model."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict

from stream_jobs.base.documents import checked
from stream_jobs.base.errors import ConfigError
from stream_jobs.base.yaml_files import parse_yaml_bytes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    at: date | None = None
    factor: Decimal | None = None
    anything: Any = None
    size: Annotated[int, BeforeValidator(lambda value: value + 1)] = 0


class _File(BaseModel):
    parts: tuple[_Part, ...]


def _problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        checked(parse_yaml_bytes(text.encode(), "f.yaml"), _File)
    return list(caught.value.problems)


def test_a_value_that_cannot_be_read_hides_nothing_else() -> None:
    """It is named once, as what it is, and so is all that does not fit."""
    text = "parts:\n- {name: a, at: 2026-13-01}\n- {name: b, factor: .inf, colour: red}\n- {name: [c], at: tomorrow}"
    found = _problems(text)
    assert [problem.split(": ")[0] for problem in found] == ["f.yaml:2", "f.yaml:3", "f.yaml:3", "f.yaml:4", "f.yaml:4"]
    assert "month must be in 1..12" in found[0]
    assert "'.inf' is not a number" in found[1]
    assert "parts[1] 'b'.colour" in found[2]


@pytest.mark.parametrize("value", ["anything: .nan", "size: .nan"])
def test_no_model_takes_what_cannot_be_read(value: str) -> None:
    """Not where it takes anything, nor where a validator fails of what stands for it."""
    assert _problems(f"parts:\n- {{name: a, {value}}}") == ["f.yaml:2: is not valid YAML: '.nan' is not a number"]

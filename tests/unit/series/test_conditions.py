"""What NAME=VALUE stands for after a flag, whichever command takes it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spendstream_schemas.scope import Condition
from stream_jobs.base.errors import ConfigError
from stream_jobs.series.conditions import conditions

_PRINTED = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
texts = st.text(_PRINTED, min_size=1, max_size=40).filter(str.isprintable)


def typed(*said: str) -> dict[str, Condition]:
    return conditions(said, "--scope")


@pytest.mark.parametrize(
    ("said", "name", "condition"),
    [
        (["team=search"], "team", {"any_of": ("search",)}),
        (["team=load-*"], "team", {"glob": "load-*"}),
        (["team=a=b"], "team", {"any_of": ("a=b",)}),
        (["labels.a.b=x"], "labels.a.b", {"any_of": ("x",)}),
        (["team="], "team", {"missing": True}),
        (["team=a", "team=b"], "team", {"any_of": ("a", "b")}),
        (["team=a*", "team=b"], "team", {"glob": ("a*", "b")}),
        (["team=a]"], "team", {"any_of": ("a]",)}),
        (['team={any_of: ["load-*"]}'], "team", {"any_of": ("load-*",)}),
        (['team={"any_of": ["load-*"]}'], "team", {"any_of": ("load-*",)}),
        (['team={"none_of": ["\\ud83d\\ude80"]}'], "team", {"none_of": ("🚀",)}),
        (['team={glob: "[ab]*"}'], "team", {"glob": "[ab]*"}),
        (["team={missing: true}"], "team", {"missing": True}),
        (['team=["a", "b"]'], "team", {"any_of": ("a", "b")}),
        (['team=["a*"]'], "team", {"glob": "a*"}),
    ],
)
def test_a_condition_is_written_as_in_the_files(said: list[str], name: str, condition: dict[str, Any]) -> None:
    """So the way that a refusal prints can be typed as it stands."""
    assert typed(*said) == {name: Condition(**condition)}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["team"], "write NAME=VALUE, such as team=search"),
        (["=x"], "write NAME=VALUE"),
        ([""], "write NAME=VALUE"),
        (["team={any_of: ["], "is not valid YAML"),
        (["team={"], "is not valid YAML"),
        (["team={not json"], "is not valid YAML"),
        (['team={"any_of": ["a"], "any_of": ["b"]}'], "any_of"),
        (["team={}"], "give exactly one of"),
        (['team={"nonsense": 1}'], "--scope team"),
        (['team={"glob": 5}'], "--scope team"),
        (["team=[]"], "can be meant in two ways"),
        (["team=[ab]"], "can be meant in two ways"),
        (["team=" + "x" * 9999], "at most 256"),
        (["team=" + "[" * 9999], "at most 256"),
        (["team={" * 5000], "--scope team"),
        (["team=\ud800"], "--scope team"),
        (["team={\ud800}"], "is not UTF-8"),
        (["team=a", "team="], "is given several times"),
        (["team=a", 'team={none_of: ["b"]}'], "is given several times"),
        (["team=a", 'team=["b"]'], "is given several times"),
    ],
)
def test_what_is_no_condition_is_refused(said: list[str], why: str) -> None:
    """With the flag, what it must look like, or the line that is no YAML: a silence that holds for nothing, or for
    another thing than was meant, would be found out in the night."""
    with pytest.raises(ConfigError, match=r"--scope") as refusal:
        typed(*said)
    assert why in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_brackets_are_refused_with_what_to_type() -> None:
    """Nobody can tell whether they are a pattern's."""
    with pytest.raises(ConfigError, match=r"write \{glob: 'team-\[ab\]'\}") as refusal:
        typed("team=team-[ab]")
    advised = str(refusal.value).partition("write ")[2].partition(" if ")[0]
    assert typed(f"team={advised}")["team"].holds("team-a")


@given(st.lists(texts, min_size=1, max_size=3), st.sampled_from(["any_of", "none_of"]))
@example(["{"], "any_of")
def test_any_text_can_be_said(values: list[str], kind: str) -> None:
    """As JSON whatever characters it has; plain, if none of them has a meaning."""
    condition = Condition.model_validate({kind: values})
    for ascii_only in (True, False):
        assert typed(f"team={json.dumps({kind: values}, ensure_ascii=ascii_only)}") == {"team": condition}
    if kind == "any_of" and not any(set(value) & set("*?[{") for value in values):
        assert typed(*(f"team={value}" for value in values)) == {"team": condition}


@given(st.lists(st.text(max_size=30), max_size=3))
def test_whatever_is_typed_is_a_condition_or_refused(said: list[str]) -> None:
    """Never anything else."""
    try:
        found = typed(*said)
    except ConfigError:
        return
    assert set(found) == {text.partition("=")[0] for text in said}

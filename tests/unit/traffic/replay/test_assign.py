"""Attribution by rules."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from spendstream_traffic.replay.assign import load_rules
from stream_jobs.base.errors import ConfigError

YAML = """
seed: s
rules:
  - field: team
    round_robin: [search, support, growth]
  - field: project
    by: team
    weights: {chat: 1, rag: 1, batch: 1}
  - field: environment
    weights: {production: 9, staging: 1}
  - field: user_id
    numbered: {prefix: user-, count: 50}
  - field: labels.region
    value: eu
"""


def deal(path: Path, count: int) -> list[dict[str, Any]]:
    rules = load_rules(path)
    dealt = []
    for number in range(count):
        attribution: dict[str, Any] = {}
        rules.fill(attribution, f"event-{number}", number)
        dealt.append(attribution)
    return dealt


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(YAML)
    return path


def test_lists_are_dealt_in_turn_and_weights_are_kept(rules_file: Path) -> None:
    """With 3,000 events a share of 10 % lies within 10 +- 2.2 (four standard deviations)."""
    dealt = deal(rules_file, 3000)
    assert set(Counter(item["team"] for item in dealt).values()) == {1000}
    staging = sum(item["environment"] == "staging" for item in dealt) / 3000
    assert 0.078 < staging < 0.122
    assert len({item["user_id"] for item in dealt}) == 50
    assert all(item["labels"] == {"region": "eu"} for item in dealt)


def test_by_another_field_gives_it_the_same_value_always(rules_file: Path) -> None:
    """A team works on one project."""
    assert len({(item["team"], item["project"]) for item in deal(rules_file, 300)}) == 3


def test_dealing_is_repeatable_and_the_seed_changes_it(rules_file: Path) -> None:
    """Hashes, not random numbers: the same in every process."""
    first = deal(rules_file, 200)
    assert deal(rules_file, 200) == first
    rules_file.write_text(YAML.replace("seed: s", "seed: t"))
    assert deal(rules_file, 200) != first


def test_what_is_there_is_kept(rules_file: Path) -> None:
    """Rules fill, they do not overwrite."""
    attribution: dict[str, Any] = {"team": "own", "labels": {"region": "us"}}
    load_rules(rules_file).fill(attribution, "e", 0)
    assert attribution["team"] == "own"
    assert attribution["labels"] == {"region": "us"}


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("rules: [{field: teem, value: a}]", "'teem' is no attribution field"),
        ("rules: [{field: team}]", "give exactly one of"),
        ("rules: [{field: team, value: a, round_robin: [b]}]", "give exactly one of"),
        ("rules: [{field: team, by: project, value: a}]", "by goes with weights or numbered"),
        ("rules: [{field: team, weights: {a: 0}}]", "greater than or equal to 1"),
        ("rules: []", "at least 1 item"),
        ("nothing: 1", "rules: Field required"),
        ("", "rules: Field required"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(tmp_path: Path, yaml: str, problem: str) -> None:
    """With the file's name and what to do."""
    path = tmp_path / "rules.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError, match=r"rules\.yaml") as caught:
        load_rules(path)
    assert problem in str(caught.value)

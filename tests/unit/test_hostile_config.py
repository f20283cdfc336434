"""Whatever a config file holds, checking it gives one kind of error, with file and line, within seconds."""

# ruff: noqa: E501 - lists of values read best as they are

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_jobs.config_check import check_config
from tests.fuzz import examples
from tests.unit.hostile_yaml import EXAMPLES, bomb, mutated

SLOW_S = 5.0


def problems(folder: Path, name: str) -> list[str]:
    """Of check-config, which is given this file alone; each must name it and a line in it."""
    began = time.process_time()
    found = check_config(folder).problems
    assert time.process_time() - began < SLOW_S
    lines = max(1, len((folder / name).read_bytes().splitlines()))
    for problem in found:
        place = re.match(rf"{re.escape(str(folder / name))}:(\d+): (.+)", problem)
        assert place is not None, problem
        assert 1 <= int(place[1]) <= lines, problem
        assert "cannot be used: " not in problem, f"a validator lets this through: {problem}"
        assert problem.isprintable(), problem
    return found


def folder_with(root: Path, name: str, content: bytes) -> Path:
    folder = root / "config"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
@settings(max_examples=examples(20), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_file_is_fine_or_refused_with_its_line(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Never another exception, never slow, and never without a place to look at."""
    content = data.draw(mutated(EXAMPLES[name].read_bytes()))
    problems(folder_with(tmp_path_factory.getbasetemp() / "fuzz", name, content), name)


@pytest.mark.slow
def test_what_would_take_for_ever_is_refused_at_once(tmp_path: Path) -> None:
    """Aliases that stand for 10**30 values, nesting, more values than any rate card has, and a gigabyte of nothing."""
    name = "attribution.yaml"
    for text, message in (
        (bomb(), "holds more than 400,000 values"),
        ("a: " + "[" * 100_000, "is nested more than 40 deep"),
        ("- " * 100_000, "is nested more than 40 deep"),
        ("a: &a {b: *a}", "stands for what it is a part of"),
        ("[" + "a," * 500_000 + "]", "holds more than 400,000 values"),
        ("%TAG !a! x\n" * 100_000, "more than 100 directives"),
        ("a: 1" + ":59" * 1_000_000, "is not a number"),
        ("a: 0x" + "f" * 1_000_000, "it has 1000002 characters"),
        ("a: 1\n---\nb: 2", "begins a second document"),
    ):
        (found,) = problems(folder_with(tmp_path, name, text.encode()), name)
        assert message in found
    with (folder_with(tmp_path, name, b"") / name).open("wb") as file:
        file.truncate(2**30)  # sparse: it takes no room
    assert check_config(tmp_path / "config").problems == [
        f"{tmp_path / 'config' / name}: is larger than 8,388,608 bytes; is it the right file?"
    ]


@pytest.mark.parametrize("name", ["attribution.yaml", "budgets.yaml", "alerts.yaml", "overlays/ours.yaml"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop", "link to nowhere", "unreadable"])
def test_what_is_no_file_is_an_error_and_not_overlooked(tmp_path: Path, name: str, kind: str) -> None:
    """A pipe that nobody writes to does not hang, /dev/zero does not fill the memory, and a link to a file that is gone
    is not taken for no rules at all."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
        path.write_text("")
        path.chmod(0)
    else:
        path.symlink_to({"device": "/dev/zero", "loop": path.name, "link to nowhere": "gone.yaml"}[kind])
    found = check_config(tmp_path).problems
    assert [problem for problem in found if problem.startswith(f"{path}: cannot be read: ")] == found != []


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    """Also what is no text in any encoding; what is wrong in it is said all the same."""
    for kind, text in (("overlays", "overlays: []"), ("rate_cards", "5")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / os.fsdecode(b"\xff\x1b]52;c;x\x07\n.yaml")).write_text(text)
    (problem,) = check_config(tmp_path).problems
    assert problem.isprintable()
    assert "rate_cards" in problem


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("overlays/a.yaml", "overlays:\n- name: a\n  valid_from: 2026-11-31\n  multiplier: 1", "cannot be read as a date"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  valid_from: '2026-11-31'\n  multiplier: 1", "is not a date"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  valid_to: 0001-01-01T00:00:00+23:59", "out of range in UTC"),
        ("overlays/a.yaml", "overlays:\n\n- name: a\n  discount_percent: '1e-999999999'", "digits"),
        ("overlays/a.yaml", "overlays:\n\n- name: a\n  discount_percent: 1.e-9999", "is out of range"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  multiplier: 1\n  source: <<", "merge"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  multiplier: 1\n  source: !!binary aGk=", "binary"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  multiplier: 1\n  {a: 1}: b", "a key must be a text"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  multiplier: 1\n  <<: 5", "merge keys (<<) are not supported"),
        ("overlays/a.yaml", "overlays:\n- name: a\n  multiplier: 1\n  ? |\n   b\n   c\n  : 5", "Extra inputs are not permitted"),
        ("alerts.yaml", "receivers:\n- {name: a, type: pagerduty,\n   routing_key_env: A, timezone: ../../etc/passwd}", "is not a time zone"),
        ("alerts.yaml", 'receivers:\n- {name: a, type: pagerduty,\n   routing_key_env: A, timezone: "\\0"}', "is not a time zone"),
        ("budgets.yaml", "\n\ntimezone: ../../etc/passwd", "there is no time zone"),
        ("budgets.yaml", '\n\ntimezone: "\\ud800"', "invalid Unicode character"),
        ("attribution.yaml", "rules:\n- name: a\n  valid_to: 0001-01-01T00:00:00+23:59\n  fill: {team: x}", "out of range in UTC"),
        ("attribution.yaml", "rules:\n- name: a\n  when: {source: {regex: '('}}\n  fill: {team: x}", "RE2"),
    ],
)  # fmt: skip
def test_the_line_is_the_one_to_change(tmp_path: Path, name: str, text: str, message: str) -> None:
    """Of what is wrong in one value, the line of this value (or of the entry that holds it)."""
    found = problems(folder_with(tmp_path, name, text.encode()), name)
    assert any(message in problem for problem in found), found
    assert not any(problem.startswith(f"{tmp_path / 'config' / name}:1:") for problem in found), found

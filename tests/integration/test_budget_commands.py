"""`spendstream budgets list|show|set|remove|reset` against a running pipeline, as a user calls them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.integration.pipeline import Pipeline, until, usage_event

FILE = """
budgets:
  - {id: company, name: Company, amount: 100, period: month, thresholds: [5, 50]}
  - {id: team-t, name: Team T, amount: "12.345678901234", period: month, scope: {team: t}, parent: company}
  - {id: users, name: Each user, amount: 1, period: day, per: [user_id], thresholds: [100]}
"""
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """With four events of USD 2.50 each, three of them Bob's, and one that has no price."""
    data_dir = tmp_path_factory.mktemp("pipeline")
    (data_dir / "config").mkdir()
    (data_dir / "config" / "budgets.yaml").write_text(FILE)
    pipeline = Pipeline(data_dir)
    try:
        pipeline.start()
        pipeline.send_events(
            *[event(n, "bob" if n else "ann") for n in range(4)], event(4, "ann", model="nobody-knows")
        )
        until(lambda: spent(pipeline, "company") + held(pipeline) == 11, TIMEOUT_S, "the budgets have counted")
        yield pipeline
        pipeline.stop()
    finally:
        pipeline.kill()


def event(number: int, user: str, **more: Any) -> dict[str, Any]:
    attribution = {"team": "t", "user_id": user, "project": "p"}
    at = (datetime.now(UTC) - timedelta(seconds=number)).isoformat()
    return usage_event(f"e{number}", occurred_at=at, attribution=attribution, **more)


def run(pipeline: Pipeline, action: str, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and error."""
    done = commands.run("budgets", action, *arguments, "--data-dir", str(pipeline.data_dir), stdin=stdin)
    return done.returncode, done.stdout, done.stderr


def ok(pipeline: Pipeline, action: str, *arguments: str, stdin: str = "") -> str:
    code, out, err = run(pipeline, action, *arguments, stdin=stdin)
    assert (code, err) == (0, "")
    return out


def refused(pipeline: Pipeline, action: str, *arguments: str, stdin: str = "") -> str:
    """By the job, which was asked: exit code 1; else, because nothing could be asked, 2."""
    code, out, err = run(pipeline, action, *arguments, stdin=stdin)
    assert (code, out) == (1 if "was refused: " in err else 2, "")
    return err


def listed(pipeline: Pipeline) -> dict[str, Any]:
    return {line["id"]: line for line in map(json.loads, ok(pipeline, "list", "--json").splitlines())}


def spent(pipeline: Pipeline, budget_id: str) -> Decimal:
    rows = pipeline.rows(f"SELECT sum(spent) FROM budget_status WHERE budget_id = '{budget_id}'")
    return Decimal(rows[0][0])


def held(pipeline: Pipeline) -> Decimal:
    return Decimal(pipeline.value("SELECT sum(held) FROM budget_status WHERE budget_id = 'company'"))


def test_the_list_says_where_each_budget_stands(pipeline: Pipeline) -> None:
    """Children below their parents; of a budget per value the one that has used most; exact figures in JSON."""
    lines = ok(pipeline, "list").splitlines()
    names = [line for line in lines if any(name in line for name in ("company", "team-t", "users"))]
    assert [next(name for name in ("company", "team-t", "users") if name in line) for line in names] == [
        "company",
        "team-t",
        "users",
    ]
    assert "bob and 1 more" in names[2]
    found = listed(pipeline)
    assert found.keys() == {"company", "team-t", "users"}
    assert found["team-t"]["budget"]["amount"] == "12.345678901234"
    standing = found["company"]["standing"]
    assert Decimal(standing["spent"]) == 10
    assert Decimal(standing["held"]) == 1
    assert standing["unpriced_events"] == 1
    assert found["users"]["values"] == 2
    assert (found["users"]["standing"]["vals"], Decimal(found["users"]["standing"]["spent"])) == (
        ["bob"],
        Decimal("7.5"),
    )


def test_one_budget_is_shown_with_what_it_crossed_and_who_spends(pipeline: Pipeline) -> None:
    """For people and for machines."""
    text = ok(pipeline, "show", "company")
    for part in ("Company (company), set by the file", "$10.00", "$1.00 (1 event)", "5 %", "crossed", "user_id bob"):
        assert part in text, part
    found = json.loads(ok(pipeline, "show", "company", "--json"))
    assert found["id"] == "company"
    assert [Decimal(row["threshold"]) for row in found["crossings"] if row["kind"] == "actual"] == [5]
    assert datetime.fromisoformat(found["crossings"][0]["at"]).utcoffset() == timedelta(0)
    assert found["causes"][0].startswith("user_id bob: $7.50")
    assert {tuple(item["vals"]) for item in json.loads(ok(pipeline, "show", "users", "--json"))["standings"]} == {
        ("ann",),
        ("bob",),
    }


def test_what_is_set_counts_within_a_second_and_until_it_is_reset(pipeline: Pipeline) -> None:
    """To the last digit, with who and why; then the file counts again."""
    assert ok(pipeline, "set", "team-t", "--amount", "9.000000000001", "--note", "board") == "set team-t\n"
    found = listed(pipeline)["team-t"]
    assert (found["origin"], found["note"], found["budget"]["amount"]) == ("control", "board", "9.000000000001")
    until(lambda: amount(pipeline, "team-t") == Decimal("9.000000000001"), TIMEOUT_S, "the new amount")
    assert "(set)" in ok(pipeline, "list")
    answer = json.loads(ok(pipeline, "reset", "team-t", "--json"))
    assert answer["budget"] == "team-t"
    until(lambda: amount(pipeline, "team-t") == Decimal("12.345678901234"), TIMEOUT_S, "the file's amount")
    assert listed(pipeline)["team-t"]["origin"] == "file"


def amount(pipeline: Pipeline, budget_id: str) -> Decimal | None:
    rows = pipeline.rows(f"SELECT amount FROM budget_status WHERE budget_id = '{budget_id}'")
    return Decimal(rows[0][0]) if rows else None


def test_a_budget_can_be_made_and_removed(pipeline: Pipeline, tmp_path: Path) -> None:
    """From a file or from standard input, in YAML or JSON; numbers keep their digits."""
    path = tmp_path / "new.yaml"
    path.write_text("{id: new, name: New, amount: 0.1, period: {rolling: 24h}}")
    text = '{"id": "new", "name": "New", "amount": 0.1, "period": "week"}'
    for arguments, stdin in ((str(path), ""), ("-", text)):
        assert ok(pipeline, "set", arguments, stdin=stdin) == "set new\n"
        assert listed(pipeline)["new"]["budget"]["amount"] == "0.1"
        until(lambda: spent(pipeline, "new") == 10, TIMEOUT_S, "it has counted what was there")
        ok(pipeline, "show", "new")
        assert ok(pipeline, "remove", "new") == "removed new\n"
        assert "new" not in listed(pipeline)
        assert "there is no budget 'new'" in refused(pipeline, "show", "new")


def test_other_fields_in_per_leave_no_old_rows(pipeline: Pipeline) -> None:
    """The budget looks at something else now; `show` does not stumble over what it was."""
    document = {"id": "users", "name": "Each", "amount": 3, "period": "day", "per": ["user_id", "team"]}
    ok(pipeline, "set", "-", stdin=json.dumps(document))
    try:
        until(lambda: spent(pipeline, "users") == 10, TIMEOUT_S, "the new values")
        found = json.loads(ok(pipeline, "show", "users", "--json"))
        assert {tuple(item["vals"]) for item in found["standings"]} == {("ann", "t"), ("bob", "t")}
    finally:
        ok(pipeline, "reset", "users")
    until(lambda: spent(pipeline, "users") == 10, TIMEOUT_S, "the old values")


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("show", "nobody"), "", "there is no budget 'nobody'; there are company, team-t, users"),
        (("set", "nobody", "--amount", "5"), "", "there is no budget 'nobody'"),
        (("set", "nobody"), "", "nobody is no file; give a file with one budget"),
        (("set", "company", "--amount", "much"), "", "budget 'company': amount"),
        (("set", "-"), "{", "standard input:1: is not valid YAML"),
        (("set", "-"), "[1]", "standard input:1: Input should be"),
        (("set", "-"), "{id: x, name: X, amount: 1, period: day, parent: nobody}", "the change of x was refused"),
        (("remove", "company"), "", "the change of company was refused"),
        (("remove", "nobody"), "", "the change of nobody was refused: there is no such budget"),
        (("remove", "NO/BODY"), "", "NO/BODY: "),
        (("reset", "company"), "", "was refused: nothing was set or removed while running"),
    ],
)
def test_what_cannot_be_done_is_said(pipeline: Pipeline, arguments: tuple[str, ...], stdin: str, said: str) -> None:
    """In one line that says what is wrong, without a traceback; and nothing has changed."""
    assert said in refused(pipeline, *arguments, stdin=stdin)
    if "was refused" in said:
        code, out, err = run(pipeline, *arguments, "--json", stdin=stdin)
        assert (code, err) == (1, "")
        assert json.loads(out)["refused"]
    assert listed(pipeline).keys() == {"company", "team-t", "users"}
    assert listed(pipeline)["company"]["standing"] is not None


def test_a_change_that_nobody_takes_up_is_said(pipeline: Pipeline) -> None:
    """It may be taken up later."""
    said = refused(pipeline, "reset", "company", "--timeout", "0")  # which would be refused
    assert "nobody has taken it up within 0 s: does the job 'budgets' run?" in said


def test_without_a_pipeline_it_is_said_where_one_was_looked_for(pipeline: Pipeline, tmp_path: Path) -> None:
    """Not a traceback: of the command as people start it."""
    done = pipeline.run("budgets", "list", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr

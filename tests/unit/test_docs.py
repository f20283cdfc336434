"""The documentation says what the code does: commands, flags, columns, reasons, examples and links are compared."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import spendstream
import stream_jobs.cli
from spendstream.cli import new_parser
from spendstream_schemas import InvalidReason, UnpricedReason, UsageEvent, parse_usage_event
from stream_jobs.config_check import check_config
from stream_jobs.store.tables import TABLES as STORE_TABLES
from tests.unit.pages import (
    BAD_INPUT,
    COMMANDS,
    EVENTS,
    PAGES,
    PRICES,
    ROOT,
    TABLES,
    blocks,
    code,
    name_of,
    section,
    text_of,
)

ROLLUPS = {
    **{"0003_cost_1m": "cost_1m", "0004_cost_1h": "cost_1h", "0005_cost_1d": "cost_1d"},
    "0040_operations_1d": "operations_1d",
}


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's subcommands by name."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    """The command's whole parser, built as `run_command` builds it."""
    parser = new_parser()
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in stream_jobs.cli.COMMANDS:
        module = __import__(f"stream_jobs.cli.{name}", fromlist=["add_parser"])
        module.add_parser(subparsers)
    return parser


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    """All long options of a parser and its actions; of --x and --no-x only --x."""
    found = {
        next(option for option in action.option_strings if option.startswith("--"))
        for action in parser._actions
        if action.option_strings
    }
    return found.union(*(flags_of(child) for child in subparsers_of(parser).values())) - {"--help"}


def command_rows() -> dict[str, str]:
    """The rows of each command in the table of commands, by the command's name: its actions may have one each."""
    rows: dict[str, str] = {}
    for line in section(COMMANDS, "Commands").splitlines():
        if found := re.match(r"\| `spendstream ([a-z-]+)", line):
            rows[found[1]] = rows.get(found[1], "") + line
    return rows


def test_every_command_and_flag_is_documented_and_exists(parser: argparse.ArgumentParser) -> None:
    """The table of commands names each command with exactly the flags it has."""
    rows = command_rows()
    commands = subparsers_of(parser)
    assert rows.keys() == commands.keys()
    for name, command in commands.items():
        documented = set(re.findall(r"--[a-z][a-z-]*", rows[name]))
        assert documented == flags_of(command), name
        for action in subparsers_of(command):
            assert re.search(rf"\b{action}\b", rows[name]), f"{name} {action}"


def shell_commands() -> Iterator[list[str]]:
    """Each call of `spendstream` in the documents' shell examples, as arguments."""
    for page in PAGES:
        text = text_of(page)
        for block in blocks(text, "") + blocks(text, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("spendstream "):
                    words = shlex.split(line, comments=True)
                    ends = [at for at, word in enumerate(words) if word in ("&", "|", ">", "<<<", "<")]
                    yield words[1 : min(ends, default=len(words))]


def test_the_commands_shown_can_be_called(parser: argparse.ArgumentParser) -> None:
    """Every call of `spendstream` in a shell example is one the command line accepts."""
    calls = list(shell_commands())
    assert len(calls) >= 20
    for arguments in calls:
        try:
            parser.parse_args(arguments)
        except SystemExit:
            pytest.fail(f"spendstream {shlex.join(arguments)}")


def test_the_bad_input_table_names_every_reason() -> None:
    """Every way to refuse a record has a row of its own, and no row names a reason that does not exist."""
    last_cells = [line.rsplit("|", 2)[1] for line in text_of(BAD_INPUT).splitlines() if line.startswith("| ")]
    named = code(" ".join(last_cells).replace(",", " ")) - {"reason"}
    invalid, unpriced = {reason.value for reason in InvalidReason}, {reason.value for reason in UnpricedReason}
    assert invalid <= named
    assert named <= invalid | unpriced


def test_every_unpriced_reason_is_explained() -> None:
    """The page on prices lists each reason for which usage can be unpriced."""
    assert {reason.value for reason in UnpricedReason} <= code(section(PRICES, "What is unpriced rather than guessed"))


def columns_of_migration(name: str) -> set[str]:
    """The columns of the CREATE TABLE in a migration."""
    text = (ROOT / "sql" / "migrations" / f"{name}.sql").read_text(encoding="utf-8")
    body = text.partition("\n(\n")[2].partition("\n)\n")[0]
    found = set(re.findall(r"^    ([a-z_0-9]+) [A-Z]", body, re.MULTILINE))
    assert len(found) > 10, name
    return found


def test_every_column_is_documented_and_exists() -> None:
    """The page of tables lists exactly the columns of the ledger, the rollups and the quarantine."""
    parts = re.split(r"^\*\*", section(TABLES, "Tables and columns"), flags=re.MULTILINE)
    ledger, rollups, quarantine = (part for part in parts if part.startswith(("`ledger", "`cost_1m", "`quarantine")))
    assert code("".join(line for line in ledger.splitlines() if line.startswith("| "))) == columns_of_migration(
        "0001_ledger"
    ) - {"INDEX"}
    assert set(STORE_TABLES["ledger"].names) <= code(ledger)
    columns = set[str]().union(*(columns_of_migration(name) for name in ROLLUPS))
    assert code(rollups) - set(ROLLUPS.values()) == columns
    assert set(STORE_TABLES["quarantine"].names) <= code(quarantine)


def test_every_view_is_documented() -> None:
    """Each analyst view stands in the table for analysts."""
    assert {path.stem for path in (ROOT / "sql" / "views").glob("*.sql")} <= code(section(TABLES, "Views"))


def test_the_example_event_is_valid() -> None:
    """The page's event is accepted by producers and consumers, without an unknown field."""
    (text,) = blocks(section(EVENTS, "The event"), "json")
    parsed = parse_usage_event(text.encode())
    assert parsed.unknown_fields == ()
    assert UsageEvent.model_validate_json(text) == parsed.message
    complete = set(UsageEvent.model_fields) - {"retry_of", "prompt_fingerprint", "stated_cost_usd"}
    assert json.loads(text).keys() == complete, "it is said to be complete"


def test_the_yaml_examples_are_a_valid_config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written to the files that their first lines name, the pages' examples pass `spendstream check-config`."""
    named: dict[str, str] = {}
    for example in (example for page in PAGES for example in blocks(text_of(page), "yaml")):
        if found := re.match(r"# ([a-z_0-9/]+\.yaml)\b", example):
            assert found[1] not in named, "two examples of one file"
            named[found[1]] = example
    assert named.keys() >= {"attribution.yaml", "budgets.yaml", "alerts.yaml", "overlays/2026.yaml"}
    for name, example in named.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(example.replace("/run/secrets/", f"{tmp_path}/secret-"), encoding="utf-8")
    (tmp_path / "secret-slack").write_text("https://hooks.slack.com/services/T0/B0/x")
    monkeypatch.setenv("PAGERDUTY_KEY", "0" * 32)
    report = check_config(tmp_path)
    assert (report.problems, report.warnings) == ([], [])


def test_the_python_examples_use_what_exists() -> None:
    """The examples compile, and what they take from `spendstream` is public."""
    for page in PAGES:
        for example in blocks(text_of(page), "python"):
            compile(example, str(page), "exec")
            for name in re.findall(r"\bspendstream\.([A-Za-z_]+)", example):
                assert name in spendstream.__all__ or name == "adapters", f"{page}: spendstream.{name}"


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    """Every relative link of a page leads to a file of the checkout, and to a heading where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(path), target

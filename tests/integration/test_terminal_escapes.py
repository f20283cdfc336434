"""Every command on a real pseudo-terminal, over a store in which every text is hostile.

Whatever a sender, a person or a server can put anywhere: the terminal gets our styling and nothing else.
"""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from stream_jobs.alerts.model import Alert, packed
from stream_jobs.store.client import connect
from tests.store_server import StoreProcess
from tests.unit.alerts import build
from tests.unit.output.hostile import HOSTILE, MARK, OURS, foreign

pytestmark = pytest.mark.slow

NEXT: Final = "=== spendstream "
RUN_ALL: Final = f"""
import json, sys
from spendstream.cli import main
for arguments in json.load(open(sys.argv[1])):
    print({NEXT!r} + ascii(arguments), flush=True)
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    print("\\n=== code", code, flush=True)
"""
PEOPLE: Final = HOSTILE.replace("\x00", "")  # no process takes a NUL in its arguments
ENUMS: Final = {"severity": "error", "status": "open", "state": "sent", "kind": "budget", "entry_kind": "charge"}


def on_terminal(arguments: Sequence[str], **more: str) -> str:
    """What a terminal of 300 columns gets from a process."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 300, 0, 0))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPENDSTREAM_")}
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | more
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=child, stderr=child, env=environment)
    os.close(child)
    got = b""
    try:
        while piece := os.read(parent, 65536):
            got += piece
    except OSError:  # the process has closed its side
        pass
    finally:
        os.close(parent)
        process.wait(60)
    return got.decode("utf-8", "surrogateescape")


def hostile_row(client: Any, table: str) -> dict[str, Any]:
    """Of any table: every text in it is hostile."""
    columns = client.query(
        "SELECT name, type FROM system.columns WHERE database = 'spendstream' AND table = {table:String} "
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') AND name != 'insert_before'",
        {"table": table},
    ).result_rows
    row: dict[str, Any] = {}
    for name, kind in columns:
        bare = kind.replace("LowCardinality(String)", "String")
        if name in ENUMS and bare == "String":
            row[name] = ENUMS[name]
        elif bare in ("String", "Nullable(String)"):
            row[name] = HOSTILE
        elif bare == "Array(String)":
            row[name] = [HOSTILE]
        elif bare == "Map(String, String)":
            row[name] = {HOSTILE: HOSTILE}
        elif "DateTime" in bare and not bare.startswith("Array"):
            row[name] = "2099-01-01 00:00:00" if name in ("ends_at", "period_end") else "2026-11-20 12:00:00"
        elif bare.startswith(("Decimal", "Nullable(Decimal")):
            row[name] = "1.5"
        elif bare.startswith(("UInt", "Int")):
            row[name] = 1
    return row


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Any:
    process = StoreProcess(tmp_path_factory.mktemp("store") / "store").wait_ready()
    try:
        fill(process.migrated())
        yield process
    finally:
        process.kill()


def fill(process: StoreProcess) -> None:
    budget = {"id": "b", "name": "[bold]b", "owner": "[/]", "amount": "1", "period": "day", "per": ["user_id"]}
    texts: dict[str, Any] = {
        "summary": HOSTILE,
        "owner": "[bold]o",
        "action": HOSTILE,
        "causes": (HOSTILE,),
        "labels": {"team": HOSTILE},
    }
    signal = build.signal("a", **texts)
    now = build.NOW
    alert = Alert(
        alert_id="a",
        kind="budget",
        group=HOSTILE,
        episode=1,
        status="open",
        severity="error",
        level=1,
        observed_at=now,
        starts_at=now,
        opened_at=now,
        open_since=now,
        updated_at=now,
        money_usd=Decimal(1),
        acknowledged_by=HOSTILE,
        receivers=(HOSTILE,),
        signal=msgspec.Raw(signal.model_dump_json(exclude_defaults=True).encode()),
    )
    own: dict[str, dict[str, Any]] = {
        "budget_definitions": {"budget_id": "b", "definition": json.dumps(budget), "removed": False, "origin": "file"},
        "budget_periods": {"budget_id": "b", "thresholds": [80], "exhausted_at": None},
        "budget_crossings": {"budget_id": "b", "kind": "actual", "direction": "up", "late": True},
        "alert_events": {"alert_id": "a", "change": "opened", "document": packed(alert), "episode": 1},
        "alert_deliveries": {"told": ["a"], "told_episode": [1], "over": [], "over_episode": []},
        "adjustment_runs": {"state": "done"},
        "anomaly_findings": {"finding_id": "f"},
        "anomaly_marks": {"finding_id": "f"},
        "quarantine": {"topic": "usage.events.v1"},
    }
    with connect(process.settings) as client:
        tables = client.query(
            "SELECT name FROM system.tables WHERE database = 'spendstream' AND engine LIKE '%MergeTree' "
            "AND name NOT LIKE '.%' AND name NOT LIKE 'cost\\_1%'"
        ).result_rows
        for (table,) in tables:
            row = hostile_row(client, table) | own.get(table, {})
            client.raw_insert(table, insert_block=json.dumps(row).encode(), fmt="JSONEachRow")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config folder, events and a trace in which every text is hostile."""
    folder = tmp_path_factory.mktemp("files")
    text = '"' + "".join(f"\\U{ord(letter):08x}" for letter in HOSTILE) + '"'  # YAML knows no surrogate pairs
    (folder / "attribution.yaml").write_text(f"rules:\n  - {{name: {text}, set: {{team: {text}}}}}\n")
    (folder / "budgets.yaml").write_text(f"budgets:\n  - {{id: {text}, name: {text}, amount: 1, period: day}}\n")
    (folder / "alerts.yaml").write_text(f"receivers:\n  - {{name: {text}, type: slack, url_file: {text}}}\n")
    (folder / "overlays").mkdir()
    (folder / "overlays" / "o.yaml").write_text(f"overlays:\n  - {{{text}: {text}}}\n")
    event = {"event_id": HOSTILE, "source": HOSTILE, HOSTILE: HOSTILE}
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n" + HOSTILE.replace("\n", " ") + "\n")
    good = {
        "schema_version": 1,
        "event_id": "[bold]e[/]",
        "occurred_at": "2026-11-01T12:00:00Z",
        "source": "[red]s",
        "provider": "openai",
        "model": "[link=http://evil.test]m[/link]",
        "usage": {"kind": "tokens", "input_tokens": 1, "output_tokens": 1},
        "attribution": {"team": "[/]"},
    }
    (folder / "good.jsonl").write_text(json.dumps(good) + "\n")
    return folder


def sections(shown: str) -> list[str]:
    return shown.split(NEXT)[1:]


def test_no_command_lets_data_command_the_terminal(hostile: StoreProcess, files: Path, tmp_path: Path) -> None:
    """Tables, JSON, raw bytes, errors of ours, of argparse, of the server; where it is shown, it is shown escaped."""
    url = ["--url", hostile.url]
    name = "usage.events.v1/1/1"
    statement = f"SELECT {_sql(PEOPLE)} AS {_sql(PEOPLE, '`')}"
    config, away = ["--config-dir", str(files)], ["--bootstrap", "127.0.0.1:1"]
    shows = [  # what is sure to show hostile texts
        ["quarantine", "list", "--all", *url],
        ["quarantine", "list", "--all", "--json", *url],
        ["quarantine", "show", name, *url],
        ["quarantine", "show", name, "--raw", *url],
        ["quarantine", "show", name, "--json", *url],
        ["quarantine", "list", "--all", "--summary", *url],
        *(
            ["query", statement, *url],
            ["query", statement, "--json", *url],
            ["query", statement, "--format", "CSV", *url],
        ),
        ["query", statement, "--format", "Parquet", *url],
        ["query", "SELECT * FROM ledger", "--json", *url],
        ["query", f"SELECT throwIf(1, {_sql(PEOPLE)})", *url],
        ["query", "SELECT unhex('9B33316D9D'), '\\x1b]52;c;'", "--format", "RawBLOB", *url],
        ["alerts", "list", "--all", *url],
        ["alerts", "list", "--all", "--json", *url],
        ["alerts", "show", "a", *url],
        ["alerts", "show", "a", "--json", *url],
        ["alerts", "silences", "--all", *url],
        ["alerts", "silences", "--all", "--json", *url],
        ["anomalies", "list", "--all", *url],
        ["anomalies", "list", "--all", "--json", *url],
        ["anomalies", "show", "f", *url],
        ["anomalies", "show", "f", "--json", *url],
        ["budgets", "list", *url],
        ["conservation", "--since", "2026-01-01", *url],
        ["conservation", "--since", "2026-01-01", "--json", *url],
        ["report", "--from", "2026-11-20", "--to", "2026-11-21", "--out", str(tmp_path / "report.html"), *url],
        ["report", "--from", "2026-11-20", "--to", "2026-11-21", "--json", *url],
        ["budgets", "check", *config],
        ["alerts", "check", *config],
        ["check-config", *config],
        ["attribution", "check", *config],
        *(["price", str(files / "events.jsonl")], ["price", str(files / "events.jsonl"), "--json"]),
        *(
            ["status", "--data-dir", PEOPLE],
            ["up", "--data-dir", f"/proc/{PEOPLE}"],
            ["demo", "--data-dir", f"/proc/{PEOPLE}"],
        ),
        [PEOPLE],
        ["worker", PEOPLE],
        ["query", "x", PEOPLE],
        ["budgets", "show", PEOPLE, *url],
        ["emit", PEOPLE, *away],
        ["simulate", "--incident", PEOPLE, *away],
        ["alerts", "show", PEOPLE, *url],
        ["quarantine", "show", PEOPLE, *url],
        ["query", "--name", PEOPLE, *url],
        ["reconcile", "--dry-run", "--since", PEOPLE, *url],
    ]
    others = [
        *(
            ["budgets", "show", "b", *url],
            ["budgets", "show", "b", "--json", *url],
            ["query", "SELECT * FROM ledger", *url],
        ),
        ["replay", PEOPLE, "--format", "jsonl", "--provider", "p", "--model", "m", *away],
        ["prices", "check", *config],
        ["prices", "check", "--json", *config],
        *(["price", str(files / "good.jsonl")], ["attribution", "explain", str(files / "good.jsonl")]),
        ["reconcile", "--dry-run", "--full", *url],
        ["migrate", "--status"],
        ["prices", "show", "gpt-4o"],
        ["simulate", "--duration", "1m", "--rate", "1", "--out", "-"],
    ]
    (tmp_path / "commands.json").write_text(json.dumps([*shows, *others]))
    arguments = [sys.executable, "-c", RUN_ALL, str(tmp_path / "commands.json")]
    shown = on_terminal(arguments, XDG_RUNTIME_DIR=str(tmp_path), HOME=str(tmp_path))
    told = sections(shown)
    assert len(told) == len(shows) + len(others), shown[-3000:]
    wrong = []
    for arguments, section in zip([*shows, *others], told, strict=True):
        body = section.partition("\n")[2]
        plain = OURS.sub("", body).lower()
        seen = any(mark in plain for mark in (r"\x1b]52", r"\u001b]52", r"\x9b"))
        if foreign(body) or "Traceback" in body or (arguments in shows and not seen):
            wrong.append(ascii((arguments[:4], foreign(body), body[:400])))
    assert not wrong, "\n".join(wrong)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<bold>" not in page
    assert "http://evil.test]x" in page


def test_raw_bytes_go_raw_into_a_pipe(hostile: StoreProcess) -> None:
    """What was quarantined can be had byte for byte, and JSON is JSON there too."""
    command = [sys.executable, "-m", "spendstream"]
    url = ["--url", hostile.url]
    raw = subprocess.run(
        [*command, "quarantine", "show", "usage.events.v1/1/1", "--raw", *url],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert raw.stdout == HOSTILE.encode()
    statement = f"SELECT {_sql(PEOPLE)} AS a, unhex('9B33316D') AS b"
    rows = subprocess.run([*command, "query", statement, "--json", *url], capture_output=True, check=True, timeout=60)
    found = json.loads(rows.stdout)
    assert found["a"] == PEOPLE
    assert found["b"].encode("utf-8", "surrogateescape") == b"\x9b31m"
    assert MARK.encode() not in rows.stdout


def test_an_export_is_safe_for_spreadsheets(hostile: StoreProcess) -> None:
    """On request; numbers stay numbers, and NULL stays NULL."""
    statement = "SELECT '=1+1' AS `@a`, -1.5 AS b, toDecimal64('-0.25', 2) AS c, NULL AS d, ['-1'] AS e, 'plain' AS f"
    command = [sys.executable, "-m", "spendstream", "query", statement, "--url", hostile.url, "--spreadsheet-safe"]
    shown = subprocess.run(
        [*command, "--format", "CSVWithNames"], capture_output=True, check=True, timeout=60, text=True
    )
    assert shown.stdout == """"'@a","b","c","d","e","f"\n"'=1+1",-1.5,-0.25,\\N,"['-1']","plain"\n"""
    for options in ([], ["--format", "Parquet"]):
        refused = subprocess.run([*command, *options], capture_output=True, check=False, timeout=60, text=True)
        assert refused.returncode == 2
        assert "--spreadsheet-safe goes with --format" in refused.stderr


def _sql(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote

"""`spendstream price` and `spendstream prices`: what goes in and what comes out."""

import argparse
import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spendstream_schemas import MAX_MESSAGE_BYTES
from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import price, prices

LINE = {
    "occurred_at": "2026-11-01T12:00:00Z", "source": "shell", "provider": "openai", "model": "gpt-4o",
    "usage": {"kind": "tokens", "input_tokens": 1000, "output_tokens": 200},
}  # fmt: skip
FIELDS = {
    "event_id", "status", "reason", "list_cost", "contracted_cost", "effective_cost", "price_book_version", "lines",
}  # fmt: skip


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(dest="command")
    price.add_parser(subparsers)
    prices.add_parser(subparsers)
    args = parser.parse_args(arguments)
    return int(args.run(args))


@pytest.fixture(autouse=True)
def _no_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPENDSTREAM_CONFIG_DIR", raising=False)


def answers(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_line_in_one_line_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Priced, unpriced and invalid lines keep their order; blank lines are none."""
    full = {**LINE, "event_id": "e2", "schema_version": 1, "model": "gpt-4o-foo"}
    huge = json.dumps({**LINE, "event_id": "huge", "response_id": "x" * 5_000_000})
    lines = [
        json.dumps(LINE),
        "",
        json.dumps(full),
        "garbage",
        huge,
        "{}",
        "[" * 60_000,
        '{"event_id": 7}',
        json.dumps(full),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines))
    assert run("price", "--json", str(path)) == 0
    found = answers(capsys)
    assert [(item["status"], item["reason"]) for item in found] == [
        ("priced", None), ("unpriced", "unknown_model"), ("invalid", "not_json"), ("invalid", "too_large"),
        ("invalid", "missing_field"), ("invalid", "not_json"), ("invalid", "missing_field"),
        ("unpriced", "unknown_model"),
    ]  # fmt: skip
    assert all(item.keys() >= FIELDS for item in found)
    first = found[0]
    assert len(first["event_id"]) == 36
    assert (first["list_cost"], first["contracted_cost"], first["effective_cost"]) == ("0.0045", "0.0045", "0.0045")
    assert [
        (line["sku"], line["meter"], line["quantity"], line["unit_price"], line["cost"]) for line in first["lines"]
    ] == [
        ("openai/gpt-4o/input_mtok", "input_tokens", 1000, "0.0000025", "0.0025"),
        ("openai/gpt-4o/output_mtok", "output_tokens", 200, "0.00001", "0.002"),
    ]
    assert found[1]["event_id"] == "e2"
    assert {found[1][name] for name in ("list_cost", "contracted_cost", "effective_cost")} == {None}


def test_stdin_is_read_and_numbers_stay_exact(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quantity with 12 decimal places never passes through a float on its way, filled-in fields or not."""
    text = '{"occurred_at":"2026-11-01T12:00:00Z","source":"s","provider":"aws","region":"us-east-1","usage":' \
        '{"kind":"metered","sku":"egress-internet","unit":"GB","quantity":"123456789.123456789012"}}'  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run("price", "--json", "-") == 0
    (found,) = answers(capsys)
    assert found["lines"][0]["quantity"] == "123456789.123456789012"
    assert Decimal(found["list_cost"]) == Decimal("11111111.021111111011")


def test_without_json_a_person_reads_a_receipt(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With totals, and with the reason where there is none."""
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + json.dumps({**LINE, "service_tier": "turbo"}) + "\n")
    assert run("price", str(path)) == 0
    out = capsys.readouterr().out
    assert "0.0045" in out
    assert "unknown_service_tier" in out


def test_lines_are_cut_at_the_bound() -> None:
    """Memory stays bounded whatever comes in, and the next line is read whole."""
    stream = io.BytesIO(b"x" * (3 * MAX_MESSAGE_BYTES) + b"\nabc\n" + b"y" * MAX_MESSAGE_BYTES + b"\r\n\n  \nend")
    found = list(price.lines(stream))
    assert [len(line) for line in found] == [MAX_MESSAGE_BYTES + 2, 3, MAX_MESSAGE_BYTES, 3]


def test_a_file_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(ConfigError, match="cannot be read"):
        run("price", str(tmp_path / "absent"))


def test_check_finds_problems_and_warnings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 1 for problems only."""
    assert run("prices", "check", "--json") == 0
    (built_in,) = answers(capsys)
    assert (built_in["ok"], built_in["problems"]) == (True, [])
    (tmp_path / "overlays").mkdir()
    file = tmp_path / "overlays" / "a.yaml"
    file.write_text(
        "overlays: [{name: a, multiplier: 1, scope: {provider: bedrock}}, {name: a, contract: {input_mtok: 1}}]"
    )
    assert run("prices", "check", "--json", "--config-dir", str(tmp_path)) == 0
    (found,) = answers(capsys)
    assert [warning.partition(": ")[2] for warning in found["warnings"] if str(file) in warning] == [
        "the name 'a' is given to 2 overlays",
        "a: no price has the provider 'bedrock' (use the id, not an alias)",
        "a: a contract price without valid_to never ends",
    ]
    file.write_text("overlays: [{name: a}]")
    assert run("prices", "check", "--config-dir", str(tmp_path)) == 1
    assert str(file) in capsys.readouterr().out
    assert run("prices", "check", "--config-dir", str(tmp_path / "absent")) == 1


def test_show_prints_the_price_of_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard and tiers, of one provider or of all that know the id."""
    assert run("prices", "show", "o3", "--provider", "openai", "--at", "2025-06-09", "--json") == 0
    assert run("prices", "show", "o3", "--provider", "openai", "--at", "2025-06-10T00:00:00Z", "--json") == 0
    before, after = (
        next(
            p["usd"]
            for p in found["models"][0]["prices"]
            if (p["conditions"], p["price_key"]) == ("standard", "input_mtok")
        )
        for found in answers(capsys)
    )
    assert (before, after) == ("10", "2")
    assert run("prices", "show", "gpt-5.4", "--at", "2026-06-01") == 0
    assert "input>272000" in capsys.readouterr().out.replace("\n", "").replace("│", "").replace(" ", "")
    assert run("prices", "show", "no-such-model") == 1
    assert run("prices", "show", "H100") == 0
    with pytest.raises(ConfigError, match="--at"):
        run("prices", "show", "o3", "--at", "yesterday")


def test_import_prints_a_rate_card(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Ready to be put into rate_cards/."""
    path = tmp_path / "catalog.csv"
    path.write_text(
        "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region\ng5.xlarge,A10G,1,1.006,0.4,us-east-1\n"
    )
    assert (
        run("prices", "import", "--format", "skypilot", "--provider", "aws", str(path), "--checked", "2026-11-21") == 0
    )
    (tmp_path / "rate_cards").mkdir()
    (tmp_path / "rate_cards" / "mine.yaml").write_text(capsys.readouterr().out)
    assert run("prices", "check", "--config-dir", str(tmp_path)) == 0

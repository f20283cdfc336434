"""Files and lines that commands are given: whatever they hold, each is answered, or refused with what to do."""


# ruff: noqa: E501 - lists of values read best as they are

import argparse
import contextlib
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendstream_schemas import InvalidMessageError
from stream_jobs.base.errors import ConfigError
from stream_jobs.cli import run_command
from stream_jobs.cli.emit import completed
from stream_jobs.cli.price import answer
from stream_jobs.pricing.importers import FORMATS, rate_card, read_catalog
from tests.fuzz import examples
from tests.unit.pricing.shipped import shipped_book

EVENT = {
    "occurred_at": "2026-11-01T12:00:00Z",
    "source": "shell",
    "provider": "openai",
    "model": "gpt-4o",
    "usage": {"kind": "tokens", "input_tokens": 1000, "output_tokens": 200},
    "attribution": {"team": "search", "labels": {"a": "b"}},
    "latency_ms": 5,
}
VALUES = (
    *("1e308", "1e99999999999999999999", "-1e-99999999999999999999", "9" * 5000, "NaN", "Infinity", "-1", "null", "[]"),
    *("{}", "true", '"\\ud800"', '"\\u0000"', '"9999-12-31T23:59:59-23:59"', '"0001-01-01T00:00:00+23:59"', '""', "x"),
    *("[" * 990 + "]" * 990, "[" * 100_000, '{"a":' * 980 + "1" + "}" * 980, '"' + "x" * 70_000 + '"', '"1e999999999"', "1.5"),
)  # fmt: skip
HEADERS = {
    "gpuhunt": "instance_name,location,price,gpu_count,gpu_name,gpu_memory,spot",
    "skypilot": "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region",
}
CELLS = ("1e999999", "1e-999999", "1e99999999999999999999", "NaN", "-1", "0", "1", "9" * 40, "a", "", '"', "\0", "True", "x" * 140_000)  # fmt: skip


@st.composite
def hostile_lines(draw: st.DrawFn) -> bytes:
    """One JSON line: an event of which some values are hostile, perhaps with bytes changed."""
    text = json.dumps(EVENT)
    for _ in range(draw(st.integers(0, 2))):
        old = draw(st.sampled_from(('"2026-11-01T12:00:00Z"', '"shell"', '"gpt-4o"', "1000", '"b"', '"search"', "5", '"tokens"')))  # fmt: skip
        text = text.replace(old, draw(st.sampled_from(VALUES)))
    raw = bytearray(text.encode())
    if draw(st.booleans()):
        place = draw(st.integers(0, len(raw)))
        raw[place : place + draw(st.integers(0, 9))] = draw(st.binary(max_size=6))
    return bytes(raw)


BOOK = shipped_book()


@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(line=hostile_lines() | st.sampled_from(VALUES).map(str.encode) | st.binary(max_size=40))
def test_any_line_is_an_event_or_invalid(line: bytes) -> None:
    """For `emit`, and for `price`, whose answer is JSON whatever came."""
    for outcomes in (False, True):
        with contextlib.suppress(InvalidMessageError):
            completed(line, outcomes=outcomes, source="s", now=True)
    assert json.loads(json.dumps(answer(BOOK, line)))["status"] in ("priced", "unpriced", "invalid")


@pytest.mark.parametrize("catalog_format", FORMATS)
@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_catalogue_is_a_rate_card_or_refused(
    catalog_format: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`prices import`: rows that are too short, numbers that no division takes."""
    header = HEADERS[catalog_format]
    width = len(header.split(","))
    cells = st.lists(st.sampled_from(CELLS), min_size=0, max_size=width + 1).map(",".join)
    text = "\n".join(
        [data.draw(st.sampled_from((header, header + ",x", *CELLS))), *data.draw(st.lists(cells, max_size=3))]
    )
    path = tmp_path_factory.getbasetemp() / "catalogue.csv"
    path.write_bytes(text.encode() + data.draw(st.binary(max_size=2)))
    with contextlib.suppress(ConfigError):
        assert rate_card(read_catalog(path, catalog_format), "p", "s", date(2026, 11, 1)).startswith("# yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ("price", "FILE"),
        ("emit", "FILE", "--bootstrap", "127.0.0.1:1"),
        ("attribution", "explain", "FILE"),
        ("prices", "import", "FILE", "--format", "gpuhunt", "--provider", "p"),
        ("replay", "FILE", "--format", "mooncake", "--provider", "openai", "--model", "gpt-4o"),
        ("replay", "TRACE", "--format", "csv", "--provider", "openai", "--model", "m", "--mapping", "FILE"),
        ("replay", "TRACE", "--format", "azure", "--provider", "openai", "--model", "m", "--rules", "FILE"),
    ],
)
def test_a_folder_in_place_of_a_file_is_said(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every command that is given a file, with exit code 2."""
    trace = tmp_path / "trace"
    trace.write_text("")
    names = {"FILE": str(tmp_path), "TRACE": str(trace)}
    assert run_command(argparse.ArgumentParser(), [names.get(text, text) for text in arguments]) == 2
    assert f"{tmp_path}: cannot be read: " in capsys.readouterr().err

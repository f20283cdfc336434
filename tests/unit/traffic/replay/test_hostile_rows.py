"""Whatever a trace or log holds, a row of it becomes an event or a bad row with its line; reading never stops."""

# ruff: noqa: E501 - lists of values read best as they are

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendstream_schemas import UsageEvent
from spendstream_traffic.replay.events import RunFacts, to_events
from spendstream_traffic.replay.formats import FORMATS, MAPPED_FORMATS, ReadOptions, rows_of
from spendstream_traffic.replay.identity import EventIds
from spendstream_traffic.replay.mapping import Mapping
from spendstream_traffic.replay.readers.servegen import MEANS_FILE
from spendstream_traffic.replay.rows import BadRow
from stream_jobs.base.errors import ConfigError
from tests.fuzz import examples

FACTS = RunFacts(EventIds("hostile"), "tests", "openai", "gpt-4o")
HEADERS = {
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens",
    "servegen": "category,client,hour,requests",
    "csv": "at,tokens,ms,cached,team,odd",
}
KEYS = {
    "mooncake": ("timestamp", "input_length", "output_length", "hash_ids"),
    "jsonl": ("at", "tokens", "ms", "cached", "team", "odd"),
}
MAPPING = Mapping.model_validate(
    {
        "fields": {
            "occurred_at": {"column": "at", "time": "unix_ms"},
            "usage.input_tokens": {"column": "tokens", "multiply": 1000},
            "usage.output_tokens": {"value": 1},
            "latency_ms": "ms",
            "cached_response": "cached",
            "attribution.team": {"column": "team", "map": {"a": "b"}},
            "attribution.labels.odd": "odd",
        }
    }
)
DEEP, *DEEPER = (
    "[" * depth + "]" * depth for depth in (600, 800, 850, 880, 900, 910, 920, 930, 940, 950, 960, 970, 980)
)
"""Nested as deep as the reader of JSON follows in a test and beyond, so that what comes after it meets the stack's end."""
CELLS = (
    *("1e308", "1e309", "-1e308", "1e99999999999999999999", "1e-99999999999999999999", "NaN", "Infinity", "-Infinity"),
    *("9" * 4000, "9" * 5000, "-1", "-0", "0", "1", "1.5", "1.0", "1_0", "0x1", "1e3", "253402300800000", "1" * 30 + ".0"),
    *("true", "null", "[]", "{}", "[1]", '{"a": 1}', DEEP, *DEEPER, '{"a":' * 900 + "1" + "}" * 900, '"\\ud800"', '"\\u0000"'),
    *('""', '"x"', '"1e999999999"', '"9999-12-31T23:59:59-23:59"', '"0001-01-01T00:00:00+23:59"', '"2026-11-31"', '"٣"'),
    *("x", "", " ", "2023-11-16 18:15:46.6805900", "9999-12-31 23:59:59", "0001-01-01", "2026-06-01T00:00Z", "x" * 200_000),
    *('"', '""', '"a', "\udcff", "\x00", "\r", "\u2028", "\x1b[2J", ",", ",,,,", "=1+1", "1e12", "1e13", "876000", "878400"),
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn, file_format: str) -> bytes:
    """A file of the format with some rows that are well formed, of hostile values, and some that are not."""
    found = [HEADERS[file_format]] if file_format in HEADERS else []
    for _ in range(draw(st.integers(1, 4))):
        names = KEYS.get(file_format) or HEADERS[file_format].split(",")
        cells = {name: draw(st.sampled_from(CELLS)) for name in names if draw(st.integers(0, 9))}
        if file_format in KEYS:
            found.append("{" + ", ".join(f"{json.dumps(name)}: {cell or 0}" for name, cell in cells.items()) + "}")
        else:
            found.append(",".join(cells.values()))
    raw = bytearray("\n".join(found).encode("utf-8", "surrogateescape"))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(raw)))
        raw[place : place + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(raw)


def read(path: Path, file_format: str, start: datetime | None = None) -> Iterator[UsageEvent | BadRow]:
    options = ReadOptions(start, cache_writes=True, mapping=MAPPING if file_format in MAPPED_FORMATS else None)
    rows = rows_of(path, file_format, options)
    for number, item in enumerate(to_events(rows, FACTS)):
        yield item
        if number > 50:  # an hour of a servegen file may stand for a billion requests
            return


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_row_is_an_event_or_a_bad_row(
    file_format: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Only a file whose header is of another kind is an error as a whole."""
    path = tmp_path_factory.getbasetemp() / f"hostile.{file_format}"
    path.write_bytes(data.draw(lines(file_format)))
    start = data.draw(st.sampled_from((None, datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC))))
    items: list[UsageEvent | BadRow] = []
    with contextlib.suppress(ConfigError) if file_format in HEADERS else contextlib.nullcontext():
        items += read(path, file_format, start)
    assert all(isinstance(item, UsageEvent) or item.line >= 1 for item in items)


@pytest.mark.parametrize(
    ("file_format", "row", "why"),
    [
        ("mooncake", '{"timestamp": 1e308, "input_length": 1, "output_length": 1}', "timestamp is out of range"),
        ("mooncake", f'{{"timestamp": {DEEP}, "input_length": 1}}', "a JSON array"),
        ("mooncake", '{"timestamp": 0, "input_length": 1e99999999999999999999, "output_length": 1}', "is not JSON"),
        ("jsonl", '{"at": 1e99999999999999999999}', "is not JSON"),
        ("jsonl", f'{{"at": {DEEP}}}', "occurred_at: is a JSON array"),
        ("jsonl", f'{{"at": 0, "tokens": 1, "cached": {DEEP}}}', "cached_response: is a JSON array"),
        ("jsonl", f'{{"at": 0, "tokens": 1, "team": {DEEP}}}', "attribution.team: is a JSON array"),
        ("servegen", "a,b,1,1e999999999999999999999", "requests is not a number"),
    ],
)
def test_what_once_ended_a_replay_is_a_bad_row(tmp_path: Path, file_format: str, row: str, why: str) -> None:
    """With its line, and the next row counts as if nothing had been."""
    path = tmp_path / "trace"
    header = f"{HEADERS[file_format]}\n" if file_format in HEADERS else ""
    path.write_text(f"{header}{row}\n")
    (item,) = read(path, file_format)
    assert isinstance(item, BadRow)
    assert item.line == (2 if header else 1)
    assert why in item.why


def test_hours_beyond_the_calendar_are_bad_rows(tmp_path: Path) -> None:
    """Also when only --start brings them there."""
    path = tmp_path / "trace"
    path.write_text(f"{HEADERS['servegen']}\na,b,1,1\na,b,800000,1\n")
    (item,) = (item for item in read(path, "servegen", datetime(9999, 12, 1, tzinfo=UTC)) if isinstance(item, BadRow))
    assert str(item) == "line 3: hour is out of range"


def test_means_that_no_prompt_has_are_refused(tmp_path: Path) -> None:
    """The file beside the trace: its numbers are multiplied."""
    (tmp_path / "trace").write_text(f"{HEADERS['servegen']}\na,b,1,10\n")
    (tmp_path / MEANS_FILE).write_text(
        "category,client,start_s,mean_input_tokens,mean_output_tokens,mean_reason_tokens\na,b,0,1e999999,1,1\n"
    )
    with pytest.raises(ConfigError, match="line 2: a mean is above"):
        list(read(tmp_path / "trace", "servegen"))


def test_a_header_of_half_a_million_columns_is_refused_at_once(tmp_path: Path) -> None:
    """In time that does not grow with its square."""
    (tmp_path / "trace").write_text(",".join(["a"] * 500_000) + "\n")
    with pytest.raises(ConfigError, match="has no column"):
        list(read(tmp_path / "trace", "azure"))


@pytest.mark.parametrize("what", ["folder", "pipe", "device"])
def test_what_is_no_file_cannot_be_replayed(tmp_path: Path, what: str) -> None:
    """It is read twice, so a pipe would be empty the second time; and one without a writer would wait for ever."""
    path: Any = tmp_path / "trace"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path = Path("/dev/zero")
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read(path, "mooncake"))


@pytest.mark.parametrize("form", ["%Y %Y", "%", "%!", "%Y-%q"])
def test_a_form_of_time_that_is_none_is_refused_with_the_mapping(form: str) -> None:
    """Not at the first row."""
    with pytest.raises(ValueError, match="nor a strptime format"):
        Mapping.model_validate({"fields": {"occurred_at": {"column": "a", "time": form}, "usage.input_tokens": "n"}})

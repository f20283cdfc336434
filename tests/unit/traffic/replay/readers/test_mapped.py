"""Replaying any CSV or JSONL by a mapping."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spendstream_traffic.replay.mapping import PATHS, Mapping, load_mapping
from spendstream_traffic.replay.readers.mapped import read_csv, read_jsonl
from stream_jobs.base.errors import ConfigError
from tests.unit.traffic.replay.build import good, split, write

YAML = """
delimiter: ";"
fields:
  occurred_at: {column: ts, time: unix_ms}
  usage.input_tokens: prompt_tokens
  usage.output_tokens: {column: completion_ktok, multiply: 1000}
  provider: {column: vendor, map: {oai: openai}}
  attribution.team: {column: team, default: unknown}
  attribution.environment: {value: production}
  attribution.labels.plan: plan
  cached_response: cached
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    path = tmp_path / "mapping.yaml"
    path.write_text(YAML)
    return load_mapping(path)


def test_columns_constants_units_defaults_and_codes(tmp_path: Path, mapping: Mapping) -> None:
    """Every kind of rule, and an empty cell that is absent and not zero."""
    path = write(
        tmp_path / "t.csv",
        [
            "ts;prompt_tokens;completion_ktok;vendor;team;plan;cached;ignored",
            "1717243200123;1000;0.25;oai;;gold;true;x",
            "1717243200123;;1;mistral;ops;;;x",
        ],
    )
    first, second = good(read_csv(path, mapping))
    assert first.payload == {
        "occurred_at": datetime(2024, 6, 1, 12, 0, 0, 123000, tzinfo=UTC),
        "usage": {"kind": "tokens", "input_tokens": 1000, "output_tokens": 250},
        "provider": "openai",
        "attribution": {"team": "unknown", "environment": "production", "labels": {"plan": "gold"}},
        "cached_response": True,
    }
    assert second.payload["usage"] == {"kind": "tokens", "output_tokens": 1000}
    assert second.payload["provider"] == "mistral"
    assert "labels" not in second.payload["attribution"]


def test_jsonl_columns_reach_into_objects_and_keep_decimals_exact(tmp_path: Path) -> None:
    """A dotted column is a path, unless there is a key of exactly that name; numbers never pass through a float."""
    mapping = load_mapping(
        None,
        ["occurred_at=at", "usage.input_tokens=usage.in", "usage.output_tokens=x.y", "usage.input_audio_seconds=audio"],
    )
    line = '{"at": "2026-01-01T00:00:00+02:00", "usage": {"in": 5}, "x.y": 7, "x": {"y": 8}, "audio": 0.1}'
    row = good(read_jsonl(write(tmp_path / "t.jsonl", [line]), mapping))[0]
    assert row.payload["usage"] == {
        "kind": "tokens",
        "input_tokens": 5,
        "output_tokens": 7,
        "input_audio_seconds": Decimal("0.1"),
    }
    assert row.payload["occurred_at"] == datetime(2025, 12, 31, 22, tzinfo=UTC)


def test_times_in_a_zone_of_their_own_form(tmp_path: Path) -> None:
    """strptime forms and naive times in a named zone, with its summer time."""
    path = tmp_path / "m.yaml"
    path.write_text(
        'fields: {occurred_at: {column: at, time: "%d.%m.%Y %H:%M", timezone: Europe/Berlin}, usage.input_tokens: n}'
    )
    lines = [json.dumps({"at": at, "n": 1}) for at in ("01.07.2026 12:00", "01.01.2026 12:00")]
    rows = good(read_jsonl(write(tmp_path / "t.jsonl", lines), load_mapping(path)))
    assert [row.payload["occurred_at"].astimezone(UTC).hour for row in rows] == [10, 11]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"at": "soon", "n": 1}, "occurred_at: is not a time (iso): 'soon' (column at)"),
        ({"at": "2026-01-01", "n": "1.5"}, "usage.input_tokens: must be a whole number: 1.5 (column n)"),
        ({"at": "2026-01-01", "n": "Infinity"}, "usage.input_tokens: is not a number: 'Infinity' (column n)"),
        ({"at": "2026-01-01", "n": "1e999999"}, "usage.input_tokens: is out of range: '1e999999' (column n)"),
        ({"at": "2026-01-01", "n": True}, "usage.input_tokens: is not a number: 'True' (column n)"),
        ({"at": "2026-01-01", "n": [1]}, "usage.input_tokens: is a JSON array, expected one value (column n)"),
        ({"at": "2026-01-01", "n": 1, "t": {"a": 1}}, "attribution.team: is a JSON object, expected one value"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_told_with_field_and_column(
    tmp_path: Path, record: dict[str, object], why: str
) -> None:
    """The message leads to the cell."""
    mapping = load_mapping(None, ["occurred_at=at", "usage.input_tokens=n", "attribution.team=t"])
    path = write(tmp_path / "t.jsonl", [json.dumps(record), "not json", "[]", '{"at": "2026-01-01", "n": 1}'])
    rows, bad = split(read_jsonl(path, mapping))
    assert bad[0].line == 1
    assert bad[0].why.startswith(why)
    assert "(column " in bad[0].why
    assert [(item.line, item.why) for item in bad[1:]] == [(2, "is not JSON"), (3, "is not a JSON object")]
    assert [row.line for row in rows] == [4]


def test_all_problems_of_a_mapping_are_told_at_once(tmp_path: Path) -> None:
    """With the name that was probably meant."""
    path = tmp_path / "m.yaml"
    path.write_text("fields: {usage.input_token: a, provider: {column: p, multiply: 2}}")
    with pytest.raises(ConfigError) as caught:
        load_mapping(path)
    text = str(caught.value)
    assert "'usage.input_token' is no field of a usage event; did you mean usage.input_tokens?" in text
    assert "provider: multiply is for numbers" in text
    assert "occurred_at is missing" in text


@pytest.mark.parametrize(
    "yaml", ["fields: {occurred_at: {column: a, value: b}}", "fields: {occurred_at: {}}", "[]", "fields: 3", "x: 1"]
)
def test_a_mapping_of_another_shape_is_refused(tmp_path: Path, yaml: str) -> None:
    """Not half understood."""
    path = tmp_path / "m.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError, match=r"m\.yaml"):
        load_mapping(path)


def test_a_mapped_column_that_the_csv_lacks_is_refused(tmp_path: Path) -> None:
    """A typo would otherwise replay a million events without tokens."""
    mapping = load_mapping(None, ["occurred_at=at", "usage.input_tokens=tokens"])
    with pytest.raises(ConfigError, match="no column tokens"):
        next(read_csv(write(tmp_path / "t.csv", ["at,token", "2026-01-01,1"]), mapping))


def test_every_field_of_the_contract_can_be_mapped() -> None:
    """The names come from the models: nothing is forgotten when the contract grows."""
    assert {"event_id", "usage.cache_read_tokens", "usage.gpu_seconds", "usage.sku", "tool_calls.web_search"} <= PATHS
    assert {"conditions.speed", "attribution.budget_code", "response_id", "revision"} <= PATHS
    assert not {"usage", "attribution", "schema_version", "attribution.labels"} & PATHS

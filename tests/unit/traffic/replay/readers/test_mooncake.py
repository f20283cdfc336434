"""The Mooncake trace reader: prefix hashes become cache use."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendstream_schemas import TokenUsage
from spendstream_traffic.replay.readers.mooncake import BLOCK_TOKENS, read_mooncake
from spendstream_traffic.replay.rows import RELATIVE_ZERO
from tests.unit.traffic.replay.build import good, split, write


def request(timestamp: float, prompt: int, answer: int, blocks: list[int]) -> str:
    return json.dumps({"timestamp": timestamp, "input_length": prompt, "output_length": answer, "hash_ids": blocks})


def usages(path: Path, **options: Any) -> list[dict[str, int]]:
    return [row.payload["usage"] for row in good(read_mooncake(path, **options))]


def test_the_leading_blocks_that_were_seen_are_cache_reads(tmp_path: Path) -> None:
    """Only a prefix can be served from the cache: a known block behind an unknown one does not count."""
    path = write(
        tmp_path / "t.jsonl",
        [request(0, 1100, 10, [1, 2, 3]), request(5, 1600, 10, [1, 2, 9, 3]), request(9, 600, 1, [7, 1])],
    )
    assert [usage["cache_read_tokens"] for usage in usages(path)] == [0, 1024, 0]
    assert [usage["input_tokens"] for usage in usages(path)] == [1100, 1600, 600]


def test_a_partial_last_block_is_not_read_beyond_the_prompt(tmp_path: Path) -> None:
    """The same prompt again: 3 blocks were seen, but it only has 1100 tokens."""
    path = write(tmp_path / "t.jsonl", [request(0, 1100, 10, [1, 2, 3])] * 2)
    assert [usage["cache_read_tokens"] for usage in usages(path)] == [0, 1100]


def test_cache_writes_are_the_other_full_blocks_and_only_on_request(tmp_path: Path) -> None:
    """As on a provider that bills writes: what was not read and fills a block is written."""
    path = write(tmp_path / "t.jsonl", [request(0, 1100, 10, [1, 2, 3]), request(5, 1600, 10, [1, 2, 9, 4])])
    assert all("cache_write_5m_tokens" not in usage for usage in usages(path))
    assert [usage["cache_write_5m_tokens"] for usage in usages(path, cache_writes=True)] == [1024, 512]


def test_times_count_from_the_given_instant_with_a_documented_default(tmp_path: Path) -> None:
    """Milliseconds, fractions of them too."""
    path = write(tmp_path / "t.jsonl", [request(1500, 1, 1, []), request(2000.25, 1, 1, [])])
    zero = datetime(2025, 1, 1, tzinfo=UTC)
    assert [row.payload["occurred_at"] - zero for row in good(read_mooncake(path, zero=zero))] == [
        datetime(2025, 1, 1, 0, 0, 1, 500000, tzinfo=UTC) - zero,
        datetime(2025, 1, 1, 0, 0, 2, 250, tzinfo=UTC) - zero,
    ]
    assert good(read_mooncake(path))[0].payload["occurred_at"] > RELATIVE_ZERO


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"timestamp": 0, "input_length": 1.5, "output_length": 1}', "input_length is not a whole number"),
        ('{"timestamp": 0, "input_length": 5}', "output_length is not a whole number of tokens: it is missing"),
        ('{"timestamp": true, "input_length": 5, "output_length": 1}', "timestamp is not a number of"),
        ('{"timestamp": NaN, "input_length": 5, "output_length": 1}', "is not JSON"),
        ('{"timestamp": 1e300, "input_length": 5, "output_length": 1}', "timestamp is out of range"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": ["1"]}', "hash_ids is not a list"),
    ],
)  # fmt: skip
def test_a_broken_line_is_told_and_changes_no_cache(tmp_path: Path, line: str, why: str) -> None:
    """One bad line costs one line."""
    path = write(tmp_path / "t.jsonl", [line, request(0, 600, 1, [1])])
    rows, bad = split(read_mooncake(path))
    assert [item.line for item in bad] == [1]
    assert why in bad[0].why
    assert rows[0].payload["usage"]["cache_read_tokens"] == 0


@given(
    requests=st.lists(st.tuples(st.integers(0, 5000), st.lists(st.integers(0, 6), max_size=8)), min_size=1, max_size=30)
)
def test_every_usage_is_valid_by_the_contract(
    requests: list[tuple[int, list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the hashes say, reads and writes fit into the prompt, and reads are whole blocks or all of it."""
    lines = [request(number, prompt, 1, blocks) for number, (prompt, blocks) in enumerate(requests)]
    path = write(tmp_path_factory.mktemp("mooncake") / "t.jsonl", lines)
    for usage in usages(path, cache_writes=True):
        TokenUsage.model_validate(usage)
        assert usage["cache_read_tokens"] % BLOCK_TOKENS == 0 or usage["cache_read_tokens"] == usage["input_tokens"]

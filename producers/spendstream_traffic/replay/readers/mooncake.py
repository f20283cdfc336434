"""The Mooncake traces: JSONL with timestamp (ms since the start), input_length, output_length, hash_ids.

Source: https://github.com/kvcache-ai/Mooncake. A hash id stands for a prompt prefix that ends with a block of 512
tokens, so the leading ids that an earlier request had too are what a prefix cache would have served. The last block
of a prompt may be partial: what is read is never more than the prompt.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from spendstream_traffic.replay.rows import RELATIVE_ZERO, BadRow, Row, instant, json_record, shown, text_lines

BLOCK_TOKENS: Final = 512
_US_PER_MS: Final = 1000
_MAX_MS: Final = 10**15  # more than the calendar has
_MAX_TOKENS: Final = 10**15


def read_mooncake(path: Path, *, zero: datetime = RELATIVE_ZERO, cache_writes: bool = False) -> Iterator[Row | BadRow]:
    """One row per request, in the file's order; `zero` is the instant of timestamp 0.

    With `cache_writes` the full blocks that were not in the cache are written to it with a lifetime of 5 minutes, as
    on a provider that bills cache writes; without, they are plain input. The cache is endless: a block once seen
    stays. Memory grows with the distinct blocks (some 60 bytes each).
    """
    seen: set[int] = set()
    for item in text_lines(path):
        if isinstance(item, BadRow):
            yield item
            continue
        line, text = item
        try:
            microseconds, prompt, answer, blocks = _request(text)
            occurred_at = instant(zero, microseconds, "timestamp")
        except ValueError as error:
            yield BadRow(line, str(error))
            continue
        hits = next((index for index, block in enumerate(blocks) if block not in seen), len(blocks))
        cached = min(hits * BLOCK_TOKENS, prompt)
        seen.update(blocks)
        usage = {"kind": "tokens", "input_tokens": prompt, "cache_read_tokens": cached, "output_tokens": answer}
        if cache_writes:
            usage["cache_write_5m_tokens"] = max(prompt // BLOCK_TOKENS * BLOCK_TOKENS - cached, 0)
        yield Row(line, {"occurred_at": occurred_at, "usage": usage})


def _request(text: str) -> tuple[int, int, int, list[int]]:
    record = json_record(text)
    blocks = record.get("hash_ids", [])
    if not isinstance(blocks, list) or not all(type(block) is int for block in blocks):
        raise ValueError("hash_ids is not a list of whole numbers")
    timestamp = record.get("timestamp")
    if isinstance(timestamp, bool) or not isinstance(timestamp, (int, Decimal)) or timestamp < 0:
        raise ValueError(f"timestamp is not a number of milliseconds: {_short(timestamp)}")
    if timestamp > _MAX_MS:
        raise ValueError(f"timestamp is out of range: {shown(timestamp)}")
    return (
        round(timestamp * _US_PER_MS),
        _count(record, "input_length"),
        _count(record, "output_length"),
        blocks,
    )


def _count(record: dict[str, Any], name: str) -> int:
    value = record.get(name)
    if type(value) is not int or not 0 <= value <= _MAX_TOKENS:
        raise ValueError(f"{name} is not a whole number of tokens: {_short(value)}")
    return value


def _short(value: object) -> str:
    return "it is missing" if value is None else shown(value)

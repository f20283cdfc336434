"""The body of an insert: every byte of an Arrow file, in pieces that are not copies."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_jobs.store.arrow_body import JOINED_BYTES, pieces_of


def file_of(rows: pa.Table, compression: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@settings(max_examples=30)
@given(st.integers(0, 20_000), st.integers(1, 500))
def test_the_pieces_are_the_file(compression: str | None, rows: int, distinct: int) -> None:
    """Of small columns and large ones, of texts that repeat, of NULL and of nothing at all."""
    numbers = list(range(rows))
    table = pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "text": pa.array([str(number) for number in numbers], pa.string()),
            "repeated": pa.array([str(number % distinct) for number in numbers], pa.string()).dictionary_encode(),
            "some": pa.array([number % 100 if number % 3 else None for number in numbers], pa.int8()),
        }
    ).combine_chunks()
    pieces, size = pieces_of(table, compression)
    assert b"".join(pieces) == file_of(table, compression)
    assert size == sum(map(len, pieces))


def test_a_large_column_is_not_copied() -> None:
    """Its piece is the memory that it lies in."""
    column = pa.array(range(JOINED_BYTES), pa.int64())
    pieces, _ = pieces_of(pa.table({"number": column}), None)
    addresses = [pa.py_buffer(piece).address for piece in pieces]
    assert column.buffers()[1].address in addresses
    assert len(pieces) == 3

"""Rows as bytes and again: an Arrow IPC stream, compressed."""

import pyarrow as pa

_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def schema_of(message: bytes) -> pa.Schema:
    """What its rows claim to be, before any of them is unpacked."""
    with pa.ipc.open_stream(message) as reader:
        return reader.schema


def decoded(message: bytes) -> pa.Table:
    with pa.ipc.open_stream(message) as reader:
        return reader.read_all()

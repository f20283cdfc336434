"""Rows as the body of an insert: an Arrow file in pieces, sent as they lie in memory.

A block is 50 MB. As one text it would be there twice while it is sent, and writing it takes longer than sending it.
"""

from typing import Final

import pyarrow as pa

COMPRESSIONS: Final = ("lz4", "zstd")
JOINED_BYTES: Final = 64 * 1024
"""Smaller pieces travel together: each piece is a call of the system's own."""


class _Pieces:
    """A file that keeps what is written into it. Buffers are not copied, so they must not change."""

    closed = False

    def __init__(self) -> None:
        self.found: list[bytes | memoryview] = []
        self.size = 0
        self._small: list[bytes] = []
        self._small_bytes = 0

    def write(self, data: bytes | pa.Buffer) -> int:
        view = memoryview(data)
        self.size += view.nbytes
        if view.nbytes >= JOINED_BYTES:
            self.flush()
            self.found.append(view)
        else:
            self._small.append(bytes(view))
            self._small_bytes += view.nbytes
            if self._small_bytes >= JOINED_BYTES:
                self.flush()
        return view.nbytes

    def flush(self) -> None:
        if self._small:
            self.found.append(b"".join(self._small))
            self._small, self._small_bytes = [], 0

    def close(self) -> None:
        self.flush()
        self.closed = True


def pieces_of(rows: pa.Table, compression: str | None) -> tuple[list[bytes | memoryview], int]:
    """The rows in the format `Arrow`, and how many bytes that are. `compression`: one of COMPRESSIONS, or None."""
    pieces = _Pieces()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.PythonFile(pieces, mode="w") as sink, pa.ipc.new_file(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    pieces.close()
    return pieces.found, pieces.size

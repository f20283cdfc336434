"""A bounded first-in first-out queue of one topic's messages on disk.

Append-only segment files, read and acknowledged in order. A segment is deleted when all of it is acknowledged; how
far the oldest one is acknowledged stands in `cursor`, which may lag behind (then some messages are sent twice, which
the pipeline drops by event_id) but never runs ahead (which would lose messages).

Written data is in the operating system's page cache: it survives a kill -9 of the process, not a power cut.
"""

import contextlib
import errno
import os
import struct
import zlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from spendstream.errors import SpoolFullError
from spendstream.framing import HEADER, MAX_PAYLOAD_BYTES, ChecksumError, TornError, decode, encode
from spendstream.native import is_mine, new_rlock
from spendstream.private import make_private, open_private

_CURSOR: Final = struct.Struct("<QQI")  # segment, offset, crc32 of both
_CHUNK_BYTES: Final = 4 * (MAX_PAYLOAD_BYTES + HEADER.size)
_KEEP_ACTIVE_BYTES: Final = 256 * 1024
"""An empty spool goes on with its current file up to this size, so that it does not make a file per message."""


class Position(NamedTuple):
    """The end of a record: what is acknowledged up to."""

    segment: int
    offset: int


class SpooledRecord(NamedTuple):
    key: bytes
    value: bytes
    signature: bytes  # empty: it is not signed
    position: Position


class Spool:
    """The queue in `folder`. Thread-safe. Whoever uses it must hold the claim on the folder.

    Every method may raise OSError; `append` is all or nothing.
    """

    def __init__(self, folder: Path, max_bytes: int, segment_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // 4)  # room comes back a segment at a time
        self._keep_active_bytes = min(_KEEP_ACTIVE_BYTES, self._segment_bytes // 2)
        self._lock = new_rlock()
        self._closed = False
        self._cut = False  # an append did not come to its end: a signal's handler raised in the middle of it
        self._writer: int | None = None  # descriptor of the last segment, once this process appends
        self._reader: tuple[int, int] | None = None  # (segment, descriptor)
        self._outstanding: deque[Position] = deque()  # read, in order, not all acknowledged
        self._damage: set[Position] = set()
        self._done: set[Position] = set()  # acknowledged, but not everything before them is
        self.corrupt_records = 0  # damaged or torn places met while reading
        make_private(folder)
        found = sorted(int(path.stem) for path in folder.glob("*.seg") if path.stem.isdecimal())
        self._sizes: dict[int, int] = {number: self._path(number).stat().st_size for number in found}
        self._next_number = found[-1] + 1 if found else 1
        self._cursor = self._load_cursor()
        self._saved_cursor = self._cursor
        self._read_at = self._cursor
        self.bytes = sum(self._sizes.values())
        self.records = sum(self._count(number) for number in self._sizes)  # not yet acknowledged

    def append(self, messages: Sequence[tuple[bytes, bytes] | tuple[bytes, bytes, bytes]]) -> None:
        """Add (key, value) or (key, value, signature) messages at the end. Raises SpoolFullError or OSError; then
        nothing was added."""
        data = b"".join([encode(*message) for message in messages])
        if is_mine(self._lock):  # what the collector of garbage ends may be appended in the middle of any method
            raise OSError(errno.EBUSY, "the spool is in use by what this call interrupted")
        with self._lock:
            if self._closed:
                raise OSError("the spool is closed")
            if self.bytes + len(data) > self._max_bytes:
                raise SpoolFullError
            number = self._open_for_append()
            assert self._writer is not None
            size = self._sizes[number]
            if self._cut:
                os.ftruncate(self._writer, size)
            self._cut = True
            try:
                written = 0
                while written < len(data):
                    written += os.write(self._writer, data[written:])
            except OSError:
                self._undo_append(size)
                raise
            self._sizes[number] = size + len(data)
            self.bytes += len(data)
            self.records += len(messages)
            self._cut = False

    def read(self, max_records: int) -> list[SpooledRecord]:
        """The next messages, oldest first; fewer than asked for does not mean that there are no more."""
        with self._lock:
            records: list[SpooledRecord] = []
            while len(records) < max_records and self._seek_data():
                self._read_chunk(records, max_records)
            self._outstanding.extend(record.position for record in records)
            self._collect()
            return [
                record for record in records if record.position > self._cursor and record.position not in self._done
            ]

    @property
    def exhausted(self) -> bool:
        """Everything in it was read (not necessarily acknowledged)."""
        with self._lock:
            return not self._seek_data()

    def ack(self, position: Position) -> None:
        """The broker has this message."""
        with self._lock:
            if position > self._cursor and position not in self._done:
                self._done.add(position)
                self.records -= 1
                self._collect()

    def rewind(self) -> None:
        """Read again from the oldest message that is not acknowledged. Later acknowledged ones are skipped."""
        with self._lock:
            self._read_at = self._cursor
            self._outstanding.clear()

    def save_cursor(self) -> None:
        """Persist how far everything is acknowledged. Without it a restart sends more twice; nothing is lost."""
        with self._lock:
            if self._cursor == self._saved_cursor:
                return
            body = _CURSOR.pack(*self._cursor, 0)[:16]
            fd = open_private(self._folder / "cursor", os.O_WRONLY | os.O_CREAT)
            try:
                # In place: works on a full disk; a torn write fails the checksum and reads as "from the start".
                os.pwrite(fd, body + zlib.crc32(body).to_bytes(4, "little"), 0)
            finally:
                os.close(fd)
            self._saved_cursor = self._cursor

    def close(self) -> None:
        """Close the files; remove them when nothing is left to send."""
        self.save_cursor()
        with self._lock:
            self._closed = True
            self.close_files()
            if self.records <= 0 and not self._seek_data():
                for number in list(self._sizes):
                    self._delete(number)
                (self._folder / "cursor").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    self._folder.rmdir()
            self._close_reader()

    def close_files(self) -> None:
        """Close the descriptors only (in a forked child, where the files are the parent's)."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
        self._close_reader()

    # --- the rest runs under the lock -------------------------------------------------------------------------

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016d}.seg"

    def _open_for_append(self) -> int:
        number = self._next_number - 1
        if self._writer is not None and self._sizes.get(number, self._segment_bytes) < self._segment_bytes:
            return number
        # Never append to a file another process wrote: its tail may be torn.
        number = self._next_number
        self._next_number += 1
        writer = open_private(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        before, self._writer = self._writer, writer
        self._sizes[number] = 0
        if before is not None:
            os.close(before)
        return number

    def _undo_append(self, size: int) -> None:
        assert self._writer is not None
        try:
            os.ftruncate(self._writer, size)
        except OSError:
            # The torn tail stays; it is behind the known size, so it is never read, and the next append starts a file.
            os.close(self._writer)
            self._writer = None

    def _seek_data(self) -> bool:
        """Move to the next segment that holds something unread; False when there is none."""
        for number in sorted(self._sizes):
            if number < self._read_at.segment:
                continue
            if number > self._read_at.segment:
                self._read_at = Position(number, 0)
            if self._read_at.offset < self._sizes[number]:
                return True
        return False

    def _read_chunk(self, records: list[SpooledRecord], max_records: int) -> None:
        number, start = self._read_at
        size = self._sizes[number]
        data = os.pread(self._descriptor(number), min(_CHUNK_BYTES, size - start), start)
        whole_rest = start + len(data) >= size
        offset = 0
        while len(records) < max_records and offset < len(data):
            try:
                key, value, signature, offset = decode(data, offset)
            except ChecksumError as error:
                self._damaged(Position(number, start + offset))
                offset = error.next_offset
                continue
            except TornError:
                if offset == 0 or whole_rest:
                    # Cut by a crash, or an impossible length: where the next record begins cannot be known.
                    self._damaged(Position(number, start + offset))
                    offset = size - start
                break  # otherwise the chunk ends inside a record: read on from there
            records.append(SpooledRecord(key, value, signature, Position(number, start + offset)))
        self._read_at = Position(number, start + offset)

    def _damaged(self, position: Position) -> None:
        if position not in self._damage:  # a rewind meets it again
            self._damage.add(position)
            self.corrupt_records += 1

    def _descriptor(self, number: int) -> int:
        if self._reader is None or self._reader[0] != number:
            self._close_reader()
            self._reader = (number, os.open(self._path(number), os.O_RDONLY | os.O_CLOEXEC))
        return self._reader[1]

    def _close_reader(self) -> None:
        if self._reader is not None:
            os.close(self._reader[1])
            self._reader = None

    def _collect(self) -> None:
        """Advance the cursor over what is acknowledged without a gap, and delete what lies behind it."""
        while self._outstanding and self._outstanding[0] in self._done:
            self._cursor = self._outstanding.popleft()
            self._done.discard(self._cursor)
        if not self._outstanding and self._read_at > self._cursor:
            self._cursor = self._read_at  # passes over damaged places
        if not self._outstanding and not self._seek_data():
            self.records = 0  # damaged ones were counted by their headers
        active = self._next_number - 1 if self._writer is not None else None
        for number in sorted(self._sizes):
            used_up = number < self._cursor.segment or (
                number == self._cursor.segment and self._cursor.offset >= self._sizes[number]
            )
            if not used_up:
                break
            if number != active:
                self._delete(number)
            elif self._sizes[number] >= self._keep_active_bytes:
                assert self._writer is not None
                os.close(self._writer)
                self._writer = None
                self._delete(number)

    def _delete(self, number: int) -> None:
        if self._reader is not None and self._reader[0] == number:
            self._close_reader()
        self._path(number).unlink(missing_ok=True)
        self.bytes -= self._sizes.pop(number)

    def _load_cursor(self) -> Position:
        first = Position(min(self._sizes, default=0), 0)
        try:
            data = (self._folder / "cursor").read_bytes()
        except OSError:
            return first
        if len(data) != _CURSOR.size:
            return first
        segment, offset, crc = _CURSOR.unpack(data)
        if zlib.crc32(data[:16]) != crc or segment not in self._sizes or offset > self._sizes[segment]:
            return first
        return Position(segment, offset)

    def _count(self, number: int) -> int:
        """Records after the cursor in one segment, by their headers alone."""
        if number < self._cursor.segment:
            return 0
        data = self._path(number).read_bytes()
        offset = self._cursor.offset if number == self._cursor.segment else 0
        count = 0
        while offset + HEADER.size <= len(data):
            offset += HEADER.size + HEADER.unpack_from(data, offset)[0]
            count += offset <= len(data)
        return count

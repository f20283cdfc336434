"""`spool`: a first-in first-out queue on disk that survives what happens to files."""

import errno
import linecache
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendstream.errors import SpoolFullError
from spendstream.framing import HEADER, MAX_PAYLOAD_BYTES, encode
from spendstream.spool import Spool
from tests.full_disk import limited_files

MIB = 1024 * 1024


def spool(folder: Path, max_bytes: int = MIB, segment_bytes: int = MIB) -> Spool:
    return Spool(folder, max_bytes, segment_bytes)


def messages(count: int, start: int = 0, size: int = 50) -> list[tuple[bytes, bytes]]:
    return [(f"k{number}".encode(), f"{number}".encode().ljust(size, b".")) for number in range(start, start + count)]


def drain(queue: Spool) -> list[tuple[bytes, bytes]]:
    """Read and acknowledge everything."""
    found = []
    while records := queue.read(7):
        for record in records:
            queue.ack(record.position)
            found.append((record.key, record.value))
    return found


@given(
    batches=st.lists(
        st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=300)), min_size=1, max_size=8), max_size=8
    ),
    reopen_after=st.integers(0, 8),
)
@settings(max_examples=60)
def test_what_goes_in_comes_out_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[bytes, bytes]]], reopen_after: int
) -> None:
    """Any messages, over many small segments, with a crash of the owner at any point: same messages, same order."""
    folder = tmp_path_factory.mktemp("spool")
    queue = spool(folder, segment_bytes=256)
    read_by_owner = []
    for number, batch in enumerate(batches):
        queue.append(batch)
        if number == reopen_after:
            read_by_owner = drain(queue)
            queue.save_cursor()
            queue.close_files()  # what kill -9 leaves
            queue = spool(folder, segment_bytes=256)
    rest = drain(queue)
    assert read_by_owner + rest == [message for batch in batches for message in batch]
    assert (queue.records, queue.exhausted, queue.corrupt_records) == (0, True, 0)
    queue.close()
    assert not folder.exists()


@given(cut=st.integers(1, 400), batch=st.integers(1, 8))
@settings(max_examples=40)
def test_a_torn_tail_costs_the_torn_message_only(
    tmp_path_factory: pytest.TempPathFactory, cut: int, batch: int
) -> None:
    """A segment cut at any byte: every whole message before the cut is read, the torn one is counted."""
    folder = tmp_path_factory.mktemp("spool")
    queue = spool(folder)
    sent = messages(batch)
    queue.append(sent)
    queue.close_files()
    (segment,) = folder.glob("*.seg")
    data = segment.read_bytes()
    cut = min(cut, len(data) - 1)
    segment.write_bytes(data[:-cut])
    whole = 0
    end = 0
    for key, value in sent:
        end += HEADER.size + len(key) + len(value)
        whole += end <= len(data) - cut
        torn = end > len(data) - cut
    heir = spool(folder)
    assert heir.records == whole
    heir.append(messages(1, start=99))
    assert drain(heir) == [*sent[:whole], *messages(1, start=99)]
    cut_inside = torn and (len(data) - cut) not in _ends(sent)
    assert heir.corrupt_records == int(cut_inside)
    heir.close()
    assert not folder.exists()


def _ends(sent: list[tuple[bytes, bytes]]) -> set[int]:
    ends, end = {0}, 0
    for key, value in sent:
        end += HEADER.size + len(key) + len(value)
        ends.add(end)
    return ends


def test_a_flipped_bit_costs_one_message(tmp_path: Path) -> None:
    """A damaged message is skipped and counted; those behind it are read."""
    queue = spool(tmp_path)
    queue.append(messages(5))
    queue.close_files()
    (segment,) = tmp_path.glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[HEADER.size + 20] ^= 1
    segment.write_bytes(data)
    heir = spool(tmp_path)
    assert drain(heir) == messages(5)[1:]
    assert heir.corrupt_records == 1
    heir.close_files()


@pytest.mark.parametrize("garbage", [b"\0" * 500, b"\xff" * 500, b"x"])
def test_garbage_is_counted_and_left_behind(tmp_path: Path, garbage: bytes) -> None:
    """A segment of zeros (a power cut), of impossible lengths, or too short for a header does not stop the reading."""
    (tmp_path / f"{1:016d}.seg").write_bytes(garbage)
    queue = spool(tmp_path)
    queue.append(messages(3))
    assert drain(queue) == messages(3)
    assert queue.corrupt_records >= 1
    queue.close()
    assert not tmp_path.exists()


def test_the_largest_message_fits_through(tmp_path: Path) -> None:
    """Messages at the payload bound, several to a read chunk's edge, come out whole."""
    queue = spool(tmp_path, max_bytes=8 * MIB)
    sent = [(b"k" * 100, bytes([number]) * (MAX_PAYLOAD_BYTES - 100)) for number in range(9)]
    queue.append(sent)
    assert drain(queue) == sent
    queue.close()


def test_the_bound_refuses_and_room_comes_back(tmp_path: Path) -> None:
    """At its bound append adds nothing; once the oldest segments are acknowledged there is room again."""
    queue = spool(tmp_path, max_bytes=8000, segment_bytes=2000)
    count = 0
    while queue.bytes + len(encode(*messages(1, start=count)[0])) <= 8000:
        queue.append(messages(1, start=count))
        count += 1
    with pytest.raises(SpoolFullError):
        queue.append(messages(1, start=count))
    assert 8000 - 100 < queue.bytes <= 8000
    for record in queue.read(count // 2):
        queue.ack(record.position)
    assert queue.bytes < 6500
    queue.append(messages(10, start=count))
    assert [key for key, _ in drain(queue)] == [key for key, _ in messages(count + 10)[count // 2 :]]
    queue.close()


def test_an_empty_spool_takes_its_whole_bound_again(tmp_path: Path) -> None:
    """Filling and draining over and over never wears the bound down."""
    queue = spool(tmp_path, max_bytes=8000, segment_bytes=8000)
    for _ in range(5):
        queue.append(messages(60))
        assert drain(queue) == messages(60)
    queue.close()


def test_acknowledgements_out_of_order_hold_the_cursor_back(tmp_path: Path) -> None:
    """The cursor passes only what is acknowledged without a gap; a rewind skips what was acknowledged beyond it."""
    queue = spool(tmp_path)
    queue.append(messages(5))
    first, second, third, *_ = queue.read(5)
    queue.ack(third.position)
    queue.ack(first.position)
    queue.ack(first.position)  # twice counts once
    assert queue.records == 3
    queue.rewind()
    assert [record.key for record in queue.read(5)] == [b"k1", b"k3", b"k4"]
    queue.save_cursor()
    queue.close_files()
    heir = spool(tmp_path)
    assert [record.key for record in heir.read(5)] == [b"k1", b"k2", b"k3", b"k4"]
    assert second.key == b"k1"
    heir.close_files()


@pytest.mark.parametrize("damage", [b"", b"short", b"\xff" * 20])
def test_a_broken_cursor_reads_from_the_start(tmp_path: Path, damage: bytes) -> None:
    """Sending twice is allowed, losing is not."""
    queue = spool(tmp_path)
    queue.append(messages(5))
    queue.ack(queue.read(1)[0].position)
    queue.save_cursor()
    queue.close_files()
    (tmp_path / "cursor").write_bytes(damage)
    heir = spool(tmp_path)
    assert drain(heir) == messages(5)
    heir.close()


def test_a_write_that_fails_half_way_adds_nothing(tmp_path: Path) -> None:
    """The disk is full in the middle of a batch: the error is raised, the half batch is gone, later appends work."""
    queue = spool(tmp_path)
    queue.append(messages(10))
    with limited_files(queue.bytes + 100), pytest.raises(OSError, match="too large"):
        queue.append(messages(10, start=10))
    assert queue.records == 10
    queue.append(messages(5, start=20))
    assert drain(queue) == [*messages(10), *messages(5, start=20)]
    assert queue.corrupt_records == 0
    queue.close()


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    """Appending after close raises; nothing lands in a folder that is given up."""
    queue = spool(tmp_path)
    queue.close()
    with pytest.raises(OSError, match="closed"):
        queue.append(messages(1))
    assert not tmp_path.exists()


def test_an_append_in_the_middle_of_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector of garbage may end a call, which emits, wherever Python code runs: it must not wait for itself."""
    spool, refused, write = Spool(tmp_path, 1 << 20, 1 << 18), [], os.write

    def interrupted(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        try:
            spool.append([(b"inner", b"v")])
        except OSError as error:
            refused.append(error.errno)
        return write(fd, data)

    monkeypatch.setattr(os, "write", interrupted)
    spool.append([(b"outer", b"v")])
    spool.append([(b"next", b"v")])
    assert refused == [errno.EBUSY]
    assert [record.key for record in spool.read(9)] == [b"outer", b"next"]


def test_a_signal_in_the_middle_of_an_append_harms_nothing_else(tmp_path: Path) -> None:
    """A handler may raise at any line of it (a task's time limit): what came before and comes after is read whole."""
    spool, accepted, lines = Spool(tmp_path, 1 << 20, 1 << 18), [], 0

    def raise_at(line: int) -> Any:
        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal lines
            code, here = frame.f_code, linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            # Python looks for signals at calls: not where a `with` ends or a `try` begins.
            if event == "line" and code.co_filename.endswith("spool.py") and not here.startswith(("with ", "try:")):
                lines += 1
                if lines == line:
                    raise TimeoutError("the task's limit")
            return trace

        return trace

    for line in range(1, 30):
        for again in range(3):
            key = f"{line}-{again}".encode()
            lines = 0
            before = sys.gettrace()
            sys.settrace(raise_at(line) if again == 1 else None)
            try:
                spool.append([(key, b"v" * 100)])
                accepted.append(key)
            except TimeoutError:
                pass
            finally:
                sys.settrace(before)
    found = []
    while records := spool.read(1000):
        found += [record.key for record in records]
    assert [key for key in found if key in accepted] == accepted
    assert spool.corrupt_records == 0

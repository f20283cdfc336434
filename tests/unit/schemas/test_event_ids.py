"""Ids of events: UUIDv7, unique across threads and children, sortable by time."""

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from spendstream_schemas import new_event_id, types


def test_ids_are_version_7_and_say_when() -> None:
    """RFC 9562: the first 48 bits are milliseconds; the 12 after the version, a fraction of one."""
    before = time.time_ns()
    ids = [uuid.UUID(new_event_id()) for _ in range(1000)]
    after = time.time_ns()
    assert {(one.version, one.variant) for one in ids} == {(7, uuid.RFC_4122)}
    for one in ids:
        ms, fraction = one.int >> 80, (one.int >> 64) & 0xFFF
        made = ms * 1_000_000 + fraction * 1_000_000 // 4096
        assert before - 250 <= made <= after
    assert [one.int >> 64 for one in ids] == sorted(one.int >> 64 for one in ids)


def test_ids_are_unique_in_threads() -> None:
    """Each random part is given once."""
    with ThreadPoolExecutor(8) as pool:
        ids = [one for some in pool.map(lambda _: [new_event_id() for _ in range(2000)], range(8)) for one in some]
    assert len({one[19:] for one in ids}) == len(ids)


def test_children_have_other_random_parts() -> None:
    """A fork that Python hears of leaves none of the parent's; the process id tells the others apart."""
    new_event_id()
    kept = list(types._random)
    mine = [new_event_id()[19:] for _ in range(3)]
    read, write = os.pipe()
    if not (child := os.fork()):
        theirs = [new_event_id()[19:] for _ in range(3)]
        types._random[:] = kept
        theirs += [new_event_id()[19:] for _ in range(3)]
        os.write(write, " ".join(theirs).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        theirs = answer.read().split()
    assert len(theirs) == 6
    assert not set(mine) & set(theirs)

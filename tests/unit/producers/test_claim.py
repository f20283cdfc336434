"""`claim`: one owner per spool folder, and heirs for those whose owner is gone."""

import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spendstream.claim import SpoolClaim, adopt_orphans


def _orphan(root: Path, topic: str) -> Path:
    """A claim with something in it whose owner died."""
    claim = SpoolClaim.make(root)
    (claim.folder / topic).mkdir()
    (claim.folder / topic / "1.seg").write_bytes(b"x")
    claim.abandon()  # what the kernel does on kill -9
    return claim.folder


def test_living_claims_are_not_adopted(tmp_path: Path) -> None:
    """While its owner holds the lock, nobody else gets the folder, not even within the same process."""
    claim = SpoolClaim.make(tmp_path)
    (claim.folder / "topic").mkdir()
    assert adopt_orphans(tmp_path) == []
    claim.release()


def test_orphans_are_adopted_once_oldest_first(tmp_path: Path) -> None:
    """Every orphan has exactly one heir; the heir gets them in the order they were made."""
    folders = [_orphan(tmp_path, f"t{number}") for number in range(3)]
    heirs = adopt_orphans(tmp_path)
    assert [heir.folder for heir in heirs] == folders
    assert [heir.topics() for heir in heirs] == [["t0"], ["t1"], ["t2"]]
    assert adopt_orphans(tmp_path) == []
    for heir in heirs:
        heir.release()
    assert [claim.folder for claim in adopt_orphans(tmp_path)] == folders  # released with content: orphans again


def test_an_empty_claim_leaves_nothing_behind(tmp_path: Path) -> None:
    """Released, or left by a killed idle process: the folder disappears."""
    SpoolClaim.make(tmp_path).release()
    SpoolClaim.make(tmp_path).abandon()
    assert adopt_orphans(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """Folders without a lock file are not ours."""
    (tmp_path / "other" / "topic").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    assert adopt_orphans(tmp_path) == []
    assert (tmp_path / "other" / "topic").is_dir()


def test_starts_at_one_moment_do_not_take_each_others_claims(tmp_path: Path) -> None:
    """However many processes begin while others look for orphans, each gets its claim."""
    enough = threading.Event()

    def look() -> int:
        found = 0
        while not enough.is_set():
            found += len(adopt_orphans(tmp_path))
        return found

    with ThreadPoolExecutor(6) as pool:
        looking = [pool.submit(look) for _ in range(3)]
        try:
            claims = list(pool.map(lambda _: SpoolClaim.make(tmp_path), range(200)))
        finally:
            enough.set()
        assert sum(one.result() for one in looking) == 0
    assert len({claim.folder for claim in claims}) == 200
    for claim in claims:
        claim.release()


def test_what_another_start_holds_is_there_for_the_next_look(tmp_path: Path) -> None:
    """A folder that somebody else has locked, or that cannot be read, is neither lost nor in the way of the others."""
    held, unreadable, free = (_orphan(tmp_path, f"t{number}") for number in range(3))
    other = os.open(held / "lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    (unreadable / "lock").unlink()
    (unreadable / "lock").symlink_to(unreadable / "t1" / "1.seg")  # links are not followed: OSError
    problems: list[OSError] = []
    assert [claim.folder for claim in adopt_orphans(tmp_path, problems.append)] == [free]
    assert len(problems) == 1
    os.close(other)
    (unreadable / "lock").unlink()
    (unreadable / "lock").touch()
    assert [claim.folder for claim in adopt_orphans(tmp_path, problems.append)] == [held, unreadable]
    assert len(problems) == 1

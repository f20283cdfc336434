"""What the children of frameworks emitted arrives, though they end with `os._exit`, which no `atexit` sees."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from tests.unit.producers.children import CHILDREN, WAYS, WITHOUT_PARENT
from tests.unit.producers.support import create_topics, ids_on

ROOT = Path(__file__).parents[2]
COUNT = 100


@pytest.mark.parametrize("way", WAYS)
def test_a_child_delivers_before_it_ends(way: str, broker: TansuBroker, tmp_path: Path) -> None:
    """Forked, spawned, pooled, terminated by its pool: every event that a child's `emit` accepted arrives, once;
    those of the parent, too, though a fork may make their client send one again."""
    create_topics(broker.address)
    settings = {"bootstrap_servers": broker.address, "source": "svc", "spool_dir": str(tmp_path / "spool")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.producers.children", json.dumps(settings), way, str(COUNT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done"), done.stderr
    parent = set() if way in WITHOUT_PARENT else {f"{way}-parent-0"}
    if way == "process-holding":
        parent |= {f"{way}-parent-held-{number}" for number in range(2)}
    expected = {f"{way}-{child}-{number}" for child in range(CHILDREN) for number in range(COUNT)} | parent
    found = ids_on(broker.address)
    assert sorted(set(found)) == sorted(expected)
    # What a client had sent that was given up for a fork (on a machine that takes a second for it) may come twice.
    assert [one for one in set(found) - parent if found.count(one) > 1] == []
    assert list((tmp_path / "spool").rglob("*.seg")) == []

"""Tests that share a broker or a pipeline run in one worker of pytest-xdist; those of low priority get plain ones; and
those that are slow are found."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.distribution import PLAIN, PLAIN_GROUPS, Beside, pytest_configure_node

GROUPED = ["tests/contract/test_a.py", "tests/integration/test_b.py"]
TESTS = st.one_of(
    st.tuples(st.sampled_from(GROUPED), st.sampled_from(["g", "h", *sorted(PLAIN_GROUPS)])),
    st.tuples(st.sampled_from([f"{place}c.py" for place in PLAIN]), st.sampled_from(["", "", "", "g"])),
)


@pytest.mark.xdist_group("groups")
def test_the_group_of_a_test_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """It stands at the end of the test's id. Where it gets lost, all groups are silently spread over all workers."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not run with --dist loadgroup")
    assert request.node.nodeid.endswith("@groups")


def test_slow_tests_say_so_in_their_own_files() -> None:
    """`make test-slow` loads the files in which it stands: a mark that a helper gives would be run by nobody."""
    here = Path(__file__)
    for path in here.parents[1].rglob("*.py"):
        text = "" if path == here else path.read_text(encoding="utf-8")
        assert path.name.startswith("test_") or "mark.slow" not in text, path


class Worker:
    """What the scheduler knows of a worker: it runs what it was given, in order."""

    def __init__(self, config: Any, number: int, ordinary: int | None) -> None:
        self.config = SimpleNamespace(stash=SimpleNamespace(get=lambda *_: ordinary))
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.workerinput: dict[str, Any] = {}
        self.shutting_down = False
        self.given: list[int] = []
        pytest_configure_node(self)

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


OF_A_GROUP = """
import pathlib
import pytest
from tests.distribution import pytest_collection, pytest_collection_modifyitems

@pytest.fixture(scope="session")
def pipeline():
    pathlib.Path("began").touch()
    yield
    pathlib.Path("ended").touch()
"""
ITS_TESTS = """
import pathlib
import pytest

@pytest.mark.xdist_group("a")
@pytest.mark.parametrize("number", [0, 1])
def test_uses_it(pipeline, number):
    assert pathlib.Path("began").exists() and not pathlib.Path("ended").exists()

@pytest.mark.parametrize("number", range(9))
def test_comes_later(number):
    assert pathlib.Path("ended").exists()
"""


def test_what_runs_for_a_group_ends_with_its_last_test(tmp_path: Path) -> None:
    """Left to the end of the session, a pipeline polled through all the tests that came later. As here, the conftest
    stands below the root: there pytest tells it nothing of fixtures of the session."""
    (tmp_path / "pytest.ini").touch()
    below = tmp_path / "below"
    below.mkdir()
    (below / "conftest.py").write_text(OF_A_GROUP)
    (below / "test_it.py").write_text(ITS_TESTS)
    command = [sys.executable, "-m", "pytest", "-n", "1", "--dist", "loadgroup", "-p", "no:cacheprovider", "below"]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert "11 passed" in done.stdout, done.stdout + done.stderr


@given(st.lists(TESTS, min_size=1, max_size=60), st.sampled_from([None, 2]), st.data())
def test_added_workers_get_plain_tests_only_and_every_test_runs_once(
    tests: list[tuple[str, str]], ordinary: int | None, data: st.DataObject
) -> None:
    """Whoever is done first; and all tests of a group run in one worker."""
    ids = [f"{path}::test_{n}{group and '@' + group}" for n, (path, group) in enumerate(tests)]
    config = SimpleNamespace(getvalue=lambda _: ["popen"] * 3, option=SimpleNamespace(loadscopereorder=True), hook=None)
    scheduler = Beside(config)
    workers = [Worker(config, number, ordinary) for number in range(3)]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, ids)
    scheduler.schedule()
    done = [0] * 3
    while ready := [n for n in range(3) if done[n] < len(workers[n].given)]:
        number = data.draw(st.sampled_from(ready))
        done[number] += 1
        scheduler.mark_test_complete(workers[number], workers[number].given[done[number] - 1])
    assert sorted(one for worker in workers for one in worker.given) == list(range(len(ids)))
    assert not scheduler.has_pending
    groups = [{tests[one][1] for one in worker.given} - {""} for worker in workers]
    assert sum(map(len, groups)) == len(set().union(*groups))
    if ordinary is not None:
        given = [tests[one] for one in workers[2].given]
        assert all(group in PLAIN_GROUPS or (path.startswith(PLAIN) and not group) for path, group in given)

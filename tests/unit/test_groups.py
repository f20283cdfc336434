"""Tests that share a broker or a pipeline run in one worker of pytest-xdist; those of low priority get plain ones; and
those that are slow are found."""

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

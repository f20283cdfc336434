"""How pytest-xdist spreads the tests over workers.

Modules that share processes stay together. And beside one worker for each processor there are workers of low priority,
for plain tests: those of processes wait a third of their time, for a group to be joined or a store to start. More
workers of the ordinary kind would use that time, but also take the processor from what the others wait for. So what is
added runs only tests that have nothing to be late for, and has the processor when nobody else wants it.
"""

import contextlib
import gc
import importlib
import os
from collections.abc import Generator
from typing import Any, Final

import pytest
from xdist.scheduler import LoadGroupScheduling

NICENESS: Final = 10
PLAIN: Final = ("tests/unit/", "tests/contract/test_broker_")
"""What workers of low priority run: functions, and what a broker of a test's own answers, which has half a minute."""
PLAIN_GROUPS: Final = frozenset(
    f"test_{name}"
    for name in ("benchmarks_run", "figure_sources", "figures", "operations_rollup", "series_history", "spread")
)
"""And modules of many calculations in a store, or of minutes of patience."""
TOGETHER: Final = "integration"
"""The folder whose modules start a store, a broker or a pipeline for all of their tests."""
_ORDINARY: Final = pytest.StashKey[int]()
_BESIDE: Final = "beside"
OF_A_GROUP: Final = frozenset({"pipeline", "shared_kafka"})
"""Session fixtures that end with the last test of their group. Idle until the worker ends they took a fifth of a
processor: a pipeline polls, and a store merges."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """A module of that folder runs on one worker, so that what it shares is started once. Who shares more says so.

    pytest-xdist 3.8 writes a test's group into `_nodeid`, which pytest 9.2 no longer reads: without what is done here
    after it, marks of xdist_group are silently ignored.
    """
    for item in items:
        if item.path.parent.name == TOGETHER and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    yield
    for item in items:
        wanted = getattr(item, "_nodeid", item.nodeid)
        if wanted != item.nodeid:
            item._id = type(item.id).parse(wanted)


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """What `-n auto` means."""
    ordinary = yield
    config.stash[_ORDINARY] = ordinary
    return ordinary + (ordinary + 1) // 2


def pytest_configure_node(node: Any) -> None:
    """Tells a worker whether it is one of low priority."""
    ordinary = node.config.stash.get(_ORDINARY, None)
    node.workerinput[_BESIDE] = ordinary is not None and int(node.gateway.id.removeprefix("gw")) >= ordinary


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Modules and tests live as long as the process: a million objects that the collector need not look through again,
    neither while they are made, which is a fifth of the time, nor later."""
    if hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Groups())
    gc.disable()
    try:
        _import_a_share(session.config)
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def _import_a_share(config: pytest.Config) -> None:
    """Each worker begins with other modules than the others. What nobody has compiled yet, as in a fresh checkout, all
    of them would compile at the same moment: two thirds of what they do to collect."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is None or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    modules = sorted((config.rootpath / "tests").rglob("test_*.py"))
    first = len(modules) * int(workerinput["workerid"].removeprefix("gw")) // workerinput["workercount"]
    for module in modules[first:] + modules[:first]:
        # What cannot be imported is said when it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(module.relative_to(config.rootpath).with_suffix("").parts))


class Groups:
    """Ends what runs for a group with the group's last test. On workers only: there the tests of a group come one after
    the other. A plugin of its own: of what a session's fixtures do, a conftest below the root is told nothing."""

    def __init__(self) -> None:
        self._started: list[tuple[pytest.FixtureDef[object], pytest.FixtureRequest]] = []

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
        """Remembers what was started."""
        if fixturedef.argname in OF_A_GROUP and fixturedef.scope == "session":
            self._started.append((fixturedef, request))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
        """Ends it."""
        yield
        if nextitem is not None and _group(nextitem) != _group(item):
            for fixture, request in self._started:
                fixture.finish(request)  # type: ignore[arg-type]  # of a request it asks what every one has
            self._started.clear()


def _group(item: pytest.Item) -> object:
    mark = item.get_closest_marker("xdist_group")
    return mark and (mark.args, mark.kwargs)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Not before: all workers wait for the last one to have collected."""
    if getattr(session.config, "workerinput", {}).get(_BESIDE):
        os.nice(NICENESS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling | None:
    return Beside(config, log) if config.getoption("dist") == "loadgroup" else None


class Beside(LoadGroupScheduling):  # type: ignore[misc]
    """Groups with most tests first, single tests last; the added workers take what is plain."""

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forgets groups that are done: after every test, xdist counts through all that a worker ever had."""
        super().mark_test_complete(node, item_index, duration)
        work = self.assigned_work[node]
        group = self._split_scope(self.registered_collections[node][item_index])
        if all(work[group].values()):
            del work[group]

    def _assign_work_unit(self, node: Any) -> None:
        if node.workerinput[_BESIDE]:
            plain = next((group for group in self.workqueue if group in PLAIN_GROUPS or group.startswith(PLAIN)), None)
            if plain is None:
                node.shutdown()
                return
            self.workqueue.move_to_end(plain, last=False)
        super()._assign_work_unit(node)

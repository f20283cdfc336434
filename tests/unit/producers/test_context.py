"""`context`: attribution follows the work, nests and merges."""

import asyncio
import contextvars
import threading

import pytest

from spendstream import attribution, current_attribution


def test_blocks_nest_and_merge() -> None:
    """Inner fields win, outer ones stay, labels merge; leaving a block restores what was."""
    with attribution(project="outer", team="a", labels={"x": "1", "y": "1"}):
        with attribution(project="inner", feature="f", labels={"y": "2"}) as inner:
            assert current_attribution() == inner
            assert (inner.project, inner.team, inner.feature) == ("inner", "a", "f")
            assert inner.labels == {"x": "1", "y": "2"}
        assert current_attribution().project == "outer"
        assert current_attribution().labels == {"x": "1", "y": "1"}
    assert current_attribution().project is None


def test_tasks_do_not_see_each_other() -> None:
    """Concurrent asyncio tasks inherit their starter's attribution and keep their own."""

    async def work(name: str) -> tuple[str | None, str | None]:
        with attribution(feature=name):
            await asyncio.sleep(0)
            return current_attribution().project, current_attribution().feature

    async def main() -> list[tuple[str | None, str | None]]:
        with attribution(project="p"):
            return await asyncio.gather(*(work(f"f{number}") for number in range(10)))

    assert asyncio.run(main()) == [("p", f"f{number}") for number in range(10)]


def test_threads_inherit_by_copied_context() -> None:
    """A thread starts empty; run in a copied context (as asyncio.to_thread does) it has its starter's attribution."""
    seen: list[str | None] = []
    with attribution(project="p"):
        context = contextvars.copy_context()
        for target in (lambda: seen.append(current_attribution().project), lambda: context.run(note)):

            def note() -> None:
                seen.append(current_attribution().project)

            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [None, "p"]


def test_a_value_that_breaks_the_contract_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Attribution must not break the call it describes: the bad field is logged, the good ones stay."""
    with attribution(project="p" * 200, team="t", customer=5):  # type: ignore[arg-type]
        assert (current_attribution().project, current_attribution().team) == (None, "t")
    assert "customer" in caplog.text
    assert "project" in caplog.text


def test_an_unknown_field_is_a_programming_error() -> None:
    """A misspelt name must not silently lose the attribution."""
    with pytest.raises(TypeError, match="projekt"), attribution(projekt="p"):
        pass

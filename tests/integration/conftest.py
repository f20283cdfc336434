"""What several integration tests need: one real store per module."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.store_server import StoreProcess

HERE: Final = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module runs on one worker, so that its stores and pipelines are started once. Who shares more says so."""
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    process = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield process
    process.kill()

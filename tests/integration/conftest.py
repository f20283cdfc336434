"""What several integration tests need: one real store per module."""

from collections.abc import Iterator

import pytest

from tests.store_server import StoreProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    process = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield process
    process.kill()

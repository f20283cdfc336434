"""What several integration tests need: one real store per module, and one `up` for those that can share it."""

from collections.abc import Iterator

import pytest

from tests.integration.shared_pipeline import pipeline  # noqa: F401 - a fixture; modules with one of their own hide it
from tests.store_server import StoreProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    process = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield process
    process.kill()

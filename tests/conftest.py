"""Fixtures that more than one suite needs. Every one of them uses a free port and a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.embedded.ports import free_port


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TansuBroker]:
    """A running broker of this test's own; a test may stop and start it."""
    broker = TansuBroker(free_port(), tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()

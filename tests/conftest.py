"""Fixtures that more than one suite needs. Every one of them uses a free port and a temporary folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stream_jobs.embedded.broker import TansuBroker
from stream_jobs.runtime import system
from stream_jobs.runtime.ports import free_port
from tests import chromium, client_programs, made_once, prometheus
from tests.brokers import ADDRESS_VARIABLE, REQUIRED_VARIABLE, GatedTansu, RealKafka, RunningBroker, real_kafka
from tests.distribution import (  # noqa: F401 - hooks of pytest and pytest-xdist
    pytest_collection,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure_node,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from tests.receivers import alertmanager

# How long an example takes says how busy the machine is.
settings.register_profile("not timed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("not timed")


@pytest.fixture(autouse=True, scope="session")
def _settings_of_the_tests_are_not_the_applications(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nor are instances that run on this machine found, unless a test started them."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("runtime"))
    own = tmp_path_factory.getbasetemp()
    made_once.shared_folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    made_once.shared_folder.mkdir(exist_ok=True)
    for name in (
        ADDRESS_VARIABLE,
        REQUIRED_VARIABLE,
        prometheus.REQUIRED_VARIABLE,
        chromium.REQUIRED_VARIABLE,
        alertmanager.REQUIRED_VARIABLE,
        client_programs.REQUIRED_VARIABLE,
    ):
        os.environ.pop(name, None)


@pytest.fixture(params=["linux", "elsewhere"])
def either_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A test that holds with Linux's own ways and with those of other systems."""
    if request.param == "linux" and not system.LINUX:
        pytest.skip("this is not Linux")
    monkeypatch.setattr(system, "LINUX", request.param == "linux")
    return str(request.param)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[TansuBroker]:
    """A running broker of this test's own; a test may stop and start it."""
    broker = TansuBroker(free_port(), tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def gated_tansu(tmp_path: Path) -> Iterator[GatedTansu]:
    """A running broker of this test's own, behind the gate."""
    broker = GatedTansu(tmp_path / "broker")
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session")
def shared_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """One Kafka for all tests that carry the xdist group "kafka", so that only one JVM runs."""
    with real_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
def kafka(shared_kafka: RealKafka) -> Iterator[RealKafka]:
    """A real Kafka without topics. Give its tests `pytest.mark.xdist_group("kafka")`."""
    with shared_kafka.emptied() as kafka:
        yield kafka


@pytest.fixture(params=["tansu", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def any_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """A test with it runs on Tansu and on a real Kafka. No topics at first; it may be stopped and started."""
    broker: RunningBroker = request.getfixturevalue("broker" if request.param == "tansu" else "kafka")
    return broker


@pytest.fixture(params=["gated_tansu", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def public_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """As `any_broker`, as services meet them: the embedded one has the gate in front of it."""
    broker: RunningBroker = request.getfixturevalue(request.param)
    return broker

"""The guard's settings, and its life without a broker."""

import os
import threading
from pathlib import Path

import pytest

import spendstream
from spendstream import Guard, GuardConfig, GuardConfigError, ProducerConfig
from spendstream.guard.feed import Feed
from spendstream.kafka_client import connection_settings
from tests.unit.producers.guard.support import Clocks, config, heartbeat, new_guard, policy, who
from tests.unit.producers.support import wait_for


def test_everything_wrong_is_reported_at_once() -> None:
    """By the variables' names."""
    environ = {
        "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "k:1",
        "SPENDSTREAM_GUARD_FAIL": "maybe",
        "SPENDSTREAM_GUARD_STALE_AFTER_S": "0",
    }
    with pytest.raises(GuardConfigError) as caught:
        GuardConfig.from_env(environ)
    assert str(caught.value).startswith("the spendstream guard cannot be configured:")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "SPENDSTREAM_SOURCE",
        "SPENDSTREAM_GUARD_FAIL",
        "SPENDSTREAM_GUARD_STALE_AFTER_S",
    ]


def test_from_the_environment(tmp_path: Path) -> None:
    """Kafka's variables are those of the producer, secrets from files too."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    made = GuardConfig.from_env(
        {
            "SPENDSTREAM_KAFKA_BOOTSTRAP_SERVERS": "k:1",
            "SPENDSTREAM_SOURCE": "shop",
            "SPENDSTREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "SPENDSTREAM_KAFKA_SASL_MECHANISM": "PLAIN",
            "SPENDSTREAM_KAFKA_SASL_USERNAME": "u",
            "SPENDSTREAM_KAFKA_SASL_PASSWORD_FILE": str(secret),
            "SPENDSTREAM_GUARD_FAIL": "closed",
        },
        stale_after_s=5,
    )
    assert (made.fail, made.stale_after_s, made.topic) == ("closed", 5, "budget.state.v1")
    assert connection_settings(made)["sasl.password"] == "s3cret"
    assert "s3cret" not in repr(made)


def test_from_a_producer_s_settings() -> None:
    """The same Kafka, and fields of its own."""
    producer = ProducerConfig(
        bootstrap_servers="k:1",
        source="shop",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="u",
        sasl_password="p",  # type: ignore[arg-type]
    )
    made = GuardConfig.from_producer(producer, fail="closed")
    assert connection_settings(made) == connection_settings(producer)
    assert made.fail == "closed"


def test_the_sdk_exports_it() -> None:
    """Loaded when first used."""
    for name in ("Guard", "GuardConfig", "Decision", "Choice", "ModelOption", "TaskNeeds", "PriceSource"):
        assert name in spendstream.__all__
        assert getattr(spendstream, name) is getattr(spendstream.guard, name)


def test_a_guard_without_its_broker_starts_decides_and_closes() -> None:
    """Nothing raises and nothing waits; the thread is gone after close."""
    with Guard(config(retry_interval_s=0.01)) as guard:
        assert not guard.wait_ready(0.01)
        decision = guard.decide(who(), 1)
        assert (decision.allowed, decision.stale) == (True, True)
        assert decision.reason == "the budgets have not been read yet"
        assert not guard.stats().connected
    guard.close()
    assert not any(thread.name == "spendstream-guard" for thread in threading.enumerate())


def test_a_forgotten_guard_s_thread_ends() -> None:
    """Its owner forgot to close it."""
    guard = Guard(config(retry_interval_s=0.01))
    feed = guard._feed
    assert isinstance(feed, Feed)
    del guard
    wait_for(lambda: not feed.is_alive(), "the thread to end")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_decides_from_what_is_known_and_reads_for_itself() -> None:
    """The parent's pending requests are not the child's."""
    clocks = Clocks()
    guard = Guard(config(), wall_ns=clocks.wall_ns, monotonic_ns=clocks.monotonic_ns)
    guard._book.load_ended()
    guard.apply(heartbeat(clocks), policy())
    guard.decide(who(), 60)
    child = os.fork()
    if child == 0:
        try:
            first = guard.decide(who(), 50)
            feed = guard._feed
            fine = first.allowed and first.used_usd == 0 and feed is not None and feed.is_alive()
            os._exit(0 if fine else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert guard.decide(who()).used_usd == 60
    guard.close()


def test_stats_say_what_is_known() -> None:
    """Also without a thread."""
    stats = new_guard(Clocks(), policy(), policy("c")).stats()
    assert (stats.policies, stats.states, stats.loaded, stats.stale, stats.reads) == (2, 0, True, False, 0)

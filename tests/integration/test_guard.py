"""The guard against a running broker: loading, following, and every way in which the topic can go away."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from spendstream import Guard, GuardConfig
from spendstream.guard import BUDGET_TOPIC
from spendstream_schemas.budget_feed import BudgetPolicy, BudgetState, Heartbeat, policy_key, record_key, state_key
from stream_jobs.embedded.broker import TansuBroker
from tests.brokers import RunningBroker
from tests.unit.producers.guard.support import policy, state, who
from tests.unit.producers.support import WAIT_S, wait_for

PARTITIONS = 3


class Writer:
    """The budgets job, as far as the guard can see."""

    def __init__(self, address: str) -> None:
        self._settings: dict[str, str | int | float | bool] = {"bootstrap.servers": address, "log_level": 0}
        self.admin = AdminClient(self._settings)
        self._producer = Producer(self._settings)

    def create(self, partitions: int = PARTITIONS) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            topic = NewTopic(BUDGET_TOPIC, partitions, 1, config={"cleanup.policy": "compact"})
            try:
                self.admin.create_topics([topic])[BUDGET_TOPIC].result(WAIT_S)
                return
            except KafkaException:  # it is still being deleted, or the broker is not up yet
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def delete(self) -> None:
        self.admin.delete_topics([BUDGET_TOPIC])[BUDGET_TOPIC].result(WAIT_S)

    def write(self, *records: BudgetPolicy | BudgetState | Heartbeat, beat: bool = True) -> None:
        for record in records:
            self.write_raw(record_key(record), record.model_dump_json().encode())
        if beat:
            self.beat()

    def beat(self) -> None:
        beat = Heartbeat(at=now(), job="test")
        self.write_raw(record_key(beat), beat.model_dump_json().encode())

    def write_raw(self, key: str, value: bytes | None) -> None:
        self._producer.produce(BUDGET_TOPIC, key=key, value=value)
        assert self._producer.flush(WAIT_S) == 0


def now() -> datetime:
    return datetime.now(UTC)


def spent(usd: int, budget_id: str = "b", **fields: object) -> BudgetState:
    """A state of a window that has no end."""
    return state(usd, budget_id, period_end=None, as_of=now(), **fields)


@contextmanager
def reading(address: str, **fields: object) -> Iterator[Guard]:
    values = {"bootstrap_servers": address, "source": "test", "check_interval_s": 0.1, "retry_interval_s": 0.1}
    with Guard(GuardConfig(**(values | fields))) as guard:  # type: ignore[arg-type]
        yield guard


def action(guard: Guard, **fields: str) -> str:
    return guard.decide(who(**fields)).action


def test_it_loads_everything_and_follows(any_broker: RunningBroker) -> None:
    """Policies and states over all partitions, before it is ready; then changes; then deletions."""
    writer = Writer(any_broker.address)
    writer.create()
    writer.write(policy(), policy("user", per=("user_id",)), spent(10))
    writer.write(*[spent(number % 101, "user", values=(f"u{number}",)) for number in range(1000)])
    with reading(any_broker.address) as guard:
        assert guard.wait_ready(WAIT_S)
        stats = guard.stats()
        assert (stats.policies, stats.states, stats.loaded, stats.connected, stats.reads) == (2, 1001, True, True, 1)
        assert (action(guard, user_id="u100"), action(guard, user_id="u99")) == ("refuse", "full")
        writer.write(spent(100))
        wait_for(lambda: action(guard) == "refuse", "the state to arrive")
        writer.write_raw(state_key("b", ()), None)
        wait_for(lambda: action(guard) == "full", "the state to be taken back")
        writer.write_raw(policy_key("user"), None)
        wait_for(lambda: action(guard, user_id="u100") == "full", "the policy to be taken back")
        assert guard.stats().errors == {}


def test_the_topic_may_come_later(any_broker: RunningBroker) -> None:
    """Until then nothing is known; an empty topic is loaded, and ready with the first heartbeat."""
    writer = Writer(any_broker.address)
    with reading(any_broker.address) as guard:
        wait_for(lambda: guard.stats().errors.get("no_budget_topic"), "it to look for the topic")
        assert not guard.stats().loaded
        assert guard.decide(who()).stale
        writer.create()
        wait_for(lambda: guard.stats().loaded, "the empty topic to be read")
        assert not guard.ready
        writer.write(policy(), spent(100))
        assert guard.wait_ready(WAIT_S)
        wait_for(lambda: action(guard) == "refuse", "the state")


def test_malformed_records_are_counted_and_passed_over(broker: TansuBroker) -> None:
    """What comes after them is read."""
    writer = Writer(broker.address)
    writer.create(1)
    for key, value in (("policy/b", b"\xff"), ("policy/b", b"{}"), ("nonsense", None), ("state/b/", b"[]")):
        writer.write_raw(key, value)
    writer.write(policy(), spent(100))
    with reading(broker.address) as guard:
        assert guard.wait_ready(WAIT_S)
        assert action(guard) == "refuse"
        assert guard.stats().errors == {"malformed_budget_record": 4}


def test_a_broker_that_is_away_is_waited_for(broker: TansuBroker) -> None:
    """From the start, and later; decisions go on from what is known."""
    broker.stop()
    with reading(broker.address) as guard:
        assert guard.decide(who()).stale
        broker.start()
        writer = Writer(broker.address)
        writer.create()
        writer.write(policy(), spent(100))
        assert guard.wait_ready(WAIT_S)
        wait_for(lambda: action(guard) == "refuse", "the state")
        broker.stop()
        wait_for(lambda: not guard.stats().connected, "the outage to be noticed")
        assert action(guard) == "refuse"


def test_a_broker_that_has_forgotten_everything_is_read_anew(broker: TansuBroker) -> None:
    """Also when it has less than what was read; what it does not know any more is dropped after a while."""
    writer = Writer(broker.address)
    writer.create(1)
    writer.write(policy(), policy("gone"), *[spent(n) for n in range(50)])
    with reading(broker.address, stale_after_s=0.5) as guard:
        wait_for(lambda: guard.stats().states == 1 and guard.stats().policies == 2, "the first load")
        broker.stop()
        broker.start()
        writer = Writer(broker.address)
        writer.create(1)
        writer.write(policy(), spent(100))
        wait_for(lambda: action(guard) == "refuse", "the new topic to be read from offset 0")
        assert guard.stats().policies == 2

        def swept() -> bool:
            writer.beat()
            return guard.stats().policies == 1

        wait_for(swept, "the policy that did not come again to be dropped")
        assert action(guard) == "refuse"


@pytest.mark.parametrize("more", [0, 200])
def test_a_topic_that_is_made_again_is_read_anew(any_broker: RunningBroker, more: int) -> None:
    """From offset 0, whether it ends before what was read of the old one or has more than that."""
    writer = Writer(any_broker.address)
    writer.create(1)
    writer.write(policy(), *[spent(n) for n in range(50)])
    with reading(any_broker.address) as guard:
        wait_for(lambda: guard.stats().states == 1, "the first load")
        writer.delete()
        writer.create(1)
        writer.write(spent(100), *[spent(1, "other") for _ in range(more)])
        wait_for(lambda: action(guard) == "refuse", "the first record of the new topic")
        assert guard.stats().policies == 1
        writer.write(spent(1))
        wait_for(lambda: action(guard) == "full", "the new topic to be followed")


def test_a_deleted_topic_leaves_what_is_known(broker: TansuBroker) -> None:
    """Until it grows stale; that it is gone is counted."""
    writer = Writer(broker.address)
    writer.create()
    writer.write(policy(fail="closed"), spent(1))
    with reading(broker.address, stale_after_s=3) as guard:  # a busy machine reads once in more than a second
        assert guard.wait_ready(WAIT_S)
        writer.delete()
        wait_for(lambda: guard.stats().errors.get("no_budget_topic"), "it to be missed")
        wait_for(lambda: action(guard) == "refuse", "the policy to fail closed")
        assert guard.decide(who()).stale


def test_more_partitions_are_read_as_well(any_broker: RunningBroker) -> None:
    """They are found while it runs."""
    writer = Writer(any_broker.address)
    writer.create(1)
    writer.write(policy("first"))
    with reading(any_broker.address) as guard:
        assert guard.wait_ready(WAIT_S)
        if not grown(writer):
            pytest.skip("this broker adds no partitions")
        for number in range(20):
            writer.write(policy(f"b{number}"))
        wait_for(lambda: guard.stats().policies == 21, "all policies")


def grown(writer: Writer) -> bool:
    from confluent_kafka.cimpl import NewPartitions

    try:
        writer.admin.create_partitions([NewPartitions(BUDGET_TOPIC, 4)])[BUDGET_TOPIC].result(WAIT_S)
    except KafkaException:
        return False
    return True


def test_a_forked_child_reads_for_itself(broker: TansuBroker) -> None:
    """With a client of its own; the parent goes on."""
    writer = Writer(broker.address)
    writer.create()
    writer.write(policy())
    with reading(broker.address) as guard:
        assert guard.wait_ready(WAIT_S)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                guard.decide(who())
                wait_for(lambda: guard.stats().reads == 1 and guard.stats().connected, "the child to read")
                os.write(write, b"r")
                wait_for(lambda: action(guard) == "refuse", "the state in the child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.read(read, 1) == b"r"
        writer.write(spent(100))
        wait_for(lambda: action(guard) == "refuse", "the state in the parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        os.close(read)
        os.close(write)

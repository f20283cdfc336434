"""Services that produce in transactions: what they took back is not booked, on Apache Kafka."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.brokers import need_own_kafka
from tests.integration.pipeline import BOOK_TIMEOUT_S, Pipeline, until, usage_event

TOPIC = "usage.events.v1"
TIMEOUT_S = 60.0

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    need_own_kafka()
    pipeline = Pipeline(tmp_path / "data", broker="kafka")
    pipeline.start()
    yield pipeline
    pipeline.stop()


def send(producer: Producer, name: str, count: int) -> None:
    """So many events of this name, as far as the broker: all in one partition."""
    for number in range(count):
        producer.produce(TOPIC, json.dumps(usage_event(f"{name}-{number}")), "key", partition=0)
    assert producer.flush(TIMEOUT_S) == 0


def booked(pipeline: Pipeline) -> dict[str, int]:
    """Events in the ledger by their names."""
    rows = pipeline.rows("SELECT splitByChar('-', event_id)[1] AS name, count() FROM ledger GROUP BY name")
    return {str(name): int(count) for name, count in rows}


def conservation(pipeline: Pipeline) -> tuple[int, dict[str, int]]:
    """Exit code, and what is not 0."""
    done = pipeline.run("conservation", "--data-dir", str(pipeline.data_dir), "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["kafka_error"] is None
    return done.returncode, {name: number for name, number in found["totals"].items() if number}


def closed(pipeline: Pipeline) -> dict[str, int]:
    """The totals of an account that closes."""
    code, found = conservation(pipeline)
    assert code == 0
    return found | {"no record or yet to come": found.pop("no_record", 0) + found.pop("in_flight", 0)}


def test_what_a_transaction_took_back_is_neither_booked_nor_missed(pipeline: Pipeline) -> None:
    """Between, before and behind records that stay, which are booked once; conservation closes, with the offsets that
    hold no record by their name. What an open transaction sent, and what others sent behind it, waits for its end."""
    config = {"bootstrap.servers": pipeline.status()["kafka"], "log_level": 0}
    plain = Producer(config)
    transactional = Producer({**config, "transactional.id": "a-service"})
    transactional.init_transactions(TIMEOUT_S)

    def transaction(name: str, count: int, *, aborted: bool) -> None:
        transactional.begin_transaction()
        send(transactional, name, count)
        send(plain, "beside", 1)
        if aborted:
            transactional.abort_transaction(TIMEOUT_S)
        else:
            transactional.commit_transaction(TIMEOUT_S)

    transaction("taken", 200, aborted=True)
    transaction("kept", 50, aborted=False)
    transaction("taken", 300, aborted=True)
    send(plain, "plain", 10)
    expected = {"beside": 1, "kept": 50, "plain": 10}
    until(lambda: booked(pipeline) == expected, BOOK_TIMEOUT_S, "booked")
    # Copies of `beside-0` are dropped; each transaction ends with a marker, which has an offset. Kafka writes it later
    # than it answers: the last one may stand behind everything, and is then passed over with what comes after it.
    account = {"received": 63, "booked": 61, "duplicates": 2, "no record or yet to come": 503}
    assert closed(pipeline) == account

    transactional.begin_transaction()
    send(transactional, "open", 20)
    send(plain, "behind", 5)
    assert closed(pipeline) == account | {"no record or yet to come": 503 + 25}
    assert booked(pipeline) == expected
    transactional.commit_transaction(TIMEOUT_S)
    expected |= {"open": 20, "behind": 5}
    until(lambda: booked(pipeline) == expected, BOOK_TIMEOUT_S, "booked after the commit")

    transaction("taken", 100, aborted=True)  # the last that the partition holds
    until(lambda: conservation(pipeline)[1]["duplicates"] == 3, BOOK_TIMEOUT_S, "what is behind it")
    code, found = conservation(pipeline)
    assert (code, found["booked"]) == (0, 86)
    assert booked(pipeline) == expected

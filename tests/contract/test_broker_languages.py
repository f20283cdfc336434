"""Services in other languages produce with their clients' defaults: to the embedded broker as to Apache Kafka.

Each client sends the same events in eight ways: as it comes, compressed by each codec (idempotent), plainly, and
without waiting for answers (acks=0).
"""

import json
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from stream_jobs.embedded import produced
from stream_jobs.runtime.kafka import LogEnds
from stream_jobs.runtime.retry import wait_until
from tests.brokers import RunningBroker
from tests.client_programs import answers
from tests.contract.broker_clients import PARTITIONS, TIMEOUT_S, make, settings
from tests.unit.embedded.test_api_versions import answer, known, refusal, request

pytestmark = pytest.mark.slow

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
WAYS: Final = ("defaults", *CODECS, "plain", "unanswered")
DEFAULTS: Final = {  # codec, and whether it is idempotent
    "kafka-go": ("snappy", True),
    "kafka-java": ("none", True),
    "kafka-node": ("none", False),
    "kafka-python": ("none", True),
    "librdkafka": ("none", False),
}
EVENTS: Final = 2_000
KEYS: Final = 7
TOPIC: Final = "usage.languages"
_ATTRIBUTES_AT, _PRODUCER_ID_AT = 21, 43  # within a batch

Seen = dict[str, set[tuple[str, bool]]]


def lines() -> list[str]:
    """Real events, each with an id and a feature of its own, under a few keys; not all of it is ASCII."""
    folder = Path(__file__).parents[2] / "schemas" / "examples" / "usage.events.v1"
    event = json.loads((folder / "openai_chat.json").read_text(encoding="utf-8"))
    made = []
    for number in range(EVENTS):
        event["event_id"] = f"event-{number}"
        event["attribution"] = event["attribution"] | {"feature": f"Größe {number} 漢字 🙂"}
        made.append(f"team-{number % KEYS}\t{json.dumps(event, ensure_ascii=False)}")
    return made


def by_key(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


def stored(broker: RunningBroker) -> dict[str, dict[str, list[str]]]:
    """By way and key, in the order of each partition; offsets have no gap."""
    config = {"group.id": "reader", "enable.partition.eof": True, "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": broker.address, **config})
    left = {(f"{TOPIC}.{way}", partition) for way in WAYS for partition in range(PARTITIONS)}
    pairs = defaultdict(list)
    following: dict[tuple[str, int], int] = defaultdict(int)
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in left])
        while left:
            message = consumer.poll(TIMEOUT_S)
            assert message is not None, f"{left} cannot be read to their ends"
            error, topic, partition = message.error(), message.topic() or "", message.partition() or 0
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.remove((topic, partition))
                continue
            assert message.offset() == following[topic, partition]
            following[topic, partition] += 1
            way = topic.removeprefix(f"{TOPIC}.")
            pairs[way].append(((message.key() or b"").decode(), (message.value() or b"").decode()))
    finally:
        consumer.close()
    return {way: by_key(found) for way, found in pairs.items()}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """How the batches that came through the gate were sent, by topic."""
    found: Seen = defaultdict(set)
    check: Callable[[bytes, int, int], object] = produced._check_batch

    def noting(request: bytes, at: int, end: int) -> object:
        found_there = check(request, at, end)
        codec = CODECS[request[at + _ATTRIBUTES_AT + 1] & 7]
        idempotent = int.from_bytes(request[at + _PRODUCER_ID_AT :][:8], "big", signed=True) >= 0
        topic = next(way for way in WAYS if f"{TOPIC}.{way}".encode() in bytes(request[:at]))
        found[topic].add((codec, idempotent))
        return found_there

    monkeypatch.setattr(produced, "_check_batch", noting)
    return found


def librdkafka(broker: RunningBroker, sent: Sequence[str]) -> dict[str, int]:
    """As the programs do, in this process."""
    ways: dict[str, dict[str, Any]] = {
        "defaults": {},
        **{codec: {"compression.type": codec, "enable.idempotence": True} for codec in CODECS},
        "plain": {"enable.idempotence": False},
        "unanswered": {"enable.idempotence": False, "acks": 0},
    }
    return {way: _librdkafka(broker, f"{TOPIC}.{way}", sent, ways[way]) for way in WAYS}


def _librdkafka(broker: RunningBroker, topic: str, sent: Sequence[str], options: Mapping[str, Any]) -> int:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, **options})
    for line in sent:
        key, value = line.encode().split(b"\t")
        producer.produce(topic, value, key, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(TIMEOUT_S) == 0
    if not options.get("acks", 1):
        # Who goes away with an answer unread (to its own question for metadata) has its connection reset by its
        # system, and loses what that had not handed over yet: with Apache Kafka as here. So it stays.
        assert arrived(broker, topic), f"{topic}: {LogEnds(settings(broker)).of(topic)[1]}"
    return errors.count(None)


def arrived(broker: RunningBroker, topic: str) -> bool:
    ends = LogEnds(settings(broker))
    return wait_until(lambda: sum(ends.of(topic)[1].values()) == EVENTS, TIMEOUT_S)


@pytest.mark.parametrize("client", DEFAULTS)
def test_a_client_produces_with_its_defaults_with_each_codec_and_idempotently(
    public_broker: RunningBroker, tmp_path: Path, seen: Seen, client: str
) -> None:
    """All events are acknowledged and come back as they were sent, once each (at the embedded broker those that need no
    answer, too); from an idempotent client those of a key in their order. At the gate the batches are seen to be what
    the client was asked for."""
    sent = lines()
    given = tmp_path / "lines"
    given.write_text("".join(f"{line}\n" for line in sent), encoding="utf-8", newline="")
    make(public_broker, *(f"{TOPIC}.{way}" for way in WAYS))
    if client == "librdkafka":
        acknowledged = librdkafka(public_broker, sent)
    else:
        acknowledged = answers(client, KAFKA_ADDRESS=public_broker.address, KAFKA_TOPIC=TOPIC, KAFKA_LINES=str(given))
    assert acknowledged == dict.fromkeys(WAYS, EVENTS)
    expected = by_key([(key, value) for key, value in (line.split("\t") for line in sent)])
    plain = ("none", False)
    ways = {"defaults": DEFAULTS[client], "plain": plain, "unanswered": plain} | {
        codec: (codec, True) for codec in CODECS
    }
    if not arrived(public_broker, f"{TOPIC}.unanswered"):  # nobody promises it, and a busy Kafka loses some
        assert public_broker.durable
        del ways["unanswered"]
    found = stored(public_broker)
    for way, (_, idempotent) in ways.items():
        if not idempotent:  # what such a client sends again may come behind what it sent later
            found[way] = {key: sorted(values) for key, values in found[way].items()}
        wanted = expected if idempotent else {key: sorted(values) for key, values in expected.items()}
        assert found[way] == wanted, f"{way}: {sum(map(len, found[way].values()))} of {EVENTS}"
    if not public_broker.durable:
        assert seen == {way: {how} for way, how in ways.items()}


def test_a_version_of_api_versions_that_nobody_knows_is_refused_alike(public_broker: RunningBroker) -> None:
    """By both brokers in the same bytes, up to what they know: in the format of version 0, and the connection stays."""
    host, port = public_broker.address.split(":")
    with closing(socket.create_connection((host, int(port)), timeout=TIMEOUT_S)) as client:
        client.sendall(request(32767, 1, b"\0\x05kgo1\x02v\0"))
        refused = answer(client)
        assert refused == refusal(1, known(client))

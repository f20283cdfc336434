"""Services in other languages, written from the JSON Schema and schemas/EVENTS.md alone, send right events."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from spendstream.adapters import usage_events
from spendstream_schemas import UsageEvent
from tests.brokers import GatedTansu
from tests.client_programs import answers
from tests.contract.broker_clients import PARTITIONS, TIMEOUT_S, make
from tests.contract.provider_responses import KINDS, Call, calls

pytestmark = pytest.mark.slow

TOPIC: Final = "usage.events.v1"
SOURCE: Final = "answer-service"
OF_EACH: Final = 40
TEAM: Final = "support-ai"
WRITTEN: Final = ("output_image_tokens", "output_audio_tokens", "output_video_tokens")
OWN: Final = {"event_id", "occurred_at", "latency_ms"}
"""What two reports of one call need not share."""


def received(broker: GatedTansu) -> list[bytes]:
    """The values of all records."""
    config = {"group.id": "reader", "enable.partition.eof": True, "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": broker.address, **config})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    found, left = [], set(range(PARTITIONS))
    try:
        while left:
            message = consumer.poll(TIMEOUT_S)
            assert message is not None, f"{left} cannot be read to their ends"
            if (error := message.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.remove(message.partition() or 0)
                continue
            value = message.value() or b""
            assert message.key() == json.loads(value)["event_id"].encode()
            found.append(value)
    finally:
        consumer.close()
    return found


def said(event: UsageEvent) -> dict[str, Any]:
    """Without meters that are 0: some of the programs leave out what only a few models report. Not so where a 0 moves
    the price: that none of the output is what the model can write beside text."""
    found = event.model_dump(mode="json", exclude=OWN, exclude_none=True)
    found["usage"] = {name: value for name, value in found["usage"].items() if value != 0 or name in WRITTEN}
    return found


def expected(call: Call) -> list[dict[str, Any]]:
    """As our own adapters read the response: an event for each model that is billed."""
    events = usage_events(call.provider, call.response, source=SOURCE, model=call.model, attribution={"team": TEAM})
    return [said(event) for event in events]


@pytest.mark.parametrize("language", ["usage-go", "usage-typescript", "usage-java"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_service_in_another_language_sends_right_events(
    gated_tansu: GatedTansu, tmp_path: Path, language: str, seed: int
) -> None:
    """For six providers' responses: every event is accepted, and says what our SDK says of the same response."""
    made = calls(seed, OF_EACH)
    given = tmp_path / "calls.jsonl"
    lines = [json.dumps({"provider": call.provider, "model": call.model, "response": call.response}) for call in made]
    given.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    make(gated_tansu, TOPIC)
    sent = answers(
        language,
        KAFKA_ADDRESS=gated_tansu.address,
        KAFKA_TOPIC=TOPIC,
        USAGE_CALLS=str(given),
        USAGE_SOURCE=SOURCE,
        USAGE_TEAM=TEAM,
    )
    wanted = [event for call in made for event in expected(call)]
    assert len(wanted) > len(made) == len(KINDS) * OF_EACH
    assert sent == {"sent": len(wanted)}
    events = [UsageEvent.model_validate_json(value) for value in received(gated_tansu)]
    assert len({event.event_id for event in events}) == len(wanted)
    found = [said(event) for event in events]
    wrong = [event for event in wanted if event not in found], [event for event in found if event not in wanted]
    assert wrong == ([], []), f"{len(wrong[0])} of {len(wanted)}"

"""What a service does through kafka-python: produce lines to the broker, with its defaults and in each other way.

The address, the topics and the lines come from the environment; how many were acknowledged leaves as one JSON document.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "packages"))

from kafka import KafkaProducer

WAYS: dict[str, dict[str, object]] = {
    "defaults": {},
    "none": {"compression_type": None, "enable_idempotence": True},
    **{codec: {"compression_type": codec, "enable_idempotence": True} for codec in ("gzip", "snappy", "lz4", "zstd")},
    "plain": {"enable_idempotence": False},
    "unanswered": {"enable_idempotence": False, "acks": 0},
}


def produced(topic: str, lines: list[bytes], options: dict[str, object]) -> int:
    producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_ADDRESS"], **options)
    try:
        sent = []
        for line in lines:
            key, value = line.split(b"\t", 1)
            sent.append(producer.send(topic, value=value, key=key))
        return len([future.get(60) for future in sent])
    finally:
        producer.close(10)


if __name__ == "__main__":
    given = Path(os.environ["KAFKA_LINES"]).read_bytes().removesuffix(b"\n").split(b"\n")
    print(json.dumps({way: produced(f"{os.environ['KAFKA_TOPIC']}.{way}", given, WAYS[way]) for way in WAYS}))

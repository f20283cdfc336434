"""Batches of records as no client library would write them, sent straight to the broker."""

import asyncio
import struct
from collections.abc import Sequence

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
_HEADER_BYTES = 61
_CRC_AT, _ATTRIBUTES_AT = 17, 21


def batch(values: Sequence[bytes]) -> bytes:
    """A plain batch, not compressed."""
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 30
    )
    for index, value in enumerate(values):
        builder.append(index, 1_760_000_000_000, b"k", value, [])
    return bytes(builder.build())


def with_payload(plain: bytes, codec: int, payload: bytes) -> bytes:
    """The batch's header, with another codec and payload, and a checksum that is right."""
    made = bytearray(plain[:_HEADER_BYTES] + payload)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">h", made, _ATTRIBUTES_AT, codec)
    return sealed(made)


def sealed(made: bytearray) -> bytes:
    struct.pack_into(">I", made, _CRC_AT, calc_crc32c(bytes(made[_ATTRIBUTES_AT:])))
    return bytes(made)


def changed(plain: bytes, at: int, form: str, value: int) -> bytes:
    """The batch with another number in its header, and a checksum that is right."""
    made = bytearray(plain)
    struct.pack_into(form, made, at, value)
    return sealed(made)


def records_of(plain: bytes) -> bytes:
    return plain[_HEADER_BYTES:]


def send_raw(broker: str, topic: str, batches: Sequence[bytes], partition: int = 0) -> list[int]:
    """The broker's error code for each of them; -1 where it closed the connection."""

    async def send() -> list[int]:
        codes = []
        for raw in batches:
            client = AIOKafkaClient(bootstrap_servers=broker)
            await client.bootstrap()
            try:
                await client.add_topic(topic)
                node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
                request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])])
                answer = await client.send(node, request)
                ((_, ((_, code, *_),)),) = answer.topics
                codes.append(code)
            except Exception:  # noqa: BLE001 - the broker may refuse by closing
                codes.append(-1)
            finally:
                await client.close()
        return codes

    return asyncio.run(send())

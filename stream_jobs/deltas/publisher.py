"""Sends the deltas of blocks to `cost.deltas.v1`, after their rows are in the ledger and before their receipt is.

So a crash in between leaves a block without a receipt, which is redone and sends its delta again: every block's delta
is sent at least once, and never one whose rows are not in the ledger.
"""

import asyncio
import time
from threading import Lock
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream_jobs.blocks.model import Block, BlockOutput
from stream_jobs.deltas.delta import delta_of, encode, split
from stream_jobs.errors import BrokerUnavailableError
from stream_jobs.kafka import librdkafka_config
from stream_jobs.settings import KafkaSettings
from stream_jobs.topics import COST_DELTAS

DELIVERY_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1


class DeltaPublisher:
    """Its `announce` is a step of booking. Threads may share it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._lock = Lock()  # who polls is told of everybody's deliveries
        self._producer = Producer(
            {
                **librdkafka_config(kafka),
                "acks": "all",
                "linger.ms": 0,
                "message.timeout.ms": int(DELIVERY_TIMEOUT_S * 1000),
                "message.max.bytes": 8 * 1024 * 1024,  # ours; the topic's own bound is smaller
            }
        )

    async def announce(self, block: Block, output: BlockOutput) -> None:
        """Returns when the broker has the delta. Raises BrokerUnavailableError; may be repeated."""
        ledger = output.tables.get("ledger")
        if ledger is not None and ledger.num_rows:
            await asyncio.to_thread(self._send, [encode(part) for part in split(delta_of(block, ledger))], block)

    def _send(self, messages: list[bytes], block: Block) -> None:
        settled: list[KafkaError | None] = []
        key = f"{block.source.topic_id}/{block.source.partition}".encode()
        deadline = time.monotonic() + DELIVERY_TIMEOUT_S

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            settled.append(error)

        with self._lock:
            try:
                for message in messages:
                    self._producer.produce(COST_DELTAS, message, key, on_delivery=on_delivery)
                while len(settled) < len(messages) and time.monotonic() < deadline:
                    self._producer.poll(_POLL_S)
            except (KafkaException, BufferError) as error:
                raise BrokerUnavailableError(f"{block.source}: the delta cannot be sent: {error}") from error
        if failed := [error for error in settled if error is not None]:
            raise BrokerUnavailableError(f"{block.source}: the delta was not delivered: {failed[0].str()}")
        if len(settled) < len(messages):
            raise BrokerUnavailableError(f"{block.source}: the delta was not acknowledged in time")

    def close(self) -> None:
        """What is under way is given up: its block has no receipt, and is redone."""
        self._producer.purge()
        self._producer.flush(1.0)

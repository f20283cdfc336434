"""Sends the deltas of blocks to `cost.deltas.v1`, after their rows are in the ledger and before their receipt is.

So a crash in between leaves a block without a receipt, which is redone and sends its delta again; and never is a delta
sent whose rows are not in the ledger. Booking does not wait for those who read deltas: one that cannot be sent is given
up, and the gap that it leaves tells them to read the ledger.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from stream_jobs.base.errors import BrokerUnavailableError
from stream_jobs.runtime.kafka_settings import KafkaSettings
from stream_jobs.runtime.metrics import DELTAS_LOST
from stream_jobs.runtime.record_producer import RecordProducer
from stream_jobs.runtime.topics import COST_DELTAS
from stream_jobs.series.block_sums import delta_of
from stream_jobs.series.delta import messages
from stream_jobs.streams.model import Block, BlockOutput

log = logging.getLogger(__name__)

PAUSE_S: Final = 10.0
"""After one that could not be sent: the next blocks do not wait for the same."""


class DeltaPublisher:
    """Its `announce` is a step of booking. Threads may share it."""

    def __init__(self, kafka: KafkaSettings, labels: Callable[[], Sequence[str]] = tuple) -> None:
        """`labels`: names of those to tell of, asked for each block."""
        self._labels = labels
        self._producer = RecordProducer(kafka)
        self._paused_until = time.monotonic()

    async def announce(self, block: Block, output: BlockOutput) -> None:
        """Returns when the broker has the delta, or will not have it."""
        if time.monotonic() < self._paused_until:
            DELTAS_LOST.inc()
            return
        try:
            await asyncio.to_thread(self._send, block, output)
        except BrokerUnavailableError as error:
            log.error("the delta of %s from %d on is lost, budgets read the ledger: %s", *_place(block), error)
            DELTAS_LOST.inc()
            self._paused_until = time.monotonic() + PAUSE_S

    def _send(self, block: Block, output: BlockOutput) -> None:
        delta = delta_of(block, output.tables.get("ledger"), self._labels())
        key = f"{delta.origin.topic_id}/{delta.origin.partition}".encode()
        self._producer.send(COST_DELTAS, [(key, message) for message in messages(delta)])

    def close(self) -> None:
        """What is under way is given up."""
        self._producer.close()


def _place(block: Block) -> tuple[object, int]:
    return block.source, block.first_offset

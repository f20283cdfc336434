"""Sends the deltas of blocks to `cost.deltas.v1`, after their rows are in the ledger and before their receipt is.

So a crash in between leaves a block without a receipt, which is redone and sends its delta again: every block's delta
is sent at least once, and never one whose rows are not in the ledger.
"""

import asyncio

from stream_jobs.blocks.model import Block, BlockOutput
from stream_jobs.deltas.delta import delta_of, encode, split
from stream_jobs.record_sender import RecordSender
from stream_jobs.settings import KafkaSettings
from stream_jobs.topics import COST_DELTAS


class DeltaPublisher:
    """Its `announce` is a step of booking. Threads may share it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._sender = RecordSender(kafka)

    async def announce(self, block: Block, output: BlockOutput) -> None:
        """Returns when the broker has the delta. Raises BrokerUnavailableError; may be repeated."""
        ledger = output.tables.get("ledger")
        if ledger is None or not ledger.num_rows:
            return
        key = f"{block.source.topic_id}/{block.source.partition}".encode()
        await asyncio.to_thread(
            lambda: self._sender.send(COST_DELTAS, [(key, encode(part)) for part in split(delta_of(block, ledger))])
        )

    def close(self) -> None:
        """What is under way is given up: its block has no receipt, and is redone."""
        self._sender.close()

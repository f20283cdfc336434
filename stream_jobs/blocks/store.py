"""Blocks in ClickHouse: the row that fixes a block, the insert with its token, the receipt."""

import asyncio
import socket
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, cast

import pyarrow as pa

from stream_jobs.base.instants import as_utc
from stream_jobs.blocks.progress import booked_to
from stream_jobs.store.client import StoreClient
from stream_jobs.store.deadline import ServerClock
from stream_jobs.store.tables import arrow_table, insert
from stream_jobs.streams.model import Block, BlockOutput, SourcePartition, Versions

WORKER_NAME = socket.gethostname()


class ClickHouseBlocks:
    """Implements OfficialBlocks. Blocking calls run in threads, so that other partitions go on."""

    def __init__(self, store: StoreClient, worker: str = WORKER_NAME) -> None:
        self._store = store
        self._clock = ServerClock(store)
        self._worker = worker

    async def write_block_row(self, block: Block) -> None:
        row = {
            **self._range(block),
            "fixed_at": block.fixed_at,
            "price_book_version": block.versions.price_book,
            "attribution_version": block.versions.attribution,
            "generation": block.generation,
            "sender_rules": block.versions.sender_rules,
            "refusals": block.refusals,
        }
        # The instant is part of the token: a worker that lost the partition may have left a row of the same range, and
        # this one must not be taken for its repetition. The block is redone with the instant and versions of its own.
        await self._insert("blocks", arrow_table("blocks", [row]), f"{block.token}@{block.fixed_at.isoformat()}")

    async def instant(self) -> datetime:
        return await asyncio.to_thread(self._clock.now)

    async def deadline(self) -> datetime:
        return await asyncio.to_thread(self._clock.deadline)

    async def insert(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        for table, rows in output.tables.items():
            await self._insert(table, rows, block.token, not_after)

    async def write_receipt(self, block: Block, output: BlockOutput, not_after: datetime) -> None:
        receipt = {**self._range(block), **asdict(output.counts), "completed_at": await self.instant()}
        await self._insert("block_receipts", arrow_table("block_receipts", [receipt]), block.token, not_after)

    async def booked_to(self, source: SourcePartition) -> int:
        """Implements OfficialBlocks."""
        ends = await asyncio.to_thread(booked_to, self._store, source.topic, source.topic_id)
        return ends.get(source.partition, 0)

    async def is_complete(self, block: Block) -> bool:
        """Implements OfficialBlocks."""
        rows = await asyncio.to_thread(
            self._store.rows,
            "SELECT 1 FROM block_receipts WHERE topic = {topic:String} AND topic_id = {topic_id:String} "
            "AND partition = {partition:UInt32} AND first_offset = {first_offset:UInt64} "
            "AND last_offset = {last_offset:UInt64} LIMIT 1",
            {
                "topic": block.source.topic,
                "topic_id": block.source.topic_id,
                "partition": block.source.partition,
                "first_offset": block.first_offset,
                "last_offset": block.last_offset,
            },
        )
        return bool(rows)

    async def last_block(self, source: SourcePartition, committed: int) -> Block | None:
        """Of several rows that end at the committed offset, the one that starts last is official; of several with the
        same range, the one of the highest generation, and of these the one that was fixed last.

        A worker fixes a block where the official blocks end at that time. One that lost the partition did so earlier
        than the one whose commit was accepted, so its range starts earlier, or its generation is a lower one.
        """
        rows = await asyncio.to_thread(
            self._store.rows,
            "SELECT first_offset, fixed_at, price_book_version, attribution_version, generation, sender_rules, "
            "refusals FROM blocks "
            "WHERE topic_id = {topic_id:String} AND partition = {partition:UInt32} "
            "AND last_offset = {last_offset:UInt64} AND topic = {topic:String} "
            "ORDER BY first_offset DESC, generation DESC, fixed_at DESC LIMIT 1",
            {
                "topic": source.topic,
                "topic_id": source.topic_id,
                "partition": source.partition,
                "last_offset": committed - 1,
            },
        )
        if not rows:
            return None
        first_offset, fixed_at, price_book, attribution, generation, sender_rules, refusals = cast(
            tuple[int, datetime, str, str, int, str, str], rows[0]
        )
        versions = Versions(price_book, attribution, sender_rules)
        fixed = Block(source, first_offset, committed - 1, as_utc(fixed_at), versions, generation)
        return replace(fixed, redone=True, refusals=refusals)

    async def other_topic_id(self, source: SourcePartition, committed: int) -> str | None:
        """Implements OfficialBlocks. A scan of a small table, for a case that hardly ever comes up."""
        rows = await asyncio.to_thread(
            self._store.rows,
            "SELECT topic_id FROM blocks WHERE topic = {topic:String} AND partition = {partition:UInt32} "
            "AND last_offset = {last_offset:UInt64} AND topic_id != {topic_id:String} ORDER BY fixed_at DESC LIMIT 1",
            {
                "topic": source.topic,
                "topic_id": source.topic_id,
                "partition": source.partition,
                "last_offset": committed - 1,
            },
        )
        return str(rows[0][0]) if rows else None

    async def _insert(self, table: str, rows: pa.Table, token: str, not_after: datetime | None = None) -> None:
        await asyncio.to_thread(insert, self._store.client, table, rows, token, not_after)

    def _range(self, block: Block) -> dict[str, Any]:
        return {
            "topic": block.source.topic,
            "topic_id": block.source.topic_id,
            "partition": block.source.partition,
            "first_offset": block.first_offset,
            "last_offset": block.last_offset,
            "worker": self._worker,
        }

"""The physical limits beside which a pipeline's throughput is read: nothing but consuming, nothing but inserting."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition

from stream_jobs.attribution.rules import AttributionRules
from stream_jobs.blocks.limits import BookerLimits
from stream_jobs.metering.process import Metering
from stream_jobs.pricing.book import PriceBook
from stream_jobs.store.tables import insert
from stream_jobs.streams.model import Block, SourcePartition, SourceRecord
from tests.benchmarks.harness.machine import ROOT
from tests.benchmarks.harness.memory_ledger import EmptyLedger
from tests.benchmarks.harness.messages import MessageMaker
from tests.benchmarks.harness.rig import Rig

BLOCK_ROWS: Final = BookerLimits().max_block_rows  # what a worker inserts at once when much waits
FETCH: Final = 5_000


def records(maker: MessageMaker, count: int = BLOCK_ROWS) -> list[SourceRecord]:
    """The next messages as a fetch returns them."""
    first, now_ms = maker.made, time.time_ns() // 1_000_000
    made = maker.make(count)
    pairs = enumerate(zip(made.keys, made.values, strict=True), first)
    return [SourceRecord(offset, now_ms, key, value) for offset, (key, value) in pairs]


def block_of(metering: Metering, batch: list[SourceRecord]) -> Block:
    source = SourcePartition("usage.events.v1", "bench", 0)
    return Block(source, batch[0].offset, batch[-1].offset, datetime.now(UTC), metering.versions(), 1)


def ledger_blocks(count: int, config_dir: Path | None) -> Iterator[pa.Table]:
    """What a worker inserts for the benchmark's messages, computed by the metering step itself."""
    rules = AttributionRules.load(config_dir)
    metering = Metering(PriceBook.load(config_dir), rules, EmptyLedger(), timedelta(seconds=300))
    maker = MessageMaker()
    for _ in range(count):
        batch = records(maker)
        yield metering.process(block_of(metering, batch), batch).tables["ledger"]


def consume(rig: Rig, total: int, seconds: float) -> float:
    """Messages per second that librdkafka hands to Python, nothing done with them.

    From the topic's start, until all are read or the time is up.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": rig.bootstrap,
            "group.id": "bench-raw",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(rig.topic, partition, 0) for partition in range(rig.partitions)])
        got = len(consumer.consume(1, timeout=30))
        began, end = time.perf_counter(), time.perf_counter() + seconds
        read = 0
        while got + read < total and (now := time.perf_counter()) < end:
            read += sum(len(message.value() or b"") > 0 for message in consumer.consume(FETCH, timeout=end - now))
        return read / (time.perf_counter() - began)
    finally:
        consumer.close()


def insert_over_http(rig: Rig, blocks: list[pa.Table], seconds: float) -> tuple[float, int]:
    """Rows per second into the ledger and its rollups, by one client as a worker inserts, each block with a token; and
    how many rows that were."""
    began, rows, number = time.perf_counter(), 0, 0
    while time.perf_counter() - began < seconds or not rows:
        block = blocks[number % len(blocks)]
        insert(rig.store.client, "ledger", block, f"limit-{number}")
        rows, number = rows + block.num_rows, number + 1
    return rows / (time.perf_counter() - began), rows


def insert_in_process(rig: Rig, blocks: list[pa.Table], seconds: float) -> float:
    """As above without HTTP: the engine in the process that inserts. Ends the rig's store."""
    folder = rig.folder / "blocks"
    folder.mkdir()
    for number, block in enumerate(blocks):
        path = folder / f"{number}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, block.schema) as writer:
            writer.write_table(block.combine_chunks())
    rig.stop("store")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.harness.raw_insert", str(rig.folder), str(seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout)

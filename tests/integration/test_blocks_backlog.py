"""A backlog that is there before the worker: large blocks, exactly once, within the worker's memory."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import insert
from tests.benchmarks.harness.limits import ledger_blocks
from tests.benchmarks.harness.rig import Rig
from tests.benchmarks.harness.sustained import check, drain
from tests.benchmarks.harness.usage import MIB, Sampler
from tests.integration.pipeline import usage_event
from tests.store_server import StoreProcess

MAX_WORKER_MIB = 600
EVENTS = 150_000
LARGE = 2_400
LARGE_BYTES = 65_000
VIEWS = ("booked_ids", "cost_1m", "cost_1h", "cost_1d")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig", partitions=2) as rig:
        yield rig


def most_mib(rig: Rig, work: Callable[[], None]) -> float:
    """The most memory (RSS) that one worker had."""
    sampler = Sampler({"worker": rig.processes()["worker"]}, 0.05).start()
    work()
    return sampler.stop()["worker"].rss_max / MIB


def receipts(rig: Rig) -> list[tuple[int, int, int]]:
    """Partition, first and last offset of all finished blocks, in order."""
    rows = rig.store.rows("SELECT partition, first_offset, last_offset FROM block_receipts ORDER BY ALL")
    return [(int(str(partition)), int(str(first)), int(str(last))) for partition, first, last in rows]


def assert_tiled(blocks: list[tuple[int, int, int]]) -> None:
    """Every partition from its beginning, without a gap and without an overlap."""
    ends: dict[int, int] = {}
    for partition, first, last in blocks:
        assert first == ends.get(partition, 0)
        ends[partition] = last + 1


def test_sixty_thousand_rows_are_one_part_with_one_token_everywhere(process: StoreProcess) -> None:
    """In the ledger and in every view behind it; and a repetition changes nothing in any of them."""
    (rows,) = ledger_blocks(1, None)
    assert rows.num_rows == 60_000
    with StoreClient(process.settings) as store:
        for table in ("ledger", *VIEWS):
            store.command(f"TRUNCATE TABLE {table}")
        found = []
        for _ in range(2):
            insert(store.client, "ledger", rows, "sixty thousand")
            found.append(
                {
                    table: store.rows(
                        f"SELECT (SELECT count() FROM {table}), count(), max(level) FROM system.parts "
                        f"WHERE table = '{table}' AND active"
                    )[0]
                    for table in ("ledger", *VIEWS)
                }
            )
    assert found[0]["ledger"] == (60_000, 1, 0)
    assert {parts[1:] for parts in found[0].values()} == {(1, 0)}
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_backlog_of_ordinary_events_survives_a_kill_and_is_booked_once_in_large_blocks(rig: Rig) -> None:
    """The worker dies with large blocks in flight; the next one redoes what is official. The ledger, the rollups and
    their costs are exact, blocks tile the log, and neither worker had more memory than it may."""
    load = rig.start_load()
    load.allow(EVENTS)
    load.sent()
    sent = load.finish()
    rig.start_workers()

    def some() -> None:
        rig.until(lambda: rig.booked() > 0, "first block")

    first = most_mib(rig, some)
    (worker,) = rig.processes()["worker"]
    os.kill(worker, signal.SIGKILL)
    rig.stop("worker")
    rig.start_workers()
    second = most_mib(rig, lambda: drain(rig, sent))
    check(rig, sent, "spendstream")
    rig.until(lambda: sum(last - first + 1 for _, first, last in receipts(rig)) == sent, "all receipts")
    blocks = receipts(rig)
    assert_tiled(blocks)
    assert max(last - first + 1 for _, first, last in blocks) >= 30_000, "blocks are as large as the backlog allows"
    assert max(first, second) < MAX_WORKER_MIB


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_backlog_of_the_largest_events_stays_within_the_memory(rig: Rig) -> None:
    """64 KiB each, every second one of them refused and kept with all its bytes: blocks hold fewer of them."""
    producer = Producer({"bootstrap.servers": rig.bootstrap, "queue.buffering.max.kbytes": 1_000_000, "log_level": 0})
    event = usage_event(None)
    for number in range(LARGE):
        document = {**event, "event_id": f"large-{number}", "padding": "x" * (LARGE_BYTES - 500)}
        if number % 2:
            del document["source"]
        producer.produce(rig.topic, json.dumps(document).encode(), b"k", partition=number // 2 % 2)
        producer.poll(0)
    assert producer.flush(120) == 0
    rig.start_workers()

    def booked() -> int:
        return sum(last - first + 1 for _, first, last in receipts(rig))

    most = most_mib(rig, lambda: rig.until(lambda: booked() == LARGE, "all blocks", booked))
    blocks = receipts(rig)
    assert_tiled(blocks)
    assert max(last - first + 1 for _, first, last in blocks) <= 32 * MIB // (LARGE_BYTES - 500)
    assert rig.booked() == LARGE // 2
    assert rig.store.rows("SELECT count(), uniqExact(offset, partition), min(raw_size) > 60000 FROM quarantine") == [
        (LARGE // 2, LARGE // 2, 1)
    ]
    assert most < MAX_WORKER_MIB

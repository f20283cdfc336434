"""Looking up what became of records, in the embedded store over HTTP."""

from collections.abc import Iterator

import pytest

from spendstream_traffic.replay.fates import FateCounts, StoreFates
from spendstream_traffic.replay.ranges import ERA, SentRanges
from spendstream_traffic.replay.waiting import wait_for_fates
from stream_jobs.store.client import StoreClient
from tests.store_server import StoreProcess

TOPIC = "usage.events.v1"
NOW = "now64(6)"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    store = StoreProcess.made(tmp_path_factory.mktemp("store") / "store")
    yield store
    store.kill()


@pytest.fixture(scope="module")
def reader(store: StoreProcess) -> Iterator[StoreClient]:
    """Records of two partitions and two incarnations of the topic; partition 0 holds, of each ten offsets, one
    duplicate, one quarantined, two unpriced and six priced ones, and a retraction that is nobody's fate."""
    where = "FROM numbers(1000)"
    with StoreClient(store.settings) as writer:
        for topic_id in ("old", "new"):
            writer.command(
                "INSERT INTO ledger (event_id, entry_kind, occurred_at, booked_at, unpriced_reason, topic_id, "
                f"partition, offset) SELECT toString(number), 'charge', {NOW}, {NOW}, "
                f"if(number % 10 < 4, 'unknown_model', ''), '{topic_id}', 0, number {where} WHERE number % 10 >= 2"
            )
        writer.command(
            "INSERT INTO ledger (event_id, entry_kind, occurred_at, booked_at, topic_id, partition, offset) "
            f"SELECT toString(number), 'retraction', {NOW}, {NOW}, 'new', 0, number {where}"
        )
        for table, time, rest in (("duplicates", "seen_at", 0), ("quarantine", "quarantined_at", 1)):
            writer.command(
                f"INSERT INTO {table} ({time}, topic, topic_id, partition, offset) SELECT {NOW}, '{TOPIC}', 'new', 0, "
                f"number {where} WHERE number % 10 = {rest}"
            )
        writer.command(
            "INSERT INTO outcomes (event_id, occurred_at, booked_at, topic_id, partition, offset) "
            f"SELECT toString(number), {NOW}, {NOW}, 'new', 1, number FROM numbers(7)"
        )
        writer.command(
            "INSERT INTO block_receipts (topic, topic_id, partition, first_offset, last_offset, received) VALUES "
            f"('{TOPIC}', 'new', 0, 0, 499, 500), ('{TOPIC}', 'new', 0, 500, 999, 500), "
            f"('{TOPIC}', 'old', 0, 0, 4999, 1)"
        )
    with StoreClient(store.read_settings) as reader:
        yield reader


def test_exactly_our_offsets_are_counted(reader: StoreClient) -> None:
    """Not the neighbours in the same partition, not the topic's earlier incarnation, not retractions."""
    fates = StoreFates(reader, "new")
    assert fates.count(SentRanges(TOPIC, {0: ((0, 999),)})) == FateCounts(800, 100, 100, 200)
    assert fates.count(SentRanges(TOPIC, {0: ((0, 4), (17, 17))})) == FateCounts(4, 1, 1, 2)
    assert fates.count(SentRanges(TOPIC, {1: ((0, 999),)})) == FateCounts()
    assert StoreFates(reader, "old").count(SentRanges(TOPIC, {0: ((0, 999),)})) == FateCounts(800, 0, 0, 200)


def test_many_small_ranges_add_up(reader: StoreClient) -> None:
    """Other producers between our records: 500 ranges of one offset each."""
    sent = SentRanges(TOPIC, {0: tuple((offset, offset) for offset in range(0, 1000, 2))})
    counts = StoreFates(reader, "new").count(sent)
    assert counts == FateCounts(booked=400, duplicates=100, quarantined=0, unpriced=100)
    assert counts.known == sent.count


def test_receipts_say_how_far_booking_is(reader: StoreClient) -> None:
    """Of this incarnation of the topic only."""
    assert StoreFates(reader, "new").finished_to(TOPIC) == {0: 1000}
    assert StoreFates(reader, "none").finished_to(TOPIC) == {}


def test_what_was_sent_to_a_topic_that_was_made_anew_in_between_is_found(reader: StoreClient) -> None:
    """The same offsets before and after: each is looked up under the id the topic had then."""
    sent = SentRanges(TOPIC, {0: ((0, 999),), ERA: ((0, 999),), 2 * ERA + 1: ((0, 4),)})
    fates = StoreFates(reader, "new", "old", "none")
    assert fates.count(sent) == StoreFates(reader, "new").count(SentRanges(TOPIC, {0: ((0, 999),)})) + StoreFates(
        reader, "old"
    ).count(SentRanges(TOPIC, {0: ((0, 999),)}))
    ends = fates.finished_to(TOPIC)
    assert ends[0] == StoreFates(reader, "new").finished_to(TOPIC)[0]
    assert {era: end for era, end in ends.items() if era >= ERA} == {
        ERA + partition: end for partition, end in StoreFates(reader, "old").finished_to(TOPIC).items()
    }


def test_waiting_on_the_real_store(reader: StoreClient) -> None:
    """Everything is finished: one look is enough."""
    sent = SentRanges(TOPIC, {0: ((100, 899),)})
    progress: list[int] = []
    counts = wait_for_fates(StoreFates(reader, "new"), sent, timeout_s=10, on_progress=progress.append)
    assert counts == FateCounts(640, 80, 80, 160)
    assert progress == [800]


def test_outcomes_are_looked_up_in_their_own_table(reader: StoreClient) -> None:
    """They have no price, so none is unpriced."""
    counts = StoreFates(reader, "new").count(SentRanges("usage.outcomes.v1", {1: ((2, 6),)}))
    assert counts == FateCounts(booked=5)

"""How far booking has come, read from the receipts of finished blocks."""

from stream_jobs.store.client import StoreClient


def booked_to(store: StoreClient, topic: str, topic_id: str) -> dict[int, int]:
    """By partition, the offset after the last finished block. Official blocks tile a partition in offset order, so
    everything before it is finished too."""
    rows = store.rows(
        "SELECT partition, max(last_offset) + 1 FROM block_receipts "
        "WHERE topic = {topic:String} AND topic_id = {topic_id:String} GROUP BY partition",
        {"topic": topic, "topic_id": topic_id},
    )
    return {int(str(partition)): int(str(offset)) for partition, offset in rows}


def totals(store: StoreClient) -> dict[str, int]:
    """Records by what became of them, over all topics: received = booked + duplicates + quarantined."""
    names = ("received", "booked", "duplicates", "quarantined", "unpriced")
    rows = store.rows(f"SELECT {', '.join(f'sum({name})' for name in names)} FROM block_receipts")
    return dict(zip(names, (int(str(value)) for value in rows[0]), strict=True))

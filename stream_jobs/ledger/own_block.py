"""What a block itself booked, told apart from what others did."""

from stream_jobs.base.instants import unix_micros
from stream_jobs.streams.model import Block

OWN_BLOCK = (
    "(topic_id = {own_topic_id:String} AND partition = {own_partition:UInt32} "
    "AND booked_at = fromUnixTimestamp64Micro({own_fixed_at:Int64}, 'UTC'))"
)
"""SQL condition with the parameters of `own_block`: what a block itself booked makes nothing a duplicate, for the block
may be booked a second time. Its instant tells it from others: a group whose offsets were lost begins again, with blocks
that are cut differently, and what the earlier ones booked is booked."""


def own_block(block: Block) -> dict[str, object]:
    """The parameters of OWN_BLOCK."""
    return {
        "own_topic_id": block.source.topic_id,
        "own_partition": block.source.partition,
        "own_fixed_at": unix_micros(block.fixed_at),
    }

"""What booking writes of a block that is official: for tests that need it in the tables, whatever led to it."""

from stream_jobs.blocks.store import ClickHouseBlocks
from stream_jobs.streams.model import Block, BlockOutput


async def insert_block(blocks: ClickHouseBlocks, block: Block, output: BlockOutput) -> None:
    """Its rows, then its receipt."""
    not_after = await blocks.deadline()
    await blocks.insert(block, output, not_after)
    await blocks.write_receipt(block, output, not_after)

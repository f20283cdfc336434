"""How large blocks, and what waits for them, may become. The README says where the figures come from."""

from dataclasses import dataclass, replace

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BookerLimits:
    """Bounds of a block, and of the records of all partitions that wait for one. Whichever is reached first counts:
    records may be small or large. A record that is larger than a bound goes alone.
    """

    max_block_rows: int = 60_000
    max_queued_records: int = 60_000
    max_block_bytes: int = 32 * MIB
    max_queued_bytes: int = 48 * MIB

    def at_most(self, block_rows: int) -> "BookerLimits":
        """Those of a job whose rows are objects of Python, of which a block holds no more than so many."""
        return replace(self, max_block_rows=min(self.max_block_rows, block_rows))

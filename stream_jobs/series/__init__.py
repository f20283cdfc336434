"""What is watched over time: the deltas of blocks, sums from the ledger, calendars."""

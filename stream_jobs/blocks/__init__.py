"""Blocks: one contiguous offset range of one partition, booked exactly once."""

"""The fast path of metering: the common token events of a bundle, all at once and column by column.

What it books is what the one-event path would book for the same records, to the last digit; whatever it is not made
for it leaves to that path. See the README of `metering`.
"""

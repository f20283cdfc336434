"""The prices that come with the program, read once in each process of the tests."""

from functools import cache

from stream_jobs.pricing.book import PriceBook


@cache
def shipped_book() -> PriceBook:
    return PriceBook.load()

"""Metering with the prices and rules of another time: those that a block was fixed with."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from stream_jobs.base.errors import ConfigError
from stream_jobs.ledger.versions import recorded_book, recorded_rules
from stream_jobs.metering.process import Metering
from stream_jobs.store.client import StoreClient
from stream_jobs.streams.model import Versions

log = logging.getLogger(__name__)
T = TypeVar("T")


def with_pinned_versions(metering: Metering, versions: Versions, store: StoreClient) -> Metering:
    """What a redo must compute with: a part of what the first run came to may be in the store already.

    Versions that cannot be made any more (another release, or they were never recorded) are replaced by those that are
    loaded, which is logged. Raises StoreUnavailableError.
    """
    loaded = metering.versions()
    if versions.price_book != loaded.price_book:
        metering = replace(metering, book=_or(metering.book, lambda: recorded_book(store, versions.price_book)))
    if versions.attribution != loaded.attribution:
        metering = replace(metering, rules=_or(metering.rules, lambda: recorded_rules(store, versions.attribution)))
    return metering


def _or(loaded: T, recorded: Callable[[], T]) -> T:
    try:
        return recorded()
    except ConfigError as error:
        log.error("a block is redone with what is loaded now, not with what it was fixed with: %s", error)
        return loaded

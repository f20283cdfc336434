"""How long the longest calls of each model are, from the ledger: what an event whose usage nobody knows is held at.

Worked out when a block needs it, at most about once an hour, and kept in `long_calls` under the block's instant.
Whether what is kept is still good enough depends on these instants alone, so a block that is redone finds what it used.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from stream_jobs.base.errors import CrashError
from stream_jobs.base.instants import as_utc, unix_micros
from stream_jobs.base.money import pico_from_usd
from stream_jobs.pricing.hold import NO_HISTORY, LongCall, LongCalls
from stream_jobs.pricing.result import STATED
from stream_jobs.store.client import StoreClient, StoreQueryError
from stream_jobs.store.tables import arrow_table, insert

log = logging.getLogger(__name__)

LOOK_BACK: Final = timedelta(days=7)
KEEP: Final = timedelta(hours=1)
KEEP_SMALL: Final = timedelta(minutes=1)
SMALL: Final = 100_000
"""Percentiles of fewer events than this may be much better soon."""
MAX_EVENTS: Final = 1_000_000
"""So many are looked at; of more, every second one, or third, ..."""
ALL_TOKENS: Final = ""
_WHERE: Final = (
    "FROM ledger WHERE entry_kind = 'charge' AND NOT cached_response AND offset % {every:UInt64} = 0 "
    "AND booked_at > fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
    "AND booked_at <= fromUnixTimestamp64Micro({at:Int64}, 'UTC')"
)
_TOKENS: Final = "quantileExact(0.999)(ifNull(input_tokens, 0)), quantileExact(0.999)(ifNull(output_tokens, 0))"
_BY_MODEL: Final = (
    f"SELECT price_model, count(), quantileExact(0.999)(greatest(ifNull(list_cost, 0), ifNull(effective_cost, 0))), "
    f"{_TOKENS} {_WHERE} AND price_model NOT IN ('', '{STATED}') GROUP BY price_model"
)
_OF_ALL: Final = (
    f"SELECT '{ALL_TOKENS}', count(), toDecimal128(0, 12), {_TOKENS} {_WHERE} AND kind = 'tokens' "
    "AND (input_tokens IS NOT NULL OR output_tokens IS NOT NULL)"
)
_KEPT: Final = (
    "SELECT at, toString(price_model), events, cost, input_tokens, output_tokens FROM long_calls WHERE at = "
    "(SELECT max(at) FROM long_calls WHERE at <= fromUnixTimestamp64Micro({at:Int64}, 'UTC'))"
)


class LongCallsOfLedger:
    """Raises StoreUnavailableError when ClickHouse does not answer. Used by one thread at a time."""

    def __init__(self, store: StoreClient) -> None:
        self._store = store
        self._kept: tuple[datetime, LongCalls] | None = None

    def at(self, instant: datetime) -> LongCalls:
        """Of the time before; worked out and kept if what is kept is too old. Where that fails, the kept ones."""
        if not self._is_fresh(instant):
            self._kept = self._read(instant)
            if not self._is_fresh(instant):
                try:
                    self._work_out(instant)
                except (StoreQueryError, CrashError) as error:  # a bound is no reason to stop booking
                    log.error("cannot find out how long calls are, and go on with what was kept of it: %s", error)
                else:
                    self._kept = self._read(instant)
        return NO_HISTORY if self._kept is None else self._kept[1]

    def latest(self, instant: datetime) -> LongCalls:
        """What is kept of the time before, however old."""
        kept = self._read(instant)
        return NO_HISTORY if kept is None else kept[1]

    def _is_fresh(self, instant: datetime) -> bool:
        if self._kept is None:
            return False
        at, calls = self._kept
        return at <= instant <= at + (KEEP if calls.tokens.events >= SMALL else KEEP_SMALL)

    def _read(self, instant: datetime) -> tuple[datetime, LongCalls] | None:
        rows = cast(list[tuple[Any, ...]], self._store.rows(_KEPT, {"at": unix_micros(instant)}))
        if not rows:
            return None
        found = {
            str(model): LongCall(int(events), pico_from_usd(cost), int(read), int(written))
            for _, model, events, cost, read, written in rows
        }
        tokens = found.pop(ALL_TOKENS, NO_HISTORY.tokens)
        return as_utc(rows[0][0]), LongCalls(found, tokens)

    def _work_out(self, instant: datetime) -> None:
        given: dict[str, object] = {"since": unix_micros(instant - LOOK_BACK), "at": unix_micros(instant)}
        ((number,),) = self._store.rows(f"SELECT count() {_WHERE}", {**given, "every": 1})
        given["every"] = max(1, -(-int(str(number)) // MAX_EVENTS))
        rows = [
            {"at": instant, "price_model": str(model), "events": int(events), "cost": Decimal(cost),
             "input_tokens": int(read), "output_tokens": int(written)}
            for question in (_BY_MODEL, _OF_ALL)
            for model, events, cost, read, written in cast(list[tuple[Any, ...]], self._store.rows(question, given))
        ]  # fmt: skip
        # Two blocks of the same microsecond: the first one's are kept, and read by both.
        insert(self._store.client, "long_calls", arrow_table("long_calls", rows), f"long_calls/{unix_micros(instant)}")

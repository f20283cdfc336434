"""The ledger with compute where it ran: what is asked in the ledger's place when a question is to be spread.

An entry lies where its event began. One of compute that says how long it ran (`duration_s`) becomes a row for each
cell of time that it ran in: an amount there is what the entry comes to until the cell's end, less what it comes to
until its beginning, so cells add up to the entry to the last digit, however they are cut. What counts events stays
where the event began. The view compute_by_hour cuts the same way, by hours of UTC.
"""

import re
from typing import Final

from spendstream_schemas.types import MAX_DURATION_S
from stream_jobs.ledger.amounts import SIGNED
from stream_jobs.store.tables import MONEY, TABLES

MAX_CELLS: Final = 5_000
"""Of one question: a server allows a parameter 131,072 bytes."""
AMOUNTS: Final = tuple(name for name in SIGNED if TABLES["ledger"].field(name).type == MONEY)
"""Columns of the ledger that are cut."""
COUNTS: Final = tuple(name for name in SIGNED if name not in AMOUNTS)
"""Columns that belong to the first of an entry's cells, as `begins` does."""
_WHOLE: Final = "events AS whole_events, effective_cost AS whole_cost"
_RAN: Final = "kind = 'compute' AND duration_s IS NOT NULL"


def table(condition: str, asked: str) -> str:
    """A subquery with the ledger's columns, `begins`, and what each piece of an entry says of the whole, `whole_events`
    and `whole_cost`. It is of what was used in the time that the parameters say: `cuts` (Array(Int64), at most
    MAX_CELLS + 1 of them, rising), and `first` and `end`, the first and the last of these; all in microseconds since
    1970. A part's `occurred_at` is where it begins. `condition` is of the ledger's rows: nothing, or ' AND ...'.
    `asked`: the expressions that will be asked of it, for only what they name is cut. To cut all columns took the store
    58 ms of CPU for a question to an almost empty ledger, this takes 29."""
    names = frozenset(re.findall(r"\w+", asked))
    cut, kept = ([name for name in columns if name in names] for columns in (AMOUNTS, COUNTS))
    amounts = [f"prorate({name}, ran.2, whole_us) - prorate({name}, ran.1, whole_us) AS {name}" for name in cut]
    counts = [f"if(ran.1 = 0, {name}, 0) AS {name}" for name in kept]
    at = "fromUnixTimestamp64Micro(began_us + ran.1, 'UTC') AS occurred_at"
    return (
        f"(SELECT *, {_WHOLE}, true AS begins FROM ledger WHERE {_within('{first:Int64}')} AND NOT ({_RAN}){condition} "
        f"UNION ALL SELECT * EXCEPT (began_us, whole_us, ran) REPLACE ({', '.join([at, *amounts, *counts])}), "
        f"ran.1 = 0 AS begins FROM (SELECT *, {_WHOLE}, toUnixTimestamp64Micro(occurred_at) AS began_us, "
        "greatest(toInt64(duration_s * 1000000), 1) AS whole_us FROM ledger "
        f"WHERE {_within(f'{{first:Int64}} - {MAX_DURATION_S * 1_000_000}')} AND {_RAN}{condition}) AS job "
        "ARRAY JOIN arrayFilter(cell -> cell.1 < cell.2, arrayMap((since, until) -> "
        "(greatest(since, began_us) - began_us, least(until, began_us + whole_us) - began_us), "
        "arrayPopBack({cuts:Array(Int64)}), arrayPopFront({cuts:Array(Int64)}))) AS ran)"
    )


def _within(since: str) -> str:
    return (
        f"occurred_at >= fromUnixTimestamp64Micro({since}, 'UTC') "
        "AND occurred_at < fromUnixTimestamp64Micro({end:Int64}, 'UTC')"
    )

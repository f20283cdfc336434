"""Who posts corrections now: one run at a time."""

from typing import Any

from stream_jobs.store.client import StoreClient
from stream_jobs.store.tables import arrow_table, insert


def open_run(store: StoreClient, table: str, row: dict[str, Any], token: str, name: str) -> bool:
    """Open a run by inserting the row with its number. `name` is the column that tells it from others.

    Of several that take one number at once ClickHouse lets one row in, by the token; reading back says whose.
    """
    insert(store.client, table, arrow_table(table, [row]), token)
    rows = store.rows(
        f"SELECT DISTINCT {name} FROM {table} WHERE turn = {{turn:UInt64}} AND state = 'open'", {"turn": row["turn"]}
    )
    return [str(found) for (found,) in rows] == [row[name]]

"""The columns of the ledger: declared with those of the other tables, named here."""

from typing import Final

import pyarrow as pa

from stream_jobs.store.tables import TABLES

LEDGER_COLUMNS: Final = TABLES["ledger"]
"""All of them, in order."""
BLOCK_COLUMNS: Final = pa.schema([field for field in LEDGER_COLUMNS if field.name != "adjustment_run"])
"""Those that a block fills: the last one says which run posted a correction."""

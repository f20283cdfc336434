"""The columns of the ledger that every entry fills."""

from typing import Final

import pyarrow as pa

from stream_jobs.store.tables import LEDGER_SIGNS, REPORTED_TAGS, ledger_schema

LEDGER_COLUMNS: Final = pa.unify_schemas([ledger_schema(), LEDGER_SIGNS, REPORTED_TAGS])

"""The names of the jobs: what `spendstream worker` takes and `spendstream up` starts."""

from typing import Final

METERING: Final = "metering"
OUTCOMES: Final = "outcomes"
RECONCILIATION: Final = "reconciliation"
BUDGETS: Final = "budgets"
ALERTS: Final = "alerts"
DATA_QUALITY: Final = "data_quality"
BOOKING: Final = (METERING, OUTCOMES, RECONCILIATION)
WATCHING: Final = (BUDGETS, ALERTS, DATA_QUALITY)
"""What looks at the ledger and tells people. It may stand still without holding up what is booked."""
JOBS: Final = (*BOOKING, *WATCHING)

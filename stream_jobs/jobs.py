"""The names of the jobs: what `spendstream worker` takes and `spendstream up` starts."""

from typing import Final

METERING: Final = "metering"
OUTCOMES: Final = "outcomes"
RECONCILIATION: Final = "reconciliation"
JOBS: Final = (METERING, OUTCOMES, RECONCILIATION)

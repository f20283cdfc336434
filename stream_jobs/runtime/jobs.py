"""The names of the jobs: what `spendstream worker` takes and `spendstream up` starts."""

from typing import Final

METERING: Final = "metering"
OUTCOMES: Final = "outcomes"
RECONCILIATION: Final = "reconciliation"
BUDGETS: Final = "budgets"
ALERTS: Final = "alerts"
ANOMALIES: Final = "anomalies"
DATA_QUALITY: Final = "data_quality"
FORECASTS: Final = "forecasts"
JOBS: Final = (METERING, OUTCOMES, RECONCILIATION, BUDGETS, ALERTS, DATA_QUALITY, ANOMALIES, FORECASTS)

"""The guard: "may I still spend?", answered from local memory. See README.md."""

from spendstream.guard.choose import Choice, ModelOption, PriceSource, TaskNeeds
from spendstream.guard.config import BUDGET_TOPIC, GuardConfig
from spendstream.guard.decision import Decision
from spendstream.guard.guard import Guard
from spendstream.guard.intake import GuardStats
from spendstream.guard.limit import LimitedAsyncStream, LimitedStream
from spendstream.guard.price_list import PriceList, PriceListError

__all__ = [
    "BUDGET_TOPIC",
    "Choice",
    "Decision",
    "Guard",
    "GuardConfig",
    "GuardStats",
    "LimitedAsyncStream",
    "LimitedStream",
    "ModelOption",
    "PriceList",
    "PriceListError",
    "PriceSource",
    "TaskNeeds",
]

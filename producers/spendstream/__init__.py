"""spendstream's SDK: publish what your AI calls use, and who for, without slowing them down or failing with them.

import spendstream

producer = spendstream.UsageProducer(spendstream.ProducerConfig.from_env())
with spendstream.attribution(project="assistant", feature="search"):
    with producer.track(provider="openai", model="gpt-4o") as call:
        call.record(client.chat.completions.create(...))
"""

from typing import TYPE_CHECKING, Any, Final

from spendstream.config import ProducerConfig
from spendstream.context import attribution, current_attribution
from spendstream.delivery_thread import RawMessage
from spendstream.errors import CostLimitReachedError, GuardConfigError, ProducerConfigError
from spendstream.kafka_client import OUTCOME_TOPIC, USAGE_TOPIC
from spendstream.lane import Delivery
from spendstream.producer import UsageProducer
from spendstream.pseudonymize import prompt_fingerprint, pseudonym
from spendstream.stats import ProducerStats
from spendstream.tracked_call import TrackedCall
from spendstream.tracking import Tracker
from spendstream_schemas import Attribution, OutcomeEvent, UsageEvent, new_event_id

if TYPE_CHECKING:
    from spendstream.adapters import (
        PROVIDERS,
        AdapterError,
        ExtractedUsage,
        StreamAccumulator,
        extract,
        usage_event,
        usage_events,
    )
    from spendstream.guard import (
        Choice,
        Decision,
        Guard,
        GuardConfig,
        ModelOption,
        PriceList,
        PriceListError,
        PriceSource,
        TaskNeeds,
    )

_ADAPTERS: Final = frozenset(
    {"PROVIDERS", "AdapterError", "ExtractedUsage", "StreamAccumulator", "extract", "usage_event", "usage_events"}
)
_GUARD: Final = frozenset(
    {
        "Choice",
        "Decision",
        "Guard",
        "GuardConfig",
        "ModelOption",
        "PriceList",
        "PriceListError",
        "PriceSource",
        "TaskNeeds",
    }
)

__all__ = [
    "OUTCOME_TOPIC",
    "PROVIDERS",
    "USAGE_TOPIC",
    "AdapterError",
    "Attribution",
    "Choice",
    "CostLimitReachedError",
    "Decision",
    "Delivery",
    "ExtractedUsage",
    "Guard",
    "GuardConfig",
    "GuardConfigError",
    "ModelOption",
    "OutcomeEvent",
    "PriceList",
    "PriceListError",
    "PriceSource",
    "ProducerConfig",
    "ProducerConfigError",
    "ProducerStats",
    "RawMessage",
    "StreamAccumulator",
    "TaskNeeds",
    "TrackedCall",
    "Tracker",
    "UsageEvent",
    "UsageProducer",
    "attribution",
    "current_attribution",
    "extract",
    "new_event_id",
    "prompt_fingerprint",
    "pseudonym",
    "usage_event",
    "usage_events",
]


def __getattr__(name: str) -> Any:
    """The adapters and the guard are loaded when first used: most events are made without them."""
    if name in _ADAPTERS:
        from spendstream import adapters

        return getattr(adapters, name)
    if name in _GUARD:
        from spendstream import guard

        return getattr(guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

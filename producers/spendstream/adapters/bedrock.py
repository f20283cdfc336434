"""AWS Bedrock Converse and ConverseStream, as boto3 returns them; also Nova's body of InvokeModel.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html: cache reads and writes stand outside of
``inputTokens`` and are added; ``cacheDetails`` splits the writes by lifetime. Reasoning is not reported, and the model
only where a prompt router chose it: the id that was asked for (its us./eu./global. prefix moves the price) has to come
from the caller.
"""

from collections.abc import Mapping
from typing import Final

from spendstream.adapters.reader import Node
from spendstream.adapters.result import (
    ExtractedUsage,
    Meters,
    conditions,
    token_usage,
    total,
    unreported_lifetime,
)
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_LIFETIMES: Final = {"5m": "cache_write_5m_tokens", "1h": "cache_write_1h_tokens"}
MAX_ID: Final = 128
"""Characters of a model's id in an event; an ARN may be longer, and then its last part is the model's own id."""
_TOP_FIELDS: Final = ("usage", "service_tier", "performance_config", "trace")


def extract(provider: str, root: Node) -> ExtractedUsage:
    """Usage of one Converse response, or of the metadata event that ends a stream."""
    root = root.node("metadata") or root
    usage = root.node("usage")
    tier, http = root.node("service_tier"), root.node("ResponseMetadata")
    return ExtractedUsage(
        usage=None if usage is None else token_usage(provider, _meters(usage)),
        response_model=routed_to(root),
        response_id=None if http is None else http.name("RequestId", 256),
        service_tier=None if tier is None else normal_tier(provider, tier.name("type", 64, UNREADABLE)),
        conditions=conditions(latency=latency(root)),
        operation=None if usage is None else "chat",
    )


def latency(root: Node) -> str | None:
    """The latency mode of a response."""
    performance = root.node("performance_config")
    return None if performance is None else performance.name("latency", 64, UNREADABLE)


def routed_to(root: Node) -> str | None:
    """The model that a prompt router has chosen, an ARN; nothing else in a response names a model."""
    trace = root.node("trace")
    router = None if trace is None else trace.node("prompt_router")
    found = None if router is None else router.name("invoked_model_id", 2048, UNREADABLE)
    return found if found is None or len(found) <= MAX_ID else found.rpartition("/")[2][:MAX_ID]


def _meters(usage: Node) -> Meters:
    read, written = (
        usage.count(f"cache_{action}_input_tokens" if usage.has(f"cache_{action}_input_tokens") else older)
        for action, older in (("read", "cache_read_input_token_count"), ("write", "cache_write_input_token_count"))
    )
    by_lifetime: dict[str, int] = {}
    unknown = 0
    for item in usage.nodes("cache_details"):
        count, meter = item.count("input_tokens"), _LIFETIMES.get(item.text("ttl", 64) or "")
        if count is None:
            continue
        if meter is None:
            unknown += count
        else:
            by_lifetime[meter] = by_lifetime.get(meter, 0) + count
    known = total(*by_lifetime.values())
    rest = unreported_lifetime(usage, unknown or None if written is None else written, known)
    uncached = usage.count("input_tokens")
    meters: Meters = {
        "input_tokens": None if uncached is None else total(uncached, read, known, rest),
        "cache_read_tokens": read,
        "cache_write_tokens": rest,
        "output_tokens": usage.count("output_tokens"),
    }
    return meters | by_lifetime


def begins(known: Mapping[str, object], event: Node) -> bool:
    """Whether an event is of another response: none has an id."""
    return "usage" in known and event.has("message_start")


def fold(known: dict[str, object], event: Node) -> None:
    """Add one stream event to what is known: usage comes with the last one, ``metadata``."""
    if event.has("ResponseMetadata"):
        known["ResponseMetadata"] = event.raw("ResponseMetadata")
    metadata = event.node("metadata")
    if metadata is not None:
        known |= {name: metadata.raw(name) for name in _TOP_FIELDS if metadata.has(name)}

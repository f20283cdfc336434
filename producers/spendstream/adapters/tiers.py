"""The providers' words for the tier a request was served in, and the contract's words for them.

Contract words: ``standard``, ``batch``, ``flex``, ``priority``, ``scale``, ``provisioned``, ``offpeak``. What is not
listed here passes through unchanged (pricing then says that it does not know it). ``None`` marks words that say what
was asked for, not what was served: with them the tier is unknown. A provider without words of its own has OpenAI's.
"""

from collections.abc import Mapping
from typing import Final

# platform.openai.com/docs/api-reference/chat/object (service_tier): "default" is the standard tier, "auto" is a wish;
# a request for "fast" is served and reported as "priority".
_OPENAI: Final = {"default": "standard", "auto": None, "fast": "priority"}

_TIERS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "openrouter": _OPENAI,
    "x-ai": _OPENAI,
    "fireworks": _OPENAI,
    "together": _OPENAI,
    "deepseek": _OPENAI,
    "perplexity": _OPENAI,
    # inference-docs.cerebras.ai/capabilities/service-tiers: priority, default, flex, auto
    "cerebras": _OPENAI,
    # console.groq.com/docs/service-tiers: on_demand is the standard tier, auto a wish; flex and performance are tiers
    "groq": {"on_demand": "standard", "default": "standard", "auto": None},
    # docs.anthropic.com/en/api/service-tiers: usage.service_tier is standard, priority or batch already
    "anthropic": {},
    # cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#TrafficType, and
    # ai.google.dev/api (ServiceTier: unspecified means standard)
    "google": {
        "traffic_type_unspecified": None,
        "on_demand": "standard",
        "on_demand_priority": "priority",
        "on_demand_flex": "flex",
        "on_demand_offpeak": "offpeak",
        "provisioned_throughput": "provisioned",
        "unspecified": "standard",
    },
    # docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html: default, priority, flex, reserved
    "aws": {"default": "standard", "reserved": "provisioned"},
    # docs.mistral.ai: usage.service_tier is standard or priority already
    "mistral": {"default": "standard"},
    "cohere": {},
}


def normal_tier(provider: str, reported: str | None) -> str | None:
    """The contract's word for a reported tier (case does not matter); None when the tier served is unknown."""
    if reported is None:
        return None
    return _TIERS.get(provider, _OPENAI).get(reported.lower(), reported.lower())

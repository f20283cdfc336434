"""Chat completions that have nothing but the fields of OpenAI's own: most calls, and they wait for their reading.

In these nothing needs to be looked for that gateways and other hosts add. The names here are none that the readers of
such additions look for.
"""

from typing import Final

from spendstream.adapters import litellm
from spendstream.adapters.reader import Node

_OBJECTS: Final = ("chat.completion", "chat.completion.chunk")
_CHAT: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "service_tier"}).union(
    {"system_fingerprint", "moderation", "metadata", "obfuscation"}
)
_TOTALS: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_DETAILS: Final = ("prompt_tokens_details", "completion_tokens_details")
_USAGE: Final = _TOTALS.union(_DETAILS)
_PARTS: Final = frozenset({"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "text_tokens"}).union(
    {"reasoning_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"}
)


def usage_of(root: Node) -> Node | None:
    """The usage of such a chat completion; None for any other response."""
    if root.raw("object") not in _OBJECTS or not root.only(_CHAT) or litellm.is_of(root):
        return None
    usage = root.node("usage")
    if usage is None or not usage.only(_USAGE):
        return None
    details = [node for name in _DETAILS if (node := usage.node(name)) is not None]
    return usage if all(node.only(_PARTS) for node in details) else None

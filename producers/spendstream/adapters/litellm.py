"""LiteLLM in front of other providers: its answers have OpenAI's form and OpenAI's meaning of the counts.

docs.litellm.ai/docs/completion/output: who served is in ``_hidden_params``, of whole responses and of chunks alike. A
call that is tracked as ``litellm`` is booked for that provider.
"""

import base64
from collections.abc import Mapping
from typing import Final

from spendstream.adapters.names import canonical

_WRAPPED: Final = "resp_bGl0ZWxsbT"
GATEWAY: Final = "litellm"
_OWN_NAMES: Final = {"azure_text": "azure", "cohere_chat": "cohere", "text-completion-openai": "openai"}
"""LiteLLM's names of parts of a provider (docs.litellm.ai/docs/providers); all others are names of providers."""


def served_by(response: object) -> str | None:
    """The provider that LiteLLM says has served this response or chunk."""
    try:
        hidden = getattr(response, "_hidden_params", None)
        name = None
        if isinstance(hidden, Mapping):  # whole answers of some providers name them in the model alone
            name = hidden.get("custom_llm_provider") or str(hidden.get("litellm_model_name") or "").rpartition("/")[0]
    except Exception:  # noqa: BLE001 - a foreign object
        return None
    if not isinstance(name, str) or not name or not name.isprintable():
        return None
    name = name.partition("/")[0].lower()
    return canonical(_OWN_NAMES.get(name, name))[:64]


def own_id(response_id: str | None) -> str | None:
    """The provider's id in one that LiteLLM has wrapped: ``resp_`` and, in base64,
    ``litellm:custom_llm_provider:...;model_id:...;response_id:...``."""
    if response_id is None or not response_id.startswith(_WRAPPED):
        return response_id
    wrapped = response_id.removeprefix("resp_")
    try:
        text = base64.b64decode(wrapped + "=" * (-len(wrapped) % 4), validate=True).decode()
    except ValueError:
        return response_id
    found = text.rpartition("response_id:")[2]
    return found if found and found != text and found.isprintable() else response_id


def without_provider(model: str | None) -> str | None:
    """``gemini/gemini-2.5-flash`` as the provider calls it."""
    return None if model is None else model.partition("/")[2] or model

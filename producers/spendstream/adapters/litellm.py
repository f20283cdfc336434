"""LiteLLM in front of other providers: its answers have OpenAI's form and OpenAI's meaning of the counts.

docs.litellm.ai/docs/completion/output: who served is in ``_hidden_params``, of whole responses and of chunks alike. A
call that is tracked as ``litellm`` is booked for that provider.
"""

from collections.abc import Mapping
from typing import Final

from spendstream.adapters.names import canonical

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


def without_provider(model: str | None) -> str | None:
    """``gemini/gemini-2.5-flash`` as the provider calls it."""
    return None if model is None else model.partition("/")[2] or model

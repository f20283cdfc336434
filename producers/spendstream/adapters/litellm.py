"""LiteLLM in front of other providers: its answers have OpenAI's form and OpenAI's meaning of the counts.

docs.litellm.ai/docs/completion/output: who served is in ``_hidden_params``, of whole responses and of chunks alike. A
call that is tracked as ``litellm`` is booked for that provider.
"""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from spendstream.adapters import anthropic, gemini
from spendstream.adapters.names import canonical
from spendstream.adapters.problems import problem
from spendstream.adapters.reader import Node, hidden
from spendstream.adapters.result import ExtractedUsage, Meters
from spendstream.adapters.tiers import normal_tier
from spendstream_schemas.types import UNREADABLE

_WRAPPED: Final = "resp_bGl0ZWxsbT"
_GROUNDING: Final = "vertex_ai_grounding_metadata"
_HIDDEN: Final = "_hidden_params"
_SERVED_BY: Final = "litellm_served_by"
_SPECIFIC: Final = "provider_specific_fields"
GATEWAY: Final = "litellm"
_OWN_NAMES: Final = {"azure_text": "azure", "cohere_chat": "cohere", "text-completion-openai": "openai"}
"""LiteLLM's names of parts of a provider (docs.litellm.ai/docs/providers); all others are names of providers."""


def is_of(root: Node) -> bool:
    """Whether LiteLLM has made this response."""
    return hidden(root.value, _HIDDEN) is not None


def served_by(response: object) -> str | None:
    """The provider that LiteLLM says has served this response or chunk."""
    said = hidden(response, _HIDDEN)
    if said is None or not isinstance(said, Mapping):
        return None
    try:  # whole answers of some providers name them in the model alone
        name = said.get("custom_llm_provider") or str(said.get("litellm_model_name") or "").rpartition("/")[0]
    except Exception:  # noqa: BLE001 - a foreign object
        return None
    if not isinstance(name, str) or not name or not name.isprintable():
        return None
    return _id_of(name.partition("/")[0])


def server_of(provider: str, root: Node) -> str:
    """Whose own fields a response has: those of the provider that LiteLLM says has served, also in what `kept` has
    kept of a stream; for a response that is no gateway's, `provider`."""
    if provider != GATEWAY:
        return provider
    folded = root.raw(_SERVED_BY)
    return served_by(root.value) or (folded if isinstance(folded, str) else provider)


def beside_the_usage(root: Node, usage: Node | None) -> tuple[str | None, dict[str, int | None]]:
    """The tier and the calls of tools that LiteLLM carries outside of OpenAI's fields; nothing for other responses.

    Vertex AI's type of traffic stands in the usage, or in what LiteLLM calls specific to the provider; Gemini's
    grounding in ``vertex_ai_grounding_metadata``, a list with that of each candidate.
    """
    traffic = None
    for place in (usage, *_specific(root)):
        if place is not None and traffic is None:
            traffic = place.name("traffic_type", 64, UNREADABLE)
    grounding = _grounding(root)
    model = root.name("model") or ""
    return normal_tier("google", traffic), gemini.grounded_calls(grounding, model) if grounding else {}


def without_advisors(
    provider: str, usage: Node, meters: Meters, found: ExtractedUsage
) -> tuple[Meters, tuple[ExtractedUsage, ...]]:
    """The meters without what Anthropic's advisors have used, and usage of theirs, which is `found` with another model.

    LiteLLM's totals have all ``iterations``, also those of other models, and it hands the iterations on.
    """
    if not isinstance(usage.raw("iterations"), (list, tuple)):
        return meters, ()
    _, advised = anthropic.beside_the_totals(provider, usage, found)
    for used in (one.usage for one in advised):
        meters = {
            name: _less(usage, name, count, None if used is None else getattr(used, name))
            for name, count in meters.items()
        }
    return meters, advised


def _less(usage: Node, name: str, count: int | Decimal | None, used: int | None) -> int | Decimal | None:
    if count is None or used is None:
        return count
    if used > count:
        problem(f"{usage.path}.iterations: advisors have {used} {name}, but all together are {count}")
        return None
    return count - used


def kept(chunk: Node) -> dict[str, object]:
    """What a chunk of a stream carries of it."""
    found: dict[str, object] = {}
    for name in (_GROUNDING, _SPECIFIC):
        places = (chunk, _hidden(chunk))
        value = next((value for place in places if place is not None and (value := place.raw(name))), None)
        found |= {} if value is None else {name: value}
    by = served_by(chunk.value)
    return found if by is None else found | {_SERVED_BY: by}


def _specific(root: Node) -> list[Node]:
    """What is specific to the provider, of the response and of what LiteLLM hides in it."""
    places = (root, _hidden(root))
    return [node for place in places if place is not None and (node := _object(place, _SPECIFIC)) is not None]


def _grounding(root: Node) -> list[Node]:
    for place in (root, _hidden(root)):
        value = None if place is None else place.raw(_GROUNDING)
        if place is not None and isinstance(value, (list, tuple)) and value:
            return place.nodes(_GROUNDING)
        if place is not None and isinstance(value, Mapping) and value:
            return [Node(value, f"{place.path}.{_GROUNDING}")]
    return []


def _hidden(root: Node) -> Node | None:
    said = hidden(root.value, _HIDDEN)
    return Node(said, f"{root.path}.{_HIDDEN}") if isinstance(said, Mapping) else None


def _object(place: Node, name: str) -> Node | None:
    value = place.raw(name)
    return Node(value, f"{place.path}.{name}") if isinstance(value, Mapping) else None


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


def without_provider(model: str | None, by: str) -> str | None:
    """``gemini/gemini-2.5-flash`` as Google calls it, by whom it was served.

    Only LiteLLM's name of the server is cut off: ``anthropic/claude-sonnet-4.5`` is OpenRouter's name of the model.
    """
    if model is None:
        return None
    head, _, rest = model.partition("/")
    return rest if rest and _id_of(head) == by else model


def _id_of(name: str) -> str:
    """Our id of the provider that LiteLLM calls so."""
    return canonical(_OWN_NAMES.get(name.lower(), name))[:64]

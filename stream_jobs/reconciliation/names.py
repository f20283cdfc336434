"""Under which names one call may be reported. Plain functions.

Who calls Azure says `azure` or, with OpenAI's client, `openai`; Claude on Vertex AI is `vertex`, `google` or
`anthropic`.
A provider's id of a call is its own whichever name is used, so it finds the reports; the names say which may be one.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final

from stream_jobs.pricing.match import bare
from stream_jobs.pricing.providers import Providers
from stream_jobs.pricing.refs import readings

SELLS: Final[Mapping[str, frozenset[str]]] = {
    "azure": frozenset({"openai", "anthropic", "cohere", "deepseek", "meta", "mistral", "moonshotai", "x-ai"}),
    "aws": frozenset({"anthropic", "openai", "cohere", "deepseek", "meta", "mistral", "moonshotai"}),
    "google": frozenset({"anthropic", "openai", "deepseek", "meta", "mistral", "moonshotai"}),
}
"""Cloud -> makers whose models it serves by their own API, so that their clients can be pointed at it."""
SHARED_ID: Final = r"^(conv|thread|session|batch|msgbatch)_|^(chatcmpl|cmpl)-[0-9]{1,3}$"
"""Ids of something that many calls belong to: Mistral's and OpenAI's conversations, threads, batches; and Ollama's,
which begin again (chatcmpl-0 to chatcmpl-998)."""
_shared: Final = re.compile(SHARED_ID).match
_SNAPSHOT: Final = re.compile(r"-(latest|\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{3,4})$")
"""Which state of a model: the newest, one of a day (of its year or without it), of a month, or a numbered one."""


def is_of_one_call(response_id: str) -> bool:
    """False for an id that calls share, or none."""
    return response_id != "" and _shared(response_id) is None


def provider_of(name: str, model: str) -> str:
    """One name for those that clients use for one provider. A gateway's calls are those of whom its model names."""
    found = _providers().find(name) or name
    if found in _providers().gateways and "/" in model:
        maker = model.split("/", 1)[0]
        return _providers().find(maker) or maker
    return found


def may_be_one(one: str, other: str) -> bool:
    """Whether a call may be reported under both names (of `provider_of`): a cloud, and a maker whose models it has."""
    return one == other or other in SELLS.get(one, ()) or one in SELLS.get(other, ())


@lru_cache(maxsize=4096)
def model_of(provider: str, name: str) -> str:
    """What is left of an id without what the provider (of `provider_of`) and its clients put around it:
    `eu.anthropic.claude-opus-4-6-20260205-v1:0`, `claude-opus-4-6-latest` and `claude-opus-4-6` are one model.

    The price book's own unwrapping, but for any path before the id: these reports have one id of a call and one usage.
    """
    innermost = min((reading.name for reading in readings(_providers(), provider, name)), key=len)
    return _SNAPSHOT.sub("", bare(innermost.rpartition("/")[2]))


@cache
def _providers() -> Providers:
    return Providers.load(set())

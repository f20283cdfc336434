"""Under which names one call may be reported. Plain functions.

Who calls Azure says `azure` or, with OpenAI's client, `openai`; Claude on Vertex AI is `vertex`, `google` or
`anthropic`.
A provider's id of a call is its own whichever name is used, so it finds the reports; the names say which may be one.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from stream_jobs.pricing.providers import Providers

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
_OWNER: Final = re.compile(r"[a-z0-9-]+\.(?=[a-z])")
_VERSION: Final = re.compile(r"-v\d+(:\d+)?$")
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


def model_of(name: str) -> str:
    """What is left of a model's id without what the clouds put around it: `eu.anthropic.claude-opus-4-6-20260205-v1:0`,
    `claude-opus-4-6@20260205`, `claude-opus-4-6-latest` and `claude-opus-4-6` are one model."""
    name = name.lower().rsplit("/", 1)[-1]
    while (owner := _OWNER.match(name)) is not None:
        name = name[owner.end() :]
    return _SNAPSHOT.sub("", _VERSION.sub("", name.replace("@", "-")))


@cache
def _providers() -> Providers:
    return Providers.load(set())

"""What an id is wrapped in: ARNs, resource names, a client's own prefixes, a router's endings.

A provider's clients and consoles write one model in many ways. Here an id is unwrapped into the names it may have, the
most literal first; whether the book has such a name is the catalogue's to say. Some ids name a resource of one's own
and say nothing about the model in it: those are told apart, so that the answer can say what to do.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from stream_jobs.pricing.providers import Providers

# docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html: its resource types
_BEDROCK_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/([^/]+)"
)
_OPAQUE_ARN: Final = re.compile(r"arn:aws[a-z-]*:(bedrock|sagemaker):[a-z0-9-]*:\d*:([a-z-]+)/")
# docs.litellm.ai/docs/providers/bedrock: the API, and the region, before the id
_BEDROCK_ROUTE: Final = re.compile(r"(?:(?:converse|converse_like|invoke)/)?(?:[a-z]{2}(?:-[a-z]+)+-\d/)?")
# cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.publishers.models
_PUBLISHED: Final = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/([^/]+)/models/([^/]+)")
_OPAQUE_GOOGLE: Final = re.compile(
    r"(?:projects/[^/]+/locations/[^/]+/)?(endpoints|tunedmodels|models)/\d[^/]*|tunedmodels/.+"
)
_MAX_LAYERS: Final = 4


class Reading(NamedTuple):
    """A name that an id may stand for; `adds` is the tool that the id itself switched on."""

    name: str
    adds: str = ""


def readings(providers: Providers, provider: str, ref: str) -> list[Reading]:
    """The names of an id in lower case, the most literal first, each once."""
    found = {(first := providers.without_prefix(provider, ref.lower())): Reading(first)}
    layer = [found[first]]
    for _ in range(_MAX_LAYERS):
        layer = [
            inner for outer in layer for inner in _unwrapped(providers, provider, outer) if inner.name not in found
        ]
        found.update((reading.name, reading) for reading in layer)
    return list(found.values())


def _unwrapped(providers: Providers, provider: str, outer: Reading) -> Iterator[Reading]:
    name, adds = outer
    if provider == "aws":
        if arn := _BEDROCK_ARN.fullmatch(name):
            yield Reading(arn[1], adds)
        elif (route := _BEDROCK_ROUTE.match(name)) and route.end():
            yield Reading(name[route.end() :], adds)
    elif provider == "google" and (published := _PUBLISHED.fullmatch(name)):
        yield Reading(published[2], adds)
        yield Reading(f"{published[1]}/{published[2]}", adds)
    if ending := providers.routing_ending(provider, name):
        yield Reading(name.removesuffix(ending.ending), adds or ending.adds)
    head, _, rest = name.partition("/")
    if rest and providers.find(head) == provider:  # "azure/gpt-4o", as LiteLLM writes it
        yield Reading(providers.without_prefix(provider, rest), adds)


def opaque(provider: str, ref: str) -> str:
    """What an id is that does not say its model, in words ("an application inference profile"); '' for all others."""
    ref = ref.lower()
    if provider == "aws" and not _BEDROCK_ARN.fullmatch(ref) and (arn := _OPAQUE_ARN.match(ref)):
        kind = arn[2].replace("-", " ")
        article = "an" if kind[0] in "aeiou" else "a"
        return f"{article} {kind}" if arn[1] == "bedrock" else f"{article} {kind} of SageMaker's"
    if provider == "google" and (resource := _OPAQUE_GOOGLE.fullmatch(ref)):
        return {"endpoints": "an endpoint", "models": "a model of one's own"}.get(resource[1] or "", "a tuned model")
    return ""

"""The names under which clients, gateways and instrumentations know a provider.

A name only chooses how a response is read: events keep the name that the service gives, and the price book knows the
same names (`stream_jobs/pricing/data/providers.yaml`; a test compares the two). A name that stands nowhere here is no
mistake: then the shape of the response says how it is read.
"""

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("open_ai", "oai"),
    "azure": (
        "azure_openai",
        "azure-openai",
        "azure.ai.openai",
        "azure.ai.inference",
        "az.ai.openai",
        "az.ai.inference",
        "azure_ai",
        "azure-ai",
        "azure_ai_foundry",
    ),
    "anthropic": ("claude",),
    "google": (
        "vertex",
        "vertex_ai",
        "vertex-ai",
        "vertexai",
        "vertex_ai_beta",
        "gemini",
        "google_ai_studio",
        "google-ai-studio",
        "google_genai",
        "google-genai",
        "google_vertexai",
        "google-vertex",
        "gcp.gemini",
        "gcp.vertex_ai",
        "gcp.gen_ai",
        "google-gla",
        "google-vertex-ai",
    ),
    "aws": (
        "bedrock",
        "aws_bedrock",
        "aws-bedrock",
        "aws.bedrock",
        "amazon_bedrock",
        "amazon",
        "amazon-bedrock",
        "bedrock_converse",
    ),
    "x-ai": ("xai", "x_ai", "grok"),
    "mistral": ("mistral_ai", "mistralai", "mistral-ai"),
    "cohere": ("cohere_ai", "cohere-ai"),
    "deepseek": ("deep_seek", "deepseek-ai"),
    "perplexity": ("perplexity_ai", "perplexity-ai"),
    "together": ("together_ai", "together-ai", "togetherai"),
    "fireworks": ("fireworks_ai", "fireworks-ai"),
    "groq": ("groqcloud",),
    "openrouter": (),
    "cerebras": (),
    "moonshotai": ("moonshot", "moonshot_ai", "moonshot-ai"),
    "voyageai": ("voyage", "voyage_ai"),
    "zai": ("z-ai", "z_ai", "z.ai"),
    "dashscope": ("alibaba", "alibaba_cloud", "alibabacloud", "aliyun", "alibaba-cloud", "qwencloud"),
    "deepgram": (),
    "nvidia": ("nvidia_nim", "nvidia-nim", "nim"),
    "litellm": ("litellm_proxy",),
    "vllm": ("hosted_vllm",),
    "sglang": (),
    "ollama": ("ollama_chat",),
    "llama.cpp": ("llamacpp", "llama_cpp", "llama-cpp", "llama-server"),
    "tgi": ("text-generation-inference", "text_generation_inference", "huggingface_tgi"),
}
"""Provider id -> other names of it."""

_CANONICAL: Final = {name: provider for provider, names in NAMES.items() for name in (provider, *names)}


def canonical(provider: str) -> str:
    """The provider id that a name stands for (case does not matter); the name in lower case if none is known."""
    lower = provider.lower()
    return _CANONICAL.get(lower, lower)

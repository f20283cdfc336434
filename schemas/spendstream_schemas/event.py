"""The usage event: one billable thing that happened, and the contract between services and the pipeline."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from spendstream_schemas.attribution import Attribution
from spendstream_schemas.reasons import InvalidReason
from spendstream_schemas.types import Count, Flag, Message, StatedUsd, Text64, Text128, Text256, Timestamp, refuse
from spendstream_schemas.usage import TokenUsage, Usage

SCHEMA_VERSION: Final = 1


class Conditions(Message):
    """Other facts that move the price. The set of keys is closed; values the price book does not know are unpriced."""

    inference_geo: Text64 | None = None  # where the model ran, as the provider reports it ("us", "eu", "global")
    data_residency: Text64 | None = None  # a residency option that was bought ("us", "eu")
    deployment: Text64 | None = None  # Azure: "global", "data_zone", "regional", "provisioned"
    endpoint: Text64 | None = None  # Bedrock, Vertex: "global", "regional", "multi_region"
    speed: Text64 | None = None  # Anthropic: "standard", "fast"
    latency: Text64 | None = None  # Bedrock: "standard", "optimized"
    search_context: Text64 | None = None  # "low", "medium", "high", "preview", "live", "attachment": which search
    size: Text64 | None = None  # of the images or video produced, as the provider writes it: "1024x1792", "1080p", "2k"
    quality: Text64 | None = None  # of what was produced: DALL-E "standard", "hd"; Veo "video_only" (without sound)
    cache: Text64 | None = None  # which cache was read, where they differ: "explicit" (DashScope)
    fine_tuned: Flag | None = None  # served from a fine-tuned deployment of the model


class ToolCalls(Message):
    """Calls of the provider's own (server-side) tools that are billed per call."""

    web_search: Count | None = None
    web_fetch: Count | None = None
    file_search: Count | None = None
    code_execution: Count | None = None
    social_search: Count | None = None
    maps_grounding: Count | None = None
    image_generation: Count | None = None
    computer_use: Count | None = None


class UsageEvent(Message):
    """One billable thing that happened. Identity is ``event_id`` alone; ``revision`` corrects it."""

    schema_version: Literal[1]
    event_id: Text128
    revision: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 0
    occurred_at: Timestamp
    source: Text128  # the service that reports it

    provider: Text64
    model: Text128 | None = None  # the model that was asked for
    response_model: Text128 | None = None  # the model that was served; wins for pricing
    operation: Text64 | None = None  # chat, responses, embeddings, rerank, image, transcription, job, ...
    service_tier: Text64 | None = None  # the tier that was served: standard, batch, flex, priority, ...
    region: Text64 | None = None
    conditions: Conditions | None = None
    usage: Usage
    tool_calls: ToolCalls | None = None
    stated_cost_usd: StatedUsd | None = Field(
        default=None,
        description="What the provider itself says that the whole of this event cost, in USD, tools and fees included. "
        "It is the price where the price book has none, and is compared with the book's price otherwise. "
        "Never an estimate that something else made (a gateway's own table of prices).",
    )
    response_id: Text256 | None = None  # the provider's own id of the call
    trace_id: Text128 | None = None
    session_id: Text128 | None = None  # a conversation, or one run of an agent

    attribution: Attribution = Attribution()

    status: Literal["ok", "error", "cancelled"] = "ok"
    latency_ms: Annotated[float, Field(strict=True, ge=0, le=7 * 86_400_000, allow_inf_nan=False)] | None = None
    cached_response: Flag = False  # answered from the service's own cache: costs nothing, saves something
    complexity: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    batchable: Flag | None = None
    retry_of: Text128 | None = None  # event_id of the attempt this one repeats
    prompt_fingerprint: Text128 | None = None  # keyed hash, never the prompt

    @model_validator(mode="after")
    def _token_usage_names_a_model(self) -> Self:
        if self.model is None and self.response_model is None and isinstance(self.usage, TokenUsage):
            raise refuse(InvalidReason.MODEL_MISSING, "token usage needs model or response_model")
        return self

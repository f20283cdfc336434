"""What every field of the contract means, in the words that the published JSON Schemas carry.

For services that write events without the SDK: what to put there, in which unit, from where. Kept out of the models,
which are imported by every service: only the generation of the schemas reads this. A test holds the two together.
"""

from collections.abc import Mapping
from typing import Any, Final

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "UsageEvent": {
        "schema_version": "Version of this contract: 1.",
        "event_id": (
            "Identity of the event, made by the sender, best a UUIDv7. A retry of sending has the same one, "
            "another call to the provider a new one. The same id is booked once, whenever it comes again."
        ),
        "revision": "0 at first. The same event_id with a higher revision corrects what was sent before.",
        "occurred_at": (
            "When the usage happened: RFC 3339 with an offset from UTC, microseconds at most. The price of that "
            "instant holds, not that of the arrival."
        ),
        "source": "Name of the service that reports the event.",
        "provider": (
            "Who sends the bill, in any of the usual names: openai, anthropic, google or vertex_ai, aws or "
            "bedrock, azure, xai, mistral, ... A name that the price book does not know is booked with its counts "
            "and unpriced."
        ),
        "model": (
            "The model (or deployment's model) that was asked for, as the provider writes it; also an ARN or a "
            "resource name. Needed for tokens unless response_model is given. On Bedrock its prefix (us., eu., "
            "global.) moves the price."
        ),
        "response_model": (
            "The model that the response says has served; it wins for the price. A dated snapshot, where the "
            "response names one."
        ),
        "operation": (
            "What kind of call it was: chat, responses, completion, embeddings, rerank, image, transcription, "
            "realtime, ocr, job, ..."
        ),
        "service_tier": (
            "The tier that has served, from the response and not from the request: standard, batch, flex, "
            "priority, provisioned, ... Absent means standard. A batch must be said here: most responses of a "
            "batch do not say it, and it costs half."
        ),
        "region": (
            "The provider's region that has served: us-east-1, eu-west-1, us-east5, swedencentral. No response "
            "says it. Where prices differ by region, the event without it has the documented default or no price."
        ),
        "conditions": "Other facts that move the price.",
        "usage": "What was used: tokens, compute or metered, told apart by kind.",
        "tool_calls": "Calls of the provider's own tools that are billed beside the tokens.",
        "response_id": (
            "The provider's own id of the call (id, responseId, the request id of AWS). It finds the same call "
            "reported by a gateway and by the service."
        ),
        "trace_id": "Id of the trace that the call belongs to (OpenTelemetry's).",
        "session_id": (
            "Id of the conversation, or of the run of an agent, that the call is a turn or a step of: OpenTelemetry's "
            "gen_ai.conversation.id. Calls with one id are added up; leave it out where there is none."
        ),
        "attribution": "Who the cost belongs to, and what it was for.",
        "status": (
            "How the call ended: ok, error, or cancelled (a stream that was cut, a call that was given up). An "
            "error without usage costs nothing; a cancelled call without usage has an unknown price."
        ),
        "latency_ms": "How long the call took, in milliseconds.",
        "cached_response": (
            "True when the service answered from its own cache without calling the provider: it costs nothing, "
            "and what it saved is computed. Not for the provider's prompt caching, which cache_read_tokens "
            "counts."
        ),
        "complexity": "How demanding the task was, from 0 to 1, as the service judges it.",
        "batchable": "True when the request could have waited for a batch.",
        "retry_of": "event_id of the attempt that this call repeats.",
        "prompt_fingerprint": "A keyed hash of the prompt, never the prompt: equal prompts are then seen to repeat.",
    },
    "Conditions": {
        "inference_geo": (
            "Where the model ran, as the provider reports it: Anthropic's usage.inference_geo (us, global)."
        ),
        "data_residency": (
            "The data residency that was bought (us, eu, ...). OpenAI's responses do not say it: a project with "
            "residency must."
        ),
        "deployment": "Azure's kind of deployment: global, data_zone, regional, provisioned. No response says it.",
        "endpoint": (
            "Which kind of endpoint was called, where the id does not say it: global, regional, multi_region "
            "(Vertex AI)."
        ),
        "speed": "Anthropic's usage.speed: standard or fast.",
        "latency": "Bedrock's performanceConfig.latency: standard or optimized.",
        "search_context": (
            "How much context a web search brought: low, medium, high (Perplexity's usage.search_context_size); or "
            "which tool searched, where it has a price of its own: preview (OpenAI's web_search_preview with models "
            "that don't reason), live (xAI's Live Search)."
        ),
        "size": (
            "Size of the images or video produced, as the provider writes it: 1024x1792, 1080p, 2k. Videos of OpenAI "
            "tell it in their response; without it the API's default size is priced."
        ),
        "quality": (
            "Quality of what was produced: DALL-E's standard or hd, Nova Canvas' premium, video_only for Veo without "
            "sound. No response tells it; without it the API's default is priced."
        ),
        "cache": (
            "Which kind of cache cache_read_tokens were read from, where hits of one cost less: explicit for "
            "DashScope's prompt_tokens_details.cache_type ephemeral."
        ),
        "fine_tuned": "True for a deployment of a fine-tuned model whose id does not say so.",
    },
    "ToolCalls": {
        "web_search": (
            "Billed calls of the provider's own tool for searching the web: OpenAI's items web_search_call with "
            "the action search, Anthropic's usage.server_tool_use.web_search_requests, Gemini's grounded prompts "
            "(models 1 and 2) or distinct queries. 0 says that there was none, where the id switches search on "
            "(OpenRouter's :online) or the model searches of itself (OpenAI's search models, deep research)."
        ),
        "web_fetch": "Billed calls of the provider's own tool for fetching pages: Anthropic's web_fetch_requests.",
        "file_search": (
            "Billed calls of the provider's own tool for searching uploaded files: OpenAI's items file_search_call."
        ),
        "code_execution": (
            "Billed runs of the provider's code tool: OpenAI's containers, each once; Anthropic's "
            "code_execution_requests."
        ),
        "social_search": "Billed calls of the provider's own tool for searching X: xAI's x_search_calls.",
        "maps_grounding": "Gemini's prompts that were grounded in maps.",
        "image_generation": "Images by the provider's image tool, where the response does not report their tokens.",
        "computer_use": "Billed calls of the provider's own tool for using a computer.",
    },
    "TokenUsage": {
        "kind": "Says that these are tokens (of a chat, an embedding, a rerank, an image, audio).",
        "input_tokens": (
            "Everything the model read: fresh, from a cache and written to a cache. OpenAI's prompt_tokens or "
            "input_tokens as they are; Anthropic's input_tokens + cache_read_input_tokens + "
            "cache_creation_input_tokens; Gemini's promptTokenCount + toolUsePromptTokenCount; Bedrock Converse's "
            "inputTokens + cacheReadInputTokens + cacheWriteInputTokens; Ollama's prompt_eval_count. Absent means "
            "unknown, 0 means none."
        ),
        "cache_read_tokens": (
            "Read from the provider's prompt cache: OpenAI's prompt_tokens_details.cached_tokens, Anthropic's "
            "cache_read_input_tokens, Gemini's cachedContentTokenCount, Bedrock's cacheReadInputTokens. It is a "
            "part of input_tokens."
        ),
        "cache_write_tokens": (
            "Written to the prompt cache with a lifetime that the response does not say: Bedrock's "
            "cacheWriteInputTokens without cacheDetails, OpenAI's cache_write_tokens. It is a part of "
            "input_tokens."
        ),
        "cache_write_5m_tokens": (
            "Written to the prompt cache for five minutes: Anthropic's cache_creation.ephemeral_5m_input_tokens. "
            "It is a part of input_tokens."
        ),
        "cache_write_30m_tokens": (
            "Written to the prompt cache for half an hour: OpenAI's ttl_30m_tokens. It is a part of input_tokens."
        ),
        "cache_write_1h_tokens": (
            "Written to the prompt cache for an hour: Anthropic's cache_creation.ephemeral_1h_input_tokens. It is "
            "a part of input_tokens."
        ),
        "cache_write_12h_tokens": (
            "Written to the prompt cache for half a day: OpenAI's ttl_12h_tokens. It is a part of input_tokens."
        ),
        "input_audio_tokens": "Audio that was read. It is a part of input_tokens.",
        "input_image_tokens": "Images that were read. It is a part of input_tokens.",
        "input_video_tokens": "Video that was read. It is a part of input_tokens.",
        "cache_read_audio_tokens": "Of cache_read_tokens, those that are audio.",
        "cache_read_image_tokens": "Of cache_read_tokens, those that are images.",
        "cache_read_video_tokens": "Of cache_read_tokens, those that are video.",
        "tool_use_input_tokens": (
            "What server-side tools added to the prompt: Gemini's toolUsePromptTokenCount. It is a part of "
            "input_tokens."
        ),
        "output_tokens": (
            "Everything the model wrote, reasoning included. OpenAI's completion_tokens or output_tokens and "
            "Anthropic's output_tokens as they are; Gemini's candidatesTokenCount + thoughtsTokenCount; xAI's "
            "completion_tokens + reasoning_tokens; Bedrock Converse's outputTokens; Ollama's eval_count."
        ),
        "reasoning_tokens": (
            "Thinking: OpenAI's completion_tokens_details.reasoning_tokens, Gemini's thoughtsTokenCount. It is a "
            "part of output_tokens."
        ),
        "output_audio_tokens": "Audio that was written. It is a part of output_tokens.",
        "output_image_tokens": "Images that were written, in tokens. It is a part of output_tokens.",
        "output_video_tokens": "Video that was written, in tokens. It is a part of output_tokens.",
        "citation_tokens": "Perplexity's citation_tokens. It is a part of output_tokens.",
        "accepted_prediction_tokens": "Of a predicted output, what was used. It is a part of output_tokens.",
        "rejected_prediction_tokens": (
            "Of a predicted output, what was thrown away and billed. It is a part of output_tokens."
        ),
        "input_characters": "Characters of text to speak or to embed, where they are billed instead of tokens.",
        "input_audio_seconds": (
            "Seconds of audio that were transcribed, where they are billed: usage.seconds, or duration in "
            "verbose_json. Whisper's other formats do not say it: the service must."
        ),
        "output_audio_seconds": "Seconds of audio that were made.",
        "output_video_seconds": "Seconds of video that were made. No response says it.",
        "output_images": "Images that were made, where they are billed by the piece (DALL-E, Imagen, Nova Canvas).",
        "input_pages": "Pages of documents that were read (OCR).",
        "input_annotated_pages": "Of input_pages, those that were annotated.",
        "search_units": "Cohere's billed_units.search_units: a query with up to 100 documents to rank.",
    },
    "ComputeUsage": {
        "kind": "Says that this is time of accelerators and CPUs.",
        "accelerator": "Kind of GPU or TPU, as rate cards name it: H100, A100-80GB. Absent for work on CPUs only.",
        "accelerator_count": "How many of them. For reports: what is billed are gpu_seconds.",
        "duration_s": (
            "How long it ran by the clock, in seconds from occurred_at on; at most 31 days, not into the future. With "
            "accelerator_count it gives gpu_seconds where these are absent, and must agree with them (1 %, or a second "
            "per device) where they are not. All of it counts at occurred_at, in budgets "
            "too; the view compute_by_hour has it hour by hour."
        ),
        "instance_type": "The cloud's name of the machine: p5.48xlarge.",
        "purchase_option": "How the capacity was bought: on_demand, reserved, spot, committed.",
        "gpu_seconds": (
            "Provisioned seconds, summed over all devices: 8 GPUs for a minute are 480. This is what is billed."
        ),
        "busy_gpu_seconds": "Of gpu_seconds, those that were doing work. Absent means not measured, which is not idle.",
        "cpu_seconds": "Provisioned seconds of virtual CPUs, summed over all of them.",
        "busy_cpu_seconds": "Of cpu_seconds, those that were doing work.",
    },
    "MeteredUsage": {
        "kind": "Says that this is something else with a price per unit.",
        "sku": "What was used, as a rate card names it: vector-reads, egress.",
        "quantity": "How much of it; at most 12 decimal places, also as a string.",
        "unit": "The unit of the quantity, as the rate card has it: another one is unpriced (unit_mismatch).",
    },
    "Attribution": {
        "project": "The project that the cost belongs to. Attribution rules fill it in where it is absent.",
        "environment": "prod, staging, dev, ... Attribution rules fill it in where it is absent.",
        "cost_center": "The cost center of finance. Attribution rules fill it in where it is absent.",
        "workload_type": (
            "inference, training, fine_tuning, evaluation, experiment, ... Attribution rules fill it in where it "
            "is absent."
        ),
        "team": "The team that answers for it. Attribution rules fill it in where it is absent.",
        "owner": "The person that answers for it. Attribution rules fill it in where it is absent.",
        "budget_code": "A code of finance's. Attribution rules fill it in where it is absent.",
        "feature": "The feature of the product that made the call. Attribution rules fill it in where it is absent.",
        "customer": "The customer that it was made for. Attribution rules fill it in where it is absent.",
        "user_id": "The user that it was made for; may be a keyed hash, and should not be an address or a name.",
        "labels": "Anything else to group by: at most 32 names with texts. No secrets, no prompts.",
    },
    "OutcomeEvent": {
        "schema_version": "Version of this contract: 1.",
        "event_id": "Identity of the event, made by the sender, best a UUIDv7; a retry of sending has the same one.",
        "revision": (
            "0, and higher for a correction of the same event_id, which takes back what was said before: another "
            "value, another day. Only from the same source."
        ),
        "occurred_at": "When it happened: RFC 3339 with an offset from UTC.",
        "source": "Name of the service that reports it.",
        "outcome": "What happened: ticket_resolved, order_placed, document_processed, ...",
        "quantity": "How many of them.",
        "value_usd": "What they are worth together, in USD; negative for what was taken back.",
        "project": "The project it is of.",
        "environment": "prod, staging, dev, ...",
        "team": "The team it is of.",
        "feature": "The feature that brought it: joins the cost of the same feature.",
        "customer": "The customer it was for: joins the cost of the same customer.",
        "user_id": "The user it was for; may be a keyed hash.",
        "trace_id": "Id of the trace that led to it.",
        "labels": "Anything else to group by.",
    },
    "BudgetPolicy": {
        "type": "Says that this is a policy.",
        "schema_version": "The form of the record; readers refuse others.",
        "budget_id": "The budget's id in budgets.yaml.",
        "scope": "Which usage it covers: a condition per field; empty covers everything.",
        "per": "Each combination of values of these fields has a budget of its own.",
        "steps": "What services do from which share of the amount on, by rising share.",
        "fail": "What a service does that cannot know the state: go on (open) or refuse (closed).",
        "owner": "Who answers for the budget.",
        "parent": "The budget that this one is a part of.",
        "amount_usd": "The amount of a value whose state has not been sent yet, in USD.",
        "quota": "What counts in place of amount_usd where the budget is not one of money.",
    },
    "PolicyStep": {
        "at_percent": "From this share of the amount on, in percent. Where `at` is given, about the same, rounded up.",
        "at": "From so much on, whatever the amount is: counts in place of at_percent. USD, or the quota's unit.",
        "at_forecast_percent": "Also while one of the state's forecast_percents is this or more, and from this share "
        "of the amount on at the latest.",
        "action": "full, reduced, cached_only, essential_only or refuse.",
        "max_input_tokens": "Most input tokens of a reduced request.",
        "max_output_tokens": "Most output tokens of a reduced request.",
    },
    "BudgetState": {
        "type": "Says that this is a state.",
        "schema_version": "The form of the record; readers refuse others.",
        "budget_id": "The budget's id in budgets.yaml.",
        "values": "Which of the policy's combinations this is, in the order of its per.",
        "period_start": "Beginning of the budget's period.",
        "period_end": "Its end, exclusive; absent for a rolling window, which ends now.",
        "amount_usd": "The amount of the period with credits and what was carried over, in USD.",
        "quota": "What counts in place of amount_usd and spent_usd where the budget is not one of money.",
        "spent_usd": "What the ledger says was spent, in USD.",
        "held_usd": "Held for usage without a price, at what it may have cost; not part of spent_usd.",
        "as_of": "The ledger up to this instant is in the figures.",
        "thresholds": "The thresholds that are crossed, in percent.",
        "threshold_amounts": "Those that are amounts, in the budget's own currency or unit.",
        "burn_usd_per_hour": "How fast it is spent now.",
        "forecast_usd": "What will be spent at the period's end if it goes on like this.",
        "exhausted_at": "When the amount is used up if it goes on like this.",
        "forecast_percents": "The shares of the amount, in percent, above which the forecast says that the period will "
        "end: each stands from when the chance was 0.8 or more twice until it falls below 0.4.",
        "next_amount": "What the next period begins with, where the policy says another amount, before anything is "
        "carried over; in USD, or in the unit of the quota.",
    },
    "Quota": {
        "unit": "What is counted: tokens (input and output), requests or gpu_hours.",
        "amount": "So many of the unit per period.",
        "used": "How many the ledger has.",
    },
    "Heartbeat": {
        "type": "Says that somebody keeps count.",
        "schema_version": "The form of the record; readers refuse others.",
        "at": "When this was said.",
        "job": "Which process says it; changes when another takes over.",
    },
    "Condition": {
        "any_of": "The value is one of these.",
        "none_of": "The value is none of these.",
        "glob": "The value fits a shell pattern, or one of several: * any text, ? one character, [abc] one of these.",
        "missing": "true: there is no value; false: there is one.",
    },
    "Fact": {
        "name": "What the line is about.",
        "text": "What is to be read beside it.",
    },
    "AlertSignal": {
        "type": "Says that this is a signal.",
        "schema_version": "The form of the record; readers refuse others.",
        "alert_id": "Identity of the condition: the same one is told as one alert however often it is sent.",
        "kind": "budget, forecast, anomaly or data_quality.",
        "name": "Name of the rule in CamelCase: BudgetThreshold, UnpricedUsage.",
        "status": "firing while the condition holds, resolved once it does not.",
        "severity": "info, warning, error or critical.",
        "level": "Rises when it gets worse; then people are told again.",
        "observed_at": "When it was seen; what is older than what is known changes nothing.",
        "starts_at": "Since when the condition holds.",
        "group": "Alerts of one group are told together.",
        "labels": "Who it is about; routes and silences look at them.",
        "owner": "Who answers for it.",
        "channels": "Receivers to use beside those of the routes.",
        "summary": "What and where, in one line.",
        "facts": "How much, since when, until when.",
        "causes": "What contributes most, in sentences.",
        "action": "What to do.",
        "link": "Where to read more.",
        "money_usd": "What is at stake, in USD.",
        "value": "The figure that the condition is about.",
        "correction": "True when facts that people were told have changed afterwards.",
        "resolution": "Why it no longer holds.",
    },
    "AlertAck": {
        "type": "Says that somebody looks after an alert.",
        "schema_version": "The form of the record; readers refuse others.",
        "request_id": "Id of the request, by which its sender finds it in the history.",
        "alert_id": "Which alert.",
        "by": "Who.",
        "note": "What they say to it.",
        "at": "When.",
    },
    "Silence": {
        "type": "Says that alerts are not to be told for a time.",
        "schema_version": "The form of the record; readers refuse others.",
        "silence_id": "Its identity: sent again it replaces the one before.",
        "scope": "Which alerts, by their labels; empty is all.",
        "kinds": "Which kinds of alerts; none is all.",
        "alert_id": "Only this alert.",
        "starts_at": "From when on.",
        "ends_at": "Until when; in the past lifts the silence.",
        "by": "Who.",
        "note": "Why.",
    },
}
"""Model -> field -> its meaning."""


def describe(schema: dict[str, Any], fields: Mapping[str, Mapping[str, str]] = FIELDS) -> dict[str, Any]:
    """The generated schema with a description on every field of its models, told by their titles."""
    definitions = schema.get("$defs", {})
    for name, definition in (*definitions.items(), (schema.get("title", ""), schema)):
        _describe(definition, fields.get(name, {}))
    return schema


def _describe(definition: Mapping[str, Any], fields: Mapping[str, str]) -> None:
    for name, field in definition.get("properties", {}).items():
        if name in fields:
            field["description"] = fields[name]
    for alternative in definition.get("anyOf", ()):  # a model with short forms beside it
        _describe(alternative, fields)


def undescribed(schema: Mapping[str, Any]) -> list[str]:
    """Fields of a schema without a description, each as "Model.field"."""
    found: list[str] = []
    parts = {schema.get("title", "$"): {k: v for k, v in schema.items() if k != "$defs"}, **schema.get("$defs", {})}
    for title, part in parts.items():
        found += [f"{title}.{name}" for name, field in _fields(part) if not field.get("description")]
    return found


def _fields(part: Any) -> list[tuple[str, Mapping[str, Any]]]:
    found: list[tuple[str, Mapping[str, Any]]] = []
    if isinstance(part, Mapping):
        properties = part.get("properties")
        found += [(name, field) for name, field in (properties or {}).items() if isinstance(field, Mapping)]
        for key, inner in part.items():
            found += [item for value in (inner.values() if key == "properties" else [inner]) for item in _fields(value)]
    elif isinstance(part, (list, tuple)):
        found += [item for inner in part for item in _fields(inner)]
    return found

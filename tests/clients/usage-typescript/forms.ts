import type { Count, Said, Text, Usage } from './event.js'

/**
 * What the call is billed for: its own event, and one more for each other model that worked for it.
 * The form is seen from the response's fields, not from the provider's name: OpenAI has two, many have its first.
 */
export function read(provider: string, response: any): [Said, ...Said[]] {
  if (response.object === 'response') return responses(response)
  if (response.type === 'message') return messages(response)
  if (response.usageMetadata) return [gemini(response)]
  if (response.usage?.inputTokens != null) return [converse(response)]
  if (response.usage?.billed_units ?? response.meta?.billed_units) return [cohere(response)]
  if (response.eval_count != null) return [ollama(response)]
  return [chat(provider, response)]
}

interface ChatDetails {
  cached_tokens?: Count
  cache_write_tokens?: Count
  reasoning_tokens?: Count
  audio_tokens?: Count
  image_tokens?: Count
}

/** OpenAI's chat completions, and whoever has their form. */
function chat(
  provider: string,
  response: {
    id?: Text
    model?: Text
    service_tier?: Text
    outputs?: { id?: Text }[] | null
    conversation_id?: Text
    usage?: {
      prompt_tokens?: Count
      cached_tokens?: Count
      prompt_cache_hit_tokens?: Count
      prompt_tokens_details?: ChatDetails | null
      completion_tokens?: Count
      completion_tokens_details?: ChatDetails | null
      reasoning_tokens?: Count
      total_tokens?: Count
      citation_tokens?: Count
      num_search_queries?: Count
      search_context_size?: Text
      num_sources_used?: Count
      server_side_tool_usage_details?: {
        web_search_calls?: Count
        x_search_calls?: Count
        code_interpreter_calls?: Count
        file_search_calls?: Count
        document_search_calls?: Count
      } | null
      connector_tokens?: Count
      connectors?: { [name: string]: Count } | null
      service_tier?: Text
    } | null
  },
): Said {
  const usage = response.usage ?? {}
  const input = usage.prompt_tokens_details ?? {}
  const output = usage.completion_tokens_details ?? {}
  const whole = sum(usage.prompt_tokens, usage.completion_tokens, output.reasoning_tokens)
  const said: Said = {
    operation: 'chat',
    response_id: response.id,
    response_model: response.model,
    service_tier: tier(response.service_tier),
    usage: {
      input_tokens: usage.prompt_tokens,
      // The second is where Moonshot and Together have it, the third is DeepSeek's name of it.
      cache_read_tokens: input.cached_tokens ?? usage.cached_tokens ?? usage.prompt_cache_hit_tokens,
      cache_write_tokens: input.cache_write_tokens,
      input_audio_tokens: input.audio_tokens,
      input_image_tokens: input.image_tokens,
      output_tokens: usage.completion_tokens,
      reasoning_tokens: output.reasoning_tokens,
      output_audio_tokens: output.audio_tokens,
      output_image_tokens: output.image_tokens,
    },
  }
  // The event's output includes reasoning. The total says whether completion_tokens do; xAI's do not, without a total.
  if (output.reasoning_tokens && (usage.total_tokens === whole || (provider === 'xai' && usage.total_tokens == null))) {
    said.usage.output_tokens = sum(usage.completion_tokens, output.reasoning_tokens)
  }
  if (provider === 'xai') {
    const tools = usage.server_side_tool_usage_details ?? {}
    const live = usage.server_side_tool_usage_details ? 0 : usage.num_sources_used
    said.tool_calls = unlessEmpty({
      web_search: live || tools.web_search_calls,
      social_search: tools.x_search_calls,
      code_execution: tools.code_interpreter_calls,
      file_search: sum(tools.file_search_calls, tools.document_search_calls),
    })
    // Searches in attachments cost more than those in collections; both at once have no price.
    const attached = tools.file_search_calls ? 'attachment,file_search_calls' : 'attachment'
    const searched = live ? 'live' : tools.document_search_calls ? attached : undefined
    said.conditions = unlessEmpty({ search_context: searched })
  } else if (provider === 'perplexity') {
    said.usage.output_tokens = sum(usage.completion_tokens, usage.reasoning_tokens, usage.citation_tokens)
    said.usage.reasoning_tokens = usage.reasoning_tokens
    said.usage.citation_tokens = usage.citation_tokens
    said.tool_calls = unlessEmpty({ web_search: usage.num_search_queries })
    said.conditions = unlessEmpty({ search_context: usage.search_context_size })
  } else if (provider === 'mistral') {
    const called = usage.connectors ?? {}
    // The id of a conversation is that of all its turns; each output has one of its own.
    said.response_id = response.id ?? response.outputs?.at(-1)?.id
    said.session_id = response.conversation_id
    said.service_tier = tier(usage.service_tier)
    said.usage.input_tokens = sum(usage.prompt_tokens, usage.connector_tokens)
    said.usage.tool_use_input_tokens = usage.connector_tokens
    said.tool_calls = unlessEmpty({
      web_search: sum(called.web_search, called.web_search_premium),
      code_execution: called.code_interpreter,
      image_generation: called.image_generation,
      file_search: called.document_library,
    })
  }
  return said
}

/** OpenAI's responses. */
function responses(response: {
  id?: Text
  model?: Text
  status?: Text
  service_tier?: Text
  conversation?: { id?: Text } | null
  output?: { type: string; action?: { type?: Text } | null; container_id?: Text }[] | null
  tools?: { type: string; model?: Text; container?: string | { memory_limit?: Text } | null }[] | null
  tool_usage?: {
    image_gen?: {
      input_tokens?: Count
      input_tokens_details?: { image_tokens?: Count } | null
      output_tokens?: Count
      output_tokens_details?: { image_tokens?: Count; text_tokens?: Count } | null
      cached_tokens?: Count
    } | null
    web_search?: { num_requests?: Count } | null
  } | null
  usage?: {
    input_tokens?: Count
    input_tokens_details?: { cached_tokens?: Count; cache_write_tokens?: Count } | null
    output_tokens?: Count
    output_tokens_details?: { reasoning_tokens?: Count } | null
  } | null
}): [Said, ...Said[]] {
  const usage = response.usage ?? {}
  const items = response.output ?? []
  const tools = response.tools ?? []
  // To open a page and to find text in it are actions of a web_search_call too, and are not billed.
  const searches = items.filter(
    (item) => item.type === 'web_search_call' && (item.action?.type ?? 'search') === 'search',
  )
  const files = items.filter((item) => item.type === 'file_search_call')
  // A container is billed once, however often it is called, and by its gigabytes.
  const container = tools.find((tool) => tool.type === 'code_interpreter')?.container
  const limit = typeof container === 'object' ? container?.memory_limit : undefined
  const gigabytes = Number(/^([1-9]\d{0,3})g$/.exec(limit ?? '')?.[1] ?? 1)
  const containers = new Set(
    items.filter((item) => item.type === 'code_interpreter_call').map((item) => item.container_id),
  )
  const status = response.status === 'failed' ? 'error' : response.status === 'cancelled' ? 'cancelled' : 'ok'
  const said: Said = {
    operation: 'responses',
    response_id: response.id,
    session_id: response.conversation?.id,
    response_model: response.model,
    service_tier: tier(response.service_tier),
    status,
    usage: {
      input_tokens: usage.input_tokens,
      cache_read_tokens: usage.input_tokens_details?.cached_tokens,
      cache_write_tokens: usage.input_tokens_details?.cache_write_tokens,
      output_tokens: usage.output_tokens,
      reasoning_tokens: usage.output_tokens_details?.reasoning_tokens,
    },
    tool_calls: unlessEmpty({
      web_search: response.tool_usage?.web_search?.num_requests ?? (searches.length || undefined),
      file_search: files.length || undefined,
      code_execution: containers.size * gigabytes || undefined,
    }),
  }
  const drawn = response.tool_usage?.image_gen
  if (!drawn?.input_tokens && !drawn?.output_tokens) return [said]
  const written = drawn.output_tokens_details
  const image: Said = {
    operation: 'image',
    response_model: tools.find((tool) => tool.type === 'image_generation')?.model ?? 'image_generation_tool',
    session_id: said.session_id,
    status,
    usage: {
      input_tokens: drawn.input_tokens,
      input_image_tokens: drawn.input_tokens_details?.image_tokens,
      cache_read_tokens: drawn.cached_tokens,
      output_tokens: drawn.output_tokens,
      // Without a breakdown all of it is image.
      output_image_tokens:
        written?.image_tokens ?? (written?.text_tokens == null ? drawn.output_tokens : undefined),
    },
  }
  return [said, image]
}

interface MessageCounts {
  input_tokens?: Count
  cache_read_input_tokens?: Count
  cache_creation_input_tokens?: Count
  cache_creation?: { ephemeral_5m_input_tokens?: Count; ephemeral_1h_input_tokens?: Count } | null
  output_tokens?: Count
  output_tokens_details?: { thinking_tokens?: Count } | null
}

/** Anthropic's messages. */
function messages(response: {
  id?: Text
  model?: Text
  usage?:
    | (MessageCounts & {
        iterations?: (MessageCounts & { type: string; model?: Text })[] | null
        service_tier?: Text
        inference_geo?: Text
        speed?: Text
        server_tool_use?: {
          web_search_requests?: Count
          web_fetch_requests?: Count
          code_execution_requests?: Count
        } | null
      })
    | null
}): [Said, ...Said[]] {
  const usage = response.usage ?? {}
  const iterations = usage.iterations ?? []
  const tools = usage.server_tool_use ?? {}
  // Models that leave no choice of it say not_available.
  const geo = usage.inference_geo === 'not_available' ? undefined : usage.inference_geo
  const same = {
    operation: 'chat',
    service_tier: tier(usage.service_tier),
    conditions: unlessEmpty({ inference_geo: geo, speed: usage.speed }),
  }
  const said: Said = {
    ...same,
    response_id: response.id,
    response_model: response.model,
    // Compactions are billed, and the totals leave them out.
    usage: counts([usage, ...iterations.filter((one) => one.type === 'compaction')]),
    tool_calls: unlessEmpty({
      web_search: tools.web_search_requests,
      web_fetch: tools.web_fetch_requests,
      code_execution: tools.code_execution_requests,
    }),
  }
  // An advisor is another model, at its own price.
  const advisors = iterations.filter((one) => one.type === 'advisor_message')
  return [said, ...advisors.map((one) => ({ ...same, response_model: one.model, usage: counts([one]) }))]
}

/** What stands outside of Anthropic's input_tokens is inside of the event's: what caches were read and written for. */
function counts(parts: MessageCounts[]): Usage {
  const all = (of: (part: MessageCounts) => Count) => sum(...parts.map(of))
  const short = (part: MessageCounts) => part.cache_creation?.ephemeral_5m_input_tokens
  const long = (part: MessageCounts) => part.cache_creation?.ephemeral_1h_input_tokens
  return {
    input_tokens: all((part) =>
      sum(part.input_tokens, part.cache_read_input_tokens, part.cache_creation_input_tokens),
    ),
    cache_read_tokens: all((part) => part.cache_read_input_tokens),
    cache_write_5m_tokens: all(short),
    cache_write_1h_tokens: all(long),
    cache_write_tokens: all((part) => rest(part.cache_creation_input_tokens, short(part), long(part))),
    output_tokens: all((part) => part.output_tokens),
    reasoning_tokens: all((part) => part.output_tokens_details?.thinking_tokens),
  }
}

type Modalities = { modality: string; tokenCount?: Count }[] | null | undefined

/** Gemini's generateContent. */
function gemini(response: {
  responseId?: Text
  modelVersion?: Text
  candidates?:
    | {
        groundingMetadata?: {
          webSearchQueries?: string[] | null
          groundingChunks?: { maps?: unknown }[] | null
        } | null
      }[]
    | null
  usageMetadata: {
    promptTokenCount?: Count
    promptTokensDetails?: Modalities
    toolUsePromptTokenCount?: Count
    toolUsePromptTokensDetails?: Modalities
    cachedContentTokenCount?: Count
    cacheTokensDetails?: Modalities
    candidatesTokenCount?: Count
    candidatesTokensDetails?: Modalities
    thoughtsTokenCount?: Count
    trafficType?: Text
    serviceTier?: Text
  }
}): Said {
  const usage = response.usageMetadata
  const input = [...(usage.promptTokensDetails ?? []), ...(usage.toolUsePromptTokensDetails ?? [])]
  const queries = (response.candidates ?? []).flatMap((one) => one.groundingMetadata?.webSearchQueries ?? [])
  const distinct = new Set(queries.filter((query) => query !== '')).size
  // The first two generations bill a prompt that was grounded, later ones each distinct query that is not empty.
  const chunks = (response.candidates ?? []).flatMap((one) => one.groundingMetadata?.groundingChunks ?? [])
  const searches = /^gemini-[12]\b/.test(response.modelVersion ?? '') ? Math.min(distinct, 1) : distinct
  const said: Said = {
    operation: 'chat',
    response_id: response.responseId,
    response_model: response.modelVersion,
    service_tier: tier(usage.trafficType ?? usage.serviceTier),
    usage: {
      input_tokens: sum(usage.promptTokenCount, usage.toolUsePromptTokenCount),
      tool_use_input_tokens: usage.toolUsePromptTokenCount,
      input_audio_tokens: of('AUDIO', input),
      input_image_tokens: of('IMAGE', input),
      input_video_tokens: of('VIDEO', input),
      cache_read_tokens: usage.cachedContentTokenCount,
      cache_read_audio_tokens: of('AUDIO', usage.cacheTokensDetails),
      cache_read_image_tokens: of('IMAGE', usage.cacheTokensDetails),
      cache_read_video_tokens: of('VIDEO', usage.cacheTokensDetails),
      // Gemini's candidates leave thinking out; the event's output includes it.
      output_tokens: sum(usage.candidatesTokenCount, usage.thoughtsTokenCount),
      reasoning_tokens: usage.thoughtsTokenCount,
      output_audio_tokens: of('AUDIO', usage.candidatesTokensDetails),
      output_image_tokens: of('IMAGE', usage.candidatesTokensDetails),
      output_video_tokens: of('VIDEO', usage.candidatesTokensDetails),
    },
    tool_calls: unlessEmpty({
      web_search: searches || undefined,
      maps_grounding: chunks.some((chunk) => chunk.maps != null) ? 1 : undefined,
    }),
  }
  const meter = writes(response.modelVersion ?? '')
  const thoughtsOnly = said.usage.output_tokens === (usage.thoughtsTokenCount ?? 0)
  if (meter && said.usage.output_tokens != null && (usage.candidatesTokensDetails?.length || thoughtsOnly)) {
    said.usage[meter] ??= 0
  }
  return said
}

/** What a model can write beside text. Where none of it was written, the event says so: it has another price. */
function writes(model: string): 'output_image_tokens' | 'output_audio_tokens' | 'output_video_tokens' | undefined {
  if (/image|banana/.test(model)) return 'output_image_tokens'
  if (/live|tts|audio/.test(model)) return 'output_audio_tokens'
  return /omni/.test(model) ? 'output_video_tokens' : undefined
}

/** Bedrock's Converse. It does not name the model: the one that was asked for stands. */
function converse(response: {
  ResponseMetadata?: { RequestId?: Text } | null
  serviceTier?: { type?: Text } | null
  performanceConfig?: { latency?: Text } | null
  usage: {
    inputTokens?: Count
    cacheReadInputTokens?: Count
    cacheWriteInputTokens?: Count
    cacheDetails?: { ttl: string; inputTokens?: Count }[] | null
    outputTokens?: Count
  }
}): Said {
  const { usage } = response
  const written = (ttl: string) =>
    sum(...(usage.cacheDetails ?? []).filter((one) => one.ttl === ttl).map((one) => one.inputTokens))
  return {
    operation: 'chat',
    response_id: response.ResponseMetadata?.RequestId,
    service_tier: tier(response.serviceTier?.type),
    conditions: unlessEmpty({ latency: response.performanceConfig?.latency }),
    usage: {
      // As Anthropic's: inputTokens are the fresh ones alone.
      input_tokens: sum(usage.inputTokens, usage.cacheReadInputTokens, usage.cacheWriteInputTokens),
      cache_read_tokens: usage.cacheReadInputTokens,
      cache_write_5m_tokens: written('5m'),
      cache_write_1h_tokens: written('1h'),
      cache_write_tokens: rest(usage.cacheWriteInputTokens, written('5m'), written('1h')),
      output_tokens: usage.outputTokens,
    },
  }
}

interface CohereTokens {
  input_tokens?: Count
  output_tokens?: Count
  search_units?: Count
}

/** Cohere's chat and rerank: what it bills, which can be less than what its models count. */
function cohere(response: {
  id?: Text
  usage?: { billed_units?: CohereTokens | null; tokens?: CohereTokens | null; cached_tokens?: Count } | null
  meta?: { billed_units?: CohereTokens | null } | null
}): Said {
  const billed = response.usage?.billed_units ?? {}
  const units = response.meta?.billed_units?.search_units
  // What was cached is a part of all tokens. It is one of the billed tokens only where all are billed.
  const allAreBilled = billed.input_tokens === response.usage?.tokens?.input_tokens
  return {
    operation: units == null ? 'chat' : 'rerank',
    response_id: response.id,
    usage: {
      input_tokens: billed.input_tokens,
      cache_read_tokens: allAreBilled ? response.usage?.cached_tokens : undefined,
      output_tokens: billed.output_tokens,
      search_units: units,
    },
  }
}

/** Ollama's /api/chat and /api/generate. */
function ollama(response: { model?: Text; message?: unknown; prompt_eval_count?: Count; eval_count?: Count }): Said {
  return {
    operation: response.message === undefined ? 'completion' : 'chat',
    response_model: response.model,
    usage: {
      input_tokens: response.prompt_eval_count,
      output_tokens: response.eval_count,
    },
  }
}

/** Adds what is there. A sum of nothing is absent, which is not zero. */
function sum(...parts: Count[]): number | undefined {
  const there = parts.filter((part) => part != null)
  return there.length === 0 ? undefined : there.reduce((total, part) => total + part)
}

/** What was written to a cache for a time that the response does not say; absent if it says all. */
function rest(whole: Count, ...parts: Count[]): number | undefined {
  const left = (whole ?? 0) - (sum(...parts) ?? 0)
  return left > 0 ? left : undefined
}

/** The tokens of one modality. */
function of(modality: string, details: Modalities): number | undefined {
  return sum(...(details ?? []).filter((part) => part.modality === modality).map((part) => part.tokenCount))
}

/** The tier that has served. "auto" is only what was asked for; words that are not here are sent as they are. */
function tier(word: Text): Text {
  switch (word) {
    case 'default':
      return 'standard'
    case 'fast':
      return 'priority'
    case 'auto':
      return undefined
    default:
      return word
  }
}

function unlessEmpty<T extends object>(found: T): T | undefined {
  return Object.values(found).some((value) => value != null) ? found : undefined
}

import { randomUUID } from 'node:crypto'

// Providers leave out what is absent, or send null for it.
export type Count = number | null | undefined
export type Text = string | null | undefined

/** The fields of schemas/json/usage.events.v1.schema.json that a provider's response fills. */
export interface UsageEvent extends Said {
  schema_version: 1
  event_id: string
  occurred_at: string
  source: string
  provider: string
  model?: string | undefined
  usage: Usage & { kind: 'tokens' }
  attribution: { team: string }
}

/** What a response says. */
export interface Said {
  response_model?: Text
  operation?: Text
  service_tier?: Text
  conditions?: Conditions
  usage: Usage
  tool_calls?: ToolCalls
  response_id?: Text
  session_id?: Text
  status?: 'ok' | 'error' | 'cancelled'
}

export interface Conditions {
  inference_geo?: Text
  speed?: Text
  latency?: Text
  search_context?: Text
}

export interface ToolCalls {
  web_search?: Count
  web_fetch?: Count
  file_search?: Count
  code_execution?: Count
  social_search?: Count
  maps_grounding?: Count
  image_generation?: Count
}

/** Parts stand beside their wholes: input_tokens includes what was read from caches and written to them. */
export interface Usage {
  input_tokens?: Count
  cache_read_tokens?: Count
  cache_write_tokens?: Count
  cache_write_5m_tokens?: Count
  cache_write_1h_tokens?: Count
  cache_read_audio_tokens?: Count
  cache_read_image_tokens?: Count
  cache_read_video_tokens?: Count
  input_audio_tokens?: Count
  input_image_tokens?: Count
  input_video_tokens?: Count
  tool_use_input_tokens?: Count
  output_tokens?: Count
  reasoning_tokens?: Count
  output_audio_tokens?: Count
  output_image_tokens?: Count
  output_video_tokens?: Count
  citation_tokens?: Count
  search_units?: Count
}

/** With what the service knows itself. Make it once: a retry of sending has the same id. */
export function newEvent(
  source: string,
  team: string,
  provider: string,
  model: string | undefined,
  said: Said,
): UsageEvent {
  return {
    schema_version: 1,
    event_id: randomUUID(),
    occurred_at: new Date().toISOString(),
    source,
    provider,
    model,
    ...said,
    usage: { kind: 'tokens', ...said.usage },
    attribution: { team },
  }
}

/** Leaves out what is absent, which is not zero: a 0 that the response reports stays. */
export function encoded(event: UsageEvent): string {
  return JSON.stringify(event, (_name, value) => value ?? undefined)
}

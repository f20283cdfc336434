package main

import (
	"time"

	"github.com/google/uuid"
)

// Event is what is sent: the fields of schemas/json/usage.events.v1.schema.json that a provider's response fills.
// Pointers and omitempty keep what is absent out of the JSON; a zero that the response reports stays in it.
type Event struct {
	SchemaVersion int               `json:"schema_version"`
	EventID       string            `json:"event_id"`
	OccurredAt    string            `json:"occurred_at"`
	Source        string            `json:"source"`
	Provider      string            `json:"provider"`
	Model         string            `json:"model,omitempty"`
	ResponseModel string            `json:"response_model,omitempty"`
	Operation     string            `json:"operation,omitempty"`
	ServiceTier   string            `json:"service_tier,omitempty"`
	Conditions    *Conditions       `json:"conditions,omitempty"`
	Usage         Usage             `json:"usage"`
	ToolCalls     *ToolCalls        `json:"tool_calls,omitempty"`
	ResponseID    string            `json:"response_id,omitempty"`
	SessionID     string            `json:"session_id,omitempty"`
	Attribution   map[string]string `json:"attribution,omitempty"`
	Status        string            `json:"status,omitempty"`
	more          []*Event
}

// Conditions are other facts that move the price.
type Conditions struct {
	InferenceGeo  string `json:"inference_geo,omitempty"`
	Speed         string `json:"speed,omitempty"`
	Latency       string `json:"latency,omitempty"`
	SearchContext string `json:"search_context,omitempty"`
}

// Usage counts tokens. Parts stand beside their wholes: input_tokens includes what caches were read and written for.
type Usage struct {
	Kind                 string `json:"kind"`
	InputTokens          *int64 `json:"input_tokens,omitempty"`
	CacheReadTokens      *int64 `json:"cache_read_tokens,omitempty"`
	CacheWriteTokens     *int64 `json:"cache_write_tokens,omitempty"`
	CacheWrite5mTokens   *int64 `json:"cache_write_5m_tokens,omitempty"`
	CacheWrite1hTokens   *int64 `json:"cache_write_1h_tokens,omitempty"`
	CacheReadAudioTokens *int64 `json:"cache_read_audio_tokens,omitempty"`
	CacheReadImageTokens *int64 `json:"cache_read_image_tokens,omitempty"`
	CacheReadVideoTokens *int64 `json:"cache_read_video_tokens,omitempty"`
	InputAudioTokens     *int64 `json:"input_audio_tokens,omitempty"`
	InputImageTokens     *int64 `json:"input_image_tokens,omitempty"`
	InputVideoTokens     *int64 `json:"input_video_tokens,omitempty"`
	ToolUseInputTokens   *int64 `json:"tool_use_input_tokens,omitempty"`
	OutputTokens         *int64 `json:"output_tokens,omitempty"`
	ReasoningTokens      *int64 `json:"reasoning_tokens,omitempty"`
	OutputAudioTokens    *int64 `json:"output_audio_tokens,omitempty"`
	OutputImageTokens    *int64 `json:"output_image_tokens,omitempty"`
	OutputVideoTokens    *int64 `json:"output_video_tokens,omitempty"`
	CitationTokens       *int64 `json:"citation_tokens,omitempty"`
	SearchUnits          *int64 `json:"search_units,omitempty"`
}

// ToolCalls counts the provider's own tools, which are billed beside the tokens.
type ToolCalls struct {
	WebSearch       *int64 `json:"web_search,omitempty"`
	WebFetch        *int64 `json:"web_fetch,omitempty"`
	FileSearch      *int64 `json:"file_search,omitempty"`
	CodeExecution   *int64 `json:"code_execution,omitempty"`
	SocialSearch    *int64 `json:"social_search,omitempty"`
	MapsGrounding   *int64 `json:"maps_grounding,omitempty"`
	ImageGeneration *int64 `json:"image_generation,omitempty"`
}

// newEvent knows what the service knows. Call it once per call to the provider: a retry of sending has the same id.
func newEvent(source, team, provider, model string) *Event {
	return &Event{
		SchemaVersion: 1,
		EventID:       uuid.Must(uuid.NewV7()).String(),
		// Not RFC3339Nano: the event's time has microseconds at most.
		OccurredAt:  time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		Source:      source,
		Provider:    provider,
		Model:       model,
		Usage:       Usage{Kind: "tokens"},
		Attribution: map[string]string{"team": team},
	}
}

// another is the event of another model that the same call is billed for. The response's id stays with the first.
func (event *Event) another(model string) *Event {
	made := newEvent(event.Source, event.Attribution["team"], event.Provider, "")
	made.ResponseModel, made.Status, made.SessionID = model, event.Status, event.SessionID
	event.more = append(event.more, made)
	return made
}

// setConditions leaves the object out where nothing is in it.
func (event *Event) setConditions(found Conditions) {
	if found != (Conditions{}) {
		event.Conditions = &found
	}
}

// setTools leaves the object out where nothing is in it.
func (event *Event) setTools(found ToolCalls) {
	if found != (ToolCalls{}) {
		event.ToolCalls = &found
	}
}

package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// fill puts what the response says into the event. The form is seen from the response's fields, not from the provider's
// name: OpenAI has two, Vertex AI answers in Gemini's and in Anthropic's, and many have OpenAI's first one.
func fill(event *Event, response json.RawMessage) error {
	var has struct {
		Object        string                     `json:"object"`
		Type          string                     `json:"type"`
		UsageMetadata json.RawMessage            `json:"usageMetadata"`
		EvalCount     json.RawMessage            `json:"eval_count"`
		Usage         map[string]json.RawMessage `json:"usage"`
		Meta          map[string]json.RawMessage `json:"meta"`
	}
	if err := json.Unmarshal(response, &has); err != nil {
		return err
	}
	read := chat
	switch {
	case has.Object == "response":
		read = responses
	case has.Type == "message":
		read = messages
	case has.UsageMetadata != nil:
		read = gemini
	case has.Usage["inputTokens"] != nil:
		read = converse
	case has.Usage["billed_units"] != nil || has.Meta["billed_units"] != nil:
		read = cohere
	case has.EvalCount != nil:
		read = ollama
	}
	return read(event, response)
}

// chat reads OpenAI's chat completions and whoever has their form.
func chat(event *Event, response json.RawMessage) error {
	type details struct {
		Cached     *int64 `json:"cached_tokens"`
		CacheWrite *int64 `json:"cache_write_tokens"`
		Reasoning  *int64 `json:"reasoning_tokens"`
		Audio      *int64 `json:"audio_tokens"`
		Image      *int64 `json:"image_tokens"`
	}
	var said struct {
		ID    string `json:"id"`
		Model string `json:"model"`
		Tier  string `json:"service_tier"`
		Usage struct {
			Prompt            *int64  `json:"prompt_tokens"`
			Completion        *int64  `json:"completion_tokens"`
			CacheHit          *int64  `json:"prompt_cache_hit_tokens"`
			PromptDetails     details `json:"prompt_tokens_details"`
			CompletionDetails details `json:"completion_tokens_details"`
			Reasoning         *int64  `json:"reasoning_tokens"`
			Citation          *int64  `json:"citation_tokens"`
			SearchQueries     *int64  `json:"num_search_queries"`
			SearchContext     string  `json:"search_context_size"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	usage, read, written := said.Usage, said.Usage.PromptDetails, said.Usage.CompletionDetails
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(said.Tier)
	event.Operation = "chat"
	event.Usage.InputTokens = usage.Prompt
	event.Usage.CacheReadTokens = read.Cached
	if event.Usage.CacheReadTokens == nil {
		event.Usage.CacheReadTokens = usage.CacheHit // DeepSeek's name of it.
	}
	event.Usage.CacheWriteTokens = read.CacheWrite
	event.Usage.InputAudioTokens, event.Usage.InputImageTokens = read.Audio, read.Image
	event.Usage.OutputTokens, event.Usage.ReasoningTokens = usage.Completion, written.Reasoning
	event.Usage.OutputAudioTokens, event.Usage.OutputImageTokens = written.Audio, written.Image
	// The event's output includes reasoning. These two leave it out of completion_tokens; nobody else does.
	switch event.Provider {
	case "xai":
		event.Usage.OutputTokens = sum(usage.Completion, written.Reasoning)
	case "perplexity":
		event.Usage.OutputTokens = sum(usage.Completion, usage.Reasoning, usage.Citation)
		event.Usage.ReasoningTokens, event.Usage.CitationTokens = usage.Reasoning, usage.Citation
		event.setTools(ToolCalls{WebSearch: usage.SearchQueries})
		event.setConditions(Conditions{SearchContext: usage.SearchContext})
	}
	return nil
}

// responses reads OpenAI's responses.
func responses(event *Event, response json.RawMessage) error {
	var said struct {
		ID     string `json:"id"`
		Model  string `json:"model"`
		Status string `json:"status"`
		Tier   string `json:"service_tier"`
		Output []struct {
			Type      string `json:"type"`
			Container string `json:"container_id"`
			Action    struct {
				Type string `json:"type"`
			} `json:"action"`
		} `json:"output"`
		Usage struct {
			Input        *int64 `json:"input_tokens"`
			InputDetails struct {
				Cached     *int64 `json:"cached_tokens"`
				CacheWrite *int64 `json:"cache_write_tokens"`
			} `json:"input_tokens_details"`
			Output        *int64 `json:"output_tokens"`
			OutputDetails struct {
				Reasoning *int64 `json:"reasoning_tokens"`
			} `json:"output_tokens_details"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(said.Tier)
	event.Operation = "responses"
	switch said.Status {
	case "failed":
		event.Status = "error"
	case "cancelled":
		event.Status = "cancelled"
	}
	event.Usage.InputTokens = said.Usage.Input
	event.Usage.CacheReadTokens = said.Usage.InputDetails.Cached
	event.Usage.CacheWriteTokens = said.Usage.InputDetails.CacheWrite
	event.Usage.OutputTokens = said.Usage.Output
	event.Usage.ReasoningTokens = said.Usage.OutputDetails.Reasoning
	var web, file int64
	containers := map[string]bool{}
	for _, item := range said.Output {
		switch item.Type {
		case "web_search_call":
			// To open a page and to find text in it are actions of such an item too, and are not billed.
			if item.Action.Type == "search" {
				web++
			}
		case "file_search_call":
			file++
		case "code_interpreter_call":
			containers[item.Container] = true // A container is billed once, however often it is called.
		}
	}
	event.setTools(ToolCalls{WebSearch: some(web), FileSearch: some(file), CodeExecution: some(int64(len(containers)))})
	return nil
}

// messages reads Anthropic's messages.
func messages(event *Event, response json.RawMessage) error {
	var said struct {
		ID    string `json:"id"`
		Model string `json:"model"`
		Usage struct {
			Input         *int64 `json:"input_tokens"`
			CacheRead     *int64 `json:"cache_read_input_tokens"`
			CacheWrite    *int64 `json:"cache_creation_input_tokens"`
			CacheCreation struct {
				FiveMinutes *int64 `json:"ephemeral_5m_input_tokens"`
				Hour        *int64 `json:"ephemeral_1h_input_tokens"`
			} `json:"cache_creation"`
			Output        *int64 `json:"output_tokens"`
			OutputDetails struct {
				Thinking *int64 `json:"thinking_tokens"`
			} `json:"output_tokens_details"`
			Tier         string `json:"service_tier"`
			InferenceGeo string `json:"inference_geo"`
			Speed        string `json:"speed"`
			Tools        struct {
				WebSearch *int64 `json:"web_search_requests"`
				WebFetch  *int64 `json:"web_fetch_requests"`
				Code      *int64 `json:"code_execution_requests"`
			} `json:"server_tool_use"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	usage, written := said.Usage, said.Usage.CacheCreation
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(usage.Tier)
	event.Operation = "chat"
	// Anthropic's input_tokens are the fresh ones alone; the event's include what caches were read and written for.
	event.Usage.InputTokens = sum(usage.Input, usage.CacheRead, usage.CacheWrite)
	event.Usage.CacheReadTokens = usage.CacheRead
	event.Usage.CacheWrite5mTokens, event.Usage.CacheWrite1hTokens = written.FiveMinutes, written.Hour
	event.Usage.CacheWriteTokens = rest(usage.CacheWrite, written.FiveMinutes, written.Hour)
	event.Usage.OutputTokens = usage.Output
	event.Usage.ReasoningTokens = usage.OutputDetails.Thinking
	event.setTools(ToolCalls{
		WebSearch: usage.Tools.WebSearch, WebFetch: usage.Tools.WebFetch, CodeExecution: usage.Tools.Code,
	})
	geo := usage.InferenceGeo
	if geo == "not_available" {
		geo = "" // What models say that leave no choice of it.
	}
	event.setConditions(Conditions{InferenceGeo: geo, Speed: usage.Speed})
	return nil
}

// gemini reads Gemini's generateContent.
func gemini(event *Event, response json.RawMessage) error {
	var said struct {
		ID         string `json:"responseId"`
		Model      string `json:"modelVersion"`
		Candidates []struct {
			Grounding struct {
				Queries []string `json:"webSearchQueries"`
			} `json:"groundingMetadata"`
		} `json:"candidates"`
		Usage struct {
			Prompt            *int64          `json:"promptTokenCount"`
			ToolUse           *int64          `json:"toolUsePromptTokenCount"`
			Cached            *int64          `json:"cachedContentTokenCount"`
			Candidates        *int64          `json:"candidatesTokenCount"`
			Thoughts          *int64          `json:"thoughtsTokenCount"`
			PromptDetails     []modalityCount `json:"promptTokensDetails"`
			ToolUseDetails    []modalityCount `json:"toolUsePromptTokensDetails"`
			CachedDetails     []modalityCount `json:"cacheTokensDetails"`
			CandidatesDetails []modalityCount `json:"candidatesTokensDetails"`
			Traffic           string          `json:"trafficType"`
			Tier              string          `json:"serviceTier"`
		} `json:"usageMetadata"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	usage := said.Usage
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(cmp.Or(usage.Traffic, usage.Tier))
	event.Operation = "chat"
	event.Usage.InputTokens = sum(usage.Prompt, usage.ToolUse)
	event.Usage.ToolUseInputTokens = usage.ToolUse
	event.Usage.CacheReadTokens = usage.Cached
	// Gemini's candidates leave thinking out; the event's output includes it.
	event.Usage.OutputTokens = sum(usage.Candidates, usage.Thoughts)
	event.Usage.ReasoningTokens = usage.Thoughts
	read := slices.Concat(usage.PromptDetails, usage.ToolUseDetails)
	event.Usage.InputAudioTokens = of("AUDIO", read)
	event.Usage.InputImageTokens = of("IMAGE", read)
	event.Usage.InputVideoTokens = of("VIDEO", read)
	event.Usage.CacheReadAudioTokens = of("AUDIO", usage.CachedDetails)
	event.Usage.CacheReadImageTokens = of("IMAGE", usage.CachedDetails)
	event.Usage.CacheReadVideoTokens = of("VIDEO", usage.CachedDetails)
	event.Usage.OutputAudioTokens = of("AUDIO", usage.CandidatesDetails)
	event.Usage.OutputImageTokens = of("IMAGE", usage.CandidatesDetails)
	event.Usage.OutputVideoTokens = of("VIDEO", usage.CandidatesDetails)
	queries := map[string]bool{}
	for _, candidate := range said.Candidates {
		for _, query := range candidate.Grounding.Queries {
			if query != "" {
				queries[query] = true
			}
		}
	}
	searches := int64(len(queries))
	// The first two generations bill a prompt that was grounded, later ones each distinct query that is not empty.
	if strings.HasPrefix(said.Model, "gemini-1") || strings.HasPrefix(said.Model, "gemini-2") {
		searches = min(searches, 1)
	}
	event.setTools(ToolCalls{WebSearch: some(searches)})
	return nil
}

// converse reads Bedrock's Converse. It does not name the model: the one that was asked for stands.
func converse(event *Event, response json.RawMessage) error {
	var said struct {
		Metadata struct {
			RequestID string `json:"RequestId"`
		} `json:"ResponseMetadata"`
		Tier struct {
			Type string `json:"type"`
		} `json:"serviceTier"`
		Performance struct {
			Latency string `json:"latency"`
		} `json:"performanceConfig"`
		Usage struct {
			Input      *int64 `json:"inputTokens"`
			CacheRead  *int64 `json:"cacheReadInputTokens"`
			CacheWrite *int64 `json:"cacheWriteInputTokens"`
			Details    []struct {
				TTL    string `json:"ttl"`
				Tokens *int64 `json:"inputTokens"`
			} `json:"cacheDetails"`
			Output *int64 `json:"outputTokens"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	usage := said.Usage
	event.ResponseID, event.ServiceTier = said.Metadata.RequestID, tier(said.Tier.Type)
	event.Operation = "chat"
	// As Anthropic's: inputTokens are the fresh ones alone.
	event.Usage.InputTokens = sum(usage.Input, usage.CacheRead, usage.CacheWrite)
	event.Usage.CacheReadTokens = usage.CacheRead
	for _, written := range usage.Details {
		switch written.TTL {
		case "5m":
			event.Usage.CacheWrite5mTokens = sum(event.Usage.CacheWrite5mTokens, written.Tokens)
		case "1h":
			event.Usage.CacheWrite1hTokens = sum(event.Usage.CacheWrite1hTokens, written.Tokens)
		}
	}
	event.Usage.CacheWriteTokens = rest(usage.CacheWrite, event.Usage.CacheWrite5mTokens, event.Usage.CacheWrite1hTokens)
	event.Usage.OutputTokens = usage.Output
	event.setConditions(Conditions{Latency: said.Performance.Latency})
	return nil
}

// cohere reads Cohere's chat and rerank: what it bills, which can be less than what its models count.
func cohere(event *Event, response json.RawMessage) error {
	type tokens struct {
		Input       *int64 `json:"input_tokens"`
		Output      *int64 `json:"output_tokens"`
		SearchUnits *int64 `json:"search_units"`
	}
	var said struct {
		ID    string `json:"id"`
		Usage struct {
			Billed tokens `json:"billed_units"`
			All    tokens `json:"tokens"`
			Cached *int64 `json:"cached_tokens"`
		} `json:"usage"`
		Meta struct {
			Billed tokens `json:"billed_units"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	event.ResponseID = said.ID
	event.Operation = "chat"
	billed, all := said.Usage.Billed, said.Usage.All
	event.Usage.InputTokens, event.Usage.OutputTokens = billed.Input, billed.Output
	// What was cached is a part of all tokens. It is one of the billed tokens only where all are billed.
	if billed.Input != nil && all.Input != nil && *billed.Input == *all.Input {
		event.Usage.CacheReadTokens = said.Usage.Cached
	}
	if units := said.Meta.Billed.SearchUnits; units != nil {
		event.Operation = "rerank"
		event.Usage.SearchUnits = units
	}
	return nil
}

// ollama reads Ollama's /api/chat and /api/generate.
func ollama(event *Event, response json.RawMessage) error {
	var said struct {
		Model   string          `json:"model"`
		Message json.RawMessage `json:"message"`
		Prompt  *int64          `json:"prompt_eval_count"`
		Output  *int64          `json:"eval_count"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	event.ResponseModel = said.Model
	event.Operation = "completion"
	if said.Message != nil {
		event.Operation = "chat"
	}
	event.Usage.InputTokens, event.Usage.OutputTokens = said.Prompt, said.Output
	return nil
}

// sum adds what is there. A sum of nothing is absent, which is not zero.
func sum(parts ...*int64) *int64 {
	var total *int64
	for _, part := range parts {
		if part != nil {
			if total == nil {
				total = new(int64)
			}
			*total += *part
		}
	}
	return total
}

// rest is what was written to a cache for a time that the response does not say; absent if it says all.
func rest(whole *int64, parts ...*int64) *int64 {
	if whole == nil {
		return nil
	}
	left := *whole
	if said := sum(parts...); said != nil {
		left -= *said
	}
	if left <= 0 {
		return nil
	}
	return &left
}

// some is the count of what was found; nothing found is absent.
func some(found int64) *int64 {
	if found == 0 {
		return nil
	}
	return &found
}

type modalityCount struct {
	Modality string `json:"modality"`
	Tokens   *int64 `json:"tokenCount"`
}

// of adds up the tokens of one modality.
func of(modality string, details []modalityCount) *int64 {
	var total *int64
	for _, part := range details {
		if part.Modality == modality {
			total = sum(total, part.Tokens)
		}
	}
	return total
}

// tier is the one that has served. "auto" is only what was asked for; words that are not here are sent as they are.
func tier(word string) string {
	switch word {
	case "default":
		return "standard"
	case "fast":
		return "priority"
	case "auto":
		return ""
	}
	return word
}

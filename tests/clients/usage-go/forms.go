package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
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
		// Of a conversation at Mistral, whose own id is that of all its turns.
		Conversation string `json:"conversation_id"`
		Outputs      []struct {
			ID string `json:"id"`
		} `json:"outputs"`
		Usage struct {
			Prompt            *int64  `json:"prompt_tokens"`
			Completion        *int64  `json:"completion_tokens"`
			Total             *int64  `json:"total_tokens"`
			Cached            *int64  `json:"cached_tokens"`
			CacheHit          *int64  `json:"prompt_cache_hit_tokens"`
			PromptDetails     details `json:"prompt_tokens_details"`
			CompletionDetails details `json:"completion_tokens_details"`
			Reasoning         *int64  `json:"reasoning_tokens"`
			Citation          *int64  `json:"citation_tokens"`
			SearchQueries     *int64  `json:"num_search_queries"`
			SearchContext     string  `json:"search_context_size"`
			Sources           *int64  `json:"num_sources_used"`
			ServerTools       *struct {
				Web      *int64 `json:"web_search_calls"`
				X        *int64 `json:"x_search_calls"`
				Code     *int64 `json:"code_interpreter_calls"`
				File     *int64 `json:"file_search_calls"`
				Document *int64 `json:"document_search_calls"`
			} `json:"server_side_tool_usage_details"`
			Tier            string `json:"service_tier"`
			ConnectorTokens *int64 `json:"connector_tokens"`
			Connectors      struct {
				Web     *int64 `json:"web_search"`
				Premium *int64 `json:"web_search_premium"`
				Code    *int64 `json:"code_interpreter"`
				Image   *int64 `json:"image_generation"`
				Library *int64 `json:"document_library"`
			} `json:"connectors"`
		} `json:"usage"`
	}
	if err := json.Unmarshal(response, &said); err != nil {
		return err
	}
	usage, read, written := said.Usage, said.Usage.PromptDetails, said.Usage.CompletionDetails
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(said.Tier)
	event.Operation = "chat"
	event.Usage.InputTokens = usage.Prompt
	// The second is where Moonshot and Together have it, the third is DeepSeek's name of it.
	event.Usage.CacheReadTokens = cmp.Or(read.Cached, usage.Cached, usage.CacheHit)
	event.Usage.CacheWriteTokens = read.CacheWrite
	event.Usage.InputAudioTokens, event.Usage.InputImageTokens = read.Audio, read.Image
	event.Usage.OutputTokens, event.Usage.ReasoningTokens = usage.Completion, written.Reasoning
	event.Usage.OutputAudioTokens, event.Usage.OutputImageTokens = written.Audio, written.Image
	// The event's output includes reasoning. The total says whether completion_tokens do; xAI's do not, without a total.
	whole := sum(usage.Prompt, usage.Completion, written.Reasoning)
	beside := usage.Total == nil && event.Provider == "xai"
	if beside || (usage.Total != nil && whole != nil && *usage.Total == *whole) {
		event.Usage.OutputTokens = sum(usage.Completion, written.Reasoning)
	}
	switch event.Provider {
	case "xai":
		if tools := usage.ServerTools; tools != nil {
			event.setTools(ToolCalls{
				WebSearch: tools.Web, SocialSearch: tools.X, CodeExecution: tools.Code, FileSearch: sum(tools.File, tools.Document),
			})
			// Searches in attachments cost more than those in collections; both at once have no price.
			if tools.Document != nil && *tools.Document > 0 {
				searched := "attachment"
				if tools.File != nil && *tools.File > 0 {
					searched = "attachment,file_search_calls"
				}
				event.setConditions(Conditions{SearchContext: searched})
			}
		} else if usage.Sources != nil && *usage.Sources > 0 {
			event.setTools(ToolCalls{WebSearch: usage.Sources})
			event.setConditions(Conditions{SearchContext: "live"})
		}
	case "mistral":
		called := usage.Connectors
		if said.ID == "" && len(said.Outputs) > 0 {
			event.ResponseID = said.Outputs[len(said.Outputs)-1].ID
		}
		event.SessionID = said.Conversation
		event.ServiceTier = tier(usage.Tier)
		event.Usage.InputTokens = sum(usage.Prompt, usage.ConnectorTokens)
		event.Usage.ToolUseInputTokens = usage.ConnectorTokens
		event.setTools(ToolCalls{
			WebSearch: sum(called.Web, called.Premium), CodeExecution: called.Code,
			ImageGeneration: called.Image, FileSearch: called.Library,
		})
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
		ID           string `json:"id"`
		Model        string `json:"model"`
		Status       string `json:"status"`
		Tier         string `json:"service_tier"`
		Conversation struct {
			ID string `json:"id"`
		} `json:"conversation"`
		Output []struct {
			Type      string `json:"type"`
			Container string `json:"container_id"`
			Action    struct {
				Type string `json:"type"`
			} `json:"action"`
		} `json:"output"`
		Tools []struct {
			Type      string          `json:"type"`
			Model     string          `json:"model"`
			Container json.RawMessage `json:"container"` // An object, or the id of one.
		} `json:"tools"`
		ToolUsage struct {
			Web struct {
				Requests *int64 `json:"num_requests"`
			} `json:"web_search"`
			Image struct {
				Input        *int64 `json:"input_tokens"`
				InputDetails struct {
					Image *int64 `json:"image_tokens"`
				} `json:"input_tokens_details"`
				Cached        *int64 `json:"cached_tokens"`
				Output        *int64 `json:"output_tokens"`
				OutputDetails struct {
					Image *int64 `json:"image_tokens"`
					Text  *int64 `json:"text_tokens"`
				} `json:"output_tokens_details"`
			} `json:"image_gen"`
		} `json:"tool_usage"`
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
	event.SessionID = said.Conversation.ID
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
			if item.Action.Type == "search" || item.Action.Type == "" {
				web++
			}
		case "file_search_call":
			file++
		case "code_interpreter_call":
			containers[item.Container] = true // A container is billed once, however often it is called.
		}
	}
	gigabytes, painter := int64(1), "image_generation_tool"
	for _, tool := range said.Tools {
		switch tool.Type {
		case "code_interpreter":
			gigabytes = memory(tool.Container)
		case "image_generation":
			painter = cmp.Or(tool.Model, painter)
		}
	}
	event.setTools(ToolCalls{
		WebSearch: cmp.Or(said.ToolUsage.Web.Requests, some(web)), FileSearch: some(file),
		CodeExecution: some(int64(len(containers)) * gigabytes),
	})
	// The image model behind the tool is billed for its own tokens.
	if image := said.ToolUsage.Image; number(image.Input)+number(image.Output) > 0 {
		more := event.another(painter)
		more.Operation = "image"
		more.Usage.InputTokens, more.Usage.InputImageTokens = image.Input, image.InputDetails.Image
		more.Usage.CacheReadTokens = image.Cached
		more.Usage.OutputTokens, more.Usage.OutputImageTokens = image.Output, image.OutputDetails.Image
		if image.OutputDetails.Image == nil && image.OutputDetails.Text == nil {
			more.Usage.OutputImageTokens = image.Output // Without a breakdown all of it is image.
		}
	}
	return nil
}

// memory is how many containers of a gigabyte one of this memory costs.
func memory(container json.RawMessage) int64 {
	var said struct {
		Limit string `json:"memory_limit"`
	}
	_ = json.Unmarshal(container, &said) // The id of a container says nothing of its memory.
	gigabytes, err := strconv.ParseInt(strings.TrimSuffix(said.Limit, "g"), 10, 64)
	if err != nil || gigabytes < 1 {
		return 1
	}
	return gigabytes
}

// messageCounts are those of a message, and of each iteration that it took.
type messageCounts struct {
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
}

// addTo adds the counts to the event's.
func (counts messageCounts) addTo(usage *Usage) {
	written := counts.CacheCreation
	unsaid := rest(counts.CacheWrite, written.FiveMinutes, written.Hour)
	// Anthropic's input_tokens are the fresh ones alone; the event's include what caches were read and written for.
	usage.InputTokens = sum(usage.InputTokens, counts.Input, counts.CacheRead, counts.CacheWrite)
	usage.CacheReadTokens = sum(usage.CacheReadTokens, counts.CacheRead)
	usage.CacheWrite5mTokens = sum(usage.CacheWrite5mTokens, written.FiveMinutes)
	usage.CacheWrite1hTokens = sum(usage.CacheWrite1hTokens, written.Hour)
	usage.CacheWriteTokens = sum(usage.CacheWriteTokens, unsaid)
	usage.OutputTokens = sum(usage.OutputTokens, counts.Output)
	usage.ReasoningTokens = sum(usage.ReasoningTokens, counts.OutputDetails.Thinking)
}

// messages reads Anthropic's messages.
func messages(event *Event, response json.RawMessage) error {
	var said struct {
		ID    string `json:"id"`
		Model string `json:"model"`
		Usage struct {
			messageCounts
			Iterations []struct {
				messageCounts
				Type  string `json:"type"`
				Model string `json:"model"`
			} `json:"iterations"`
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
	usage := said.Usage
	event.ResponseID, event.ResponseModel, event.ServiceTier = said.ID, said.Model, tier(usage.Tier)
	event.Operation = "chat"
	geo := usage.InferenceGeo
	if geo == "not_available" {
		geo = "" // What models say that leave no choice of it.
	}
	event.setConditions(Conditions{InferenceGeo: geo, Speed: usage.Speed})
	usage.addTo(&event.Usage)
	for _, iteration := range usage.Iterations {
		switch iteration.Type {
		case "compaction": // Billed, and the totals leave it out.
			iteration.addTo(&event.Usage)
		case "advisor_message": // Of another model, at its own price.
			more := event.another(iteration.Model)
			more.Operation, more.ServiceTier, more.Conditions = event.Operation, event.ServiceTier, event.Conditions
			iteration.addTo(&more.Usage)
		}
	}
	event.setTools(ToolCalls{
		WebSearch: usage.Tools.WebSearch, WebFetch: usage.Tools.WebFetch, CodeExecution: usage.Tools.Code,
	})
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
				Chunks  []struct {
					Maps json.RawMessage `json:"maps"`
				} `json:"groundingChunks"`
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
	// What a model can write beside text has another price. Where none of it was written, the event says so.
	told := usage.CandidatesDetails != nil || number(event.Usage.OutputTokens) == number(usage.Thoughts)
	meter := event.Usage.writtenBy(said.Model)
	if meter != nil && *meter == nil && event.Usage.OutputTokens != nil && told {
		*meter = new(int64)
	}
	queries := map[string]bool{}
	var maps int64
	for _, candidate := range said.Candidates {
		for _, chunk := range candidate.Grounding.Chunks {
			if chunk.Maps != nil {
				maps = 1 // A prompt that was grounded in maps is billed once.
			}
		}
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
	event.setTools(ToolCalls{WebSearch: some(searches), MapsGrounding: some(maps)})
	return nil
}

// writtenBy is the meter of what such a model can write beside text, or nil.
func (usage *Usage) writtenBy(model string) **int64 {
	for _, word := range []string{"image", "banana"} {
		if strings.Contains(model, word) {
			return &usage.OutputImageTokens
		}
	}
	for _, word := range []string{"live", "tts", "audio"} {
		if strings.Contains(model, word) {
			return &usage.OutputAudioTokens
		}
	}
	if strings.Contains(model, "omni") {
		return &usage.OutputVideoTokens
	}
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

// number is the count, or 0 where it is absent.
func number(count *int64) int64 {
	if count == nil {
		return 0
	}
	return *count
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

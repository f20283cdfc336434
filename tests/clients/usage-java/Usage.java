import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What a service on the JVM does without an SDK of ours: make usage events of responses and send them to Kafka. Where
 * to send, the calls and who made them come from the environment; how many were acknowledged leaves as JSON.
 */
public class Usage {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        String topic = System.getenv("KAFKA_TOPIC");
        Map<String, Object> config = Map.of("bootstrap.servers", System.getenv("KAFKA_ADDRESS"));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (String line : Files.readAllLines(Path.of(System.getenv("USAGE_CALLS")), StandardCharsets.UTF_8)) {
                JsonNode call = JSON.readTree(line);
                List<ObjectNode> events = new ArrayList<>();
                events.add(event(call.path("provider").asText()).put("model", call.path("model").asText()));
                read(call.path("response"), events);
                for (ObjectNode event : events) {
                    // With the event's id as its key, all revisions of an event stand in one partition, in order.
                    String key = event.path("event_id").asText();
                    sent.add(producer.send(new ProducerRecord<>(topic, key, JSON.writeValueAsString(event))));
                }
            }
            // The client waits for all replicas and sends again by itself what was not acknowledged.
            for (Future<RecordMetadata> future : sent) {
                future.get();
            }
        }
        System.out.println(JSON.createObjectNode().put("sent", sent.size()));
    }

    /** With what the service knows itself. Make it once: a retry of sending has the same id. */
    static ObjectNode event(String provider) {
        ObjectNode event = JSON.createObjectNode()
            .put("schema_version", 1)
            .put("event_id", UUID.randomUUID().toString())
            // An Instant can have nanoseconds, the event's time has microseconds at most.
            .put("occurred_at", Instant.now().truncatedTo(ChronoUnit.MICROS).toString())
            .put("source", System.getenv("USAGE_SOURCE"))
            .put("provider", provider);
        event.putObject("usage").put("kind", "tokens");
        event.putObject("attribution").put("team", System.getenv("USAGE_TEAM"));
        return event;
    }

    /** The event of another model that the same call is billed for. The response's id stays with the first. */
    static ObjectNode another(List<ObjectNode> events, JsonNode model) {
        ObjectNode first = events.get(0);
        ObjectNode event = event(first.path("provider").asText());
        set(event, "response_model", model);
        set(event, "status", first.path("status"));
        set(event, "session_id", first.path("session_id"));
        events.add(event);
        return event;
    }

    /**
     * Fills the event, and adds one for each other model that worked for the call. The form is seen from the response,
     * not from the provider's name: OpenAI has two, and many have its first.
     */
    static void read(JsonNode response, List<ObjectNode> events) {
        ObjectNode event = events.get(0);
        JsonNode usage = response.path("usage");
        if (response.path("object").asText().equals("response")) {
            responses(response, events);
        } else if (response.path("type").asText().equals("message")) {
            messages(response, events);
        } else if (response.has("usageMetadata")) {
            gemini(response, event);
        } else if (usage.has("inputTokens")) {
            converse(response, event);
        } else if (usage.has("billed_units") || response.path("meta").has("billed_units")) {
            cohere(response, event);
        } else if (response.has("eval_count")) {
            ollama(response, event);
        } else {
            chat(response, event);
        }
    }

    /** OpenAI's chat completions, and whoever has their form. */
    static void chat(JsonNode response, ObjectNode event) {
        JsonNode usage = response.path("usage");
        JsonNode input = usage.path("prompt_tokens_details");
        JsonNode output = usage.path("completion_tokens_details");
        event.put("operation", "chat");
        set(event, "response_id", response.path("id"));
        set(event, "response_model", response.path("model"));
        set(event, "service_tier", tier(response.path("service_tier")));
        ObjectNode meters = event.withObject("/usage");
        set(meters, "input_tokens", usage.path("prompt_tokens"));
        // The first is DeepSeek's name of it, the second where Moonshot and Together have it.
        set(meters, "cache_read_tokens", usage.path("prompt_cache_hit_tokens"));
        set(meters, "cache_read_tokens", usage.path("cached_tokens"));
        set(meters, "cache_read_tokens", input.path("cached_tokens"));
        set(meters, "cache_write_tokens", input.path("cache_write_tokens"));
        set(meters, "input_audio_tokens", input.path("audio_tokens"));
        set(meters, "input_image_tokens", input.path("image_tokens"));
        set(meters, "output_tokens", usage.path("completion_tokens"));
        set(meters, "reasoning_tokens", output.path("reasoning_tokens"));
        set(meters, "output_audio_tokens", output.path("audio_tokens"));
        set(meters, "output_image_tokens", output.path("image_tokens"));
        // The event's output includes reasoning. The total says whether completion_tokens do; without one xAI's don't.
        String provider = event.path("provider").asText();
        JsonNode answer = usage.path("completion_tokens");
        JsonNode withReasoning = sum(answer, output.path("reasoning_tokens"));
        JsonNode total = usage.path("total_tokens");
        boolean beside = isThere(total)
            ? total.asLong() == sum(usage.path("prompt_tokens"), withReasoning).asLong()
            : provider.equals("xai");
        if (beside) {
            set(meters, "output_tokens", withReasoning);
        }
        switch (provider) {
            case "xai" -> {
                JsonNode tools = usage.path("server_side_tool_usage_details");
                JsonNode files = sum(tools.path("file_search_calls"), tools.path("document_search_calls"));
                setIn(event, "tool_calls", "web_search", tools.path("web_search_calls"));
                setIn(event, "tool_calls", "social_search", tools.path("x_search_calls"));
                setIn(event, "tool_calls", "code_execution", tools.path("code_interpreter_calls"));
                setIn(event, "tool_calls", "file_search", files);
                // Searches in attachments cost more than those in collections; both at once have no price.
                if (tools.path("document_search_calls").asLong() > 0) {
                    boolean both = tools.path("file_search_calls").asLong() > 0;
                    String searched = both ? "attachment,file_search_calls" : "attachment";
                    setIn(event, "conditions", "search_context", TextNode.valueOf(searched));
                }
                if (!isThere(tools) && usage.path("num_sources_used").asLong() > 0) {
                    setIn(event, "tool_calls", "web_search", usage.path("num_sources_used"));
                    setIn(event, "conditions", "search_context", TextNode.valueOf("live"));
                }
            }
            case "mistral" -> {
                JsonNode called = usage.path("connectors");
                // The id of a conversation is that of all its turns; each output has one of its own.
                response.path("outputs").forEach(item -> set(event, "response_id", item.path("id")));
                set(event, "response_id", response.path("id"));
                set(event, "session_id", response.path("conversation_id"));
                set(event, "service_tier", tier(usage.path("service_tier")));
                set(meters, "input_tokens", sum(usage.path("prompt_tokens"), usage.path("connector_tokens")));
                set(meters, "tool_use_input_tokens", usage.path("connector_tokens"));
                JsonNode searches = sum(called.path("web_search"), called.path("web_search_premium"));
                setIn(event, "tool_calls", "web_search", searches);
                setIn(event, "tool_calls", "code_execution", called.path("code_interpreter"));
                setIn(event, "tool_calls", "image_generation", called.path("image_generation"));
                setIn(event, "tool_calls", "file_search", called.path("document_library"));
            }
            case "perplexity" -> {
                JsonNode reasoning = usage.path("reasoning_tokens");
                JsonNode citation = usage.path("citation_tokens");
                set(meters, "output_tokens", sum(answer, reasoning, citation));
                set(meters, "reasoning_tokens", reasoning);
                set(meters, "citation_tokens", citation);
                setIn(event, "tool_calls", "web_search", usage.path("num_search_queries"));
                setIn(event, "conditions", "search_context", usage.path("search_context_size"));
            }
            default -> { }
        }
    }

    /** OpenAI's responses. */
    static void responses(JsonNode response, List<ObjectNode> events) {
        ObjectNode event = events.get(0);
        JsonNode usage = response.path("usage");
        event.put("operation", "responses");
        set(event, "response_id", response.path("id"));
        set(event, "session_id", response.path("conversation").path("id"));
        set(event, "response_model", response.path("model"));
        set(event, "service_tier", tier(response.path("service_tier")));
        switch (response.path("status").asText()) {
            case "failed" -> event.put("status", "error");
            case "cancelled" -> event.put("status", "cancelled");
            default -> event.put("status", "ok");
        }
        ObjectNode meters = event.withObject("/usage");
        set(meters, "input_tokens", usage.path("input_tokens"));
        set(meters, "cache_read_tokens", usage.path("input_tokens_details").path("cached_tokens"));
        set(meters, "cache_write_tokens", usage.path("input_tokens_details").path("cache_write_tokens"));
        set(meters, "output_tokens", usage.path("output_tokens"));
        set(meters, "reasoning_tokens", usage.path("output_tokens_details").path("reasoning_tokens"));
        long searches = 0;
        long files = 0;
        Set<String> containers = new HashSet<>();
        for (JsonNode item : response.path("output")) {
            switch (item.path("type").asText()) {
                case "web_search_call" -> {
                    // To open a page and to find text in it are actions of such an item too, and are not billed.
                    String action = item.path("action").path("type").asText();
                    if (action.isEmpty() || action.equals("search")) {
                        searches += 1;
                    }
                }
                case "file_search_call" -> files += 1;
                // A container is billed once, however often it is called.
                case "code_interpreter_call" -> containers.add(item.path("container_id").asText());
                default -> { }
            }
        }
        long gigabytes = 1;
        JsonNode painter = TextNode.valueOf("image_generation_tool");
        for (JsonNode tool : response.path("tools")) {
            switch (tool.path("type").asText()) {
                case "code_interpreter" -> gigabytes = gigabytes(tool.path("container").path("memory_limit").asText());
                case "image_generation" -> painter = isThere(tool.path("model")) ? tool.path("model") : painter;
                default -> { }
            }
        }
        setIn(event, "tool_calls", "web_search", some(searches));
        setIn(event, "tool_calls", "web_search", response.path("tool_usage").path("web_search").path("num_requests"));
        setIn(event, "tool_calls", "file_search", some(files));
        setIn(event, "tool_calls", "code_execution", some(containers.size() * gigabytes));
        // The image model behind the tool is billed for its own tokens.
        JsonNode image = response.path("tool_usage").path("image_gen");
        if (sum(image.path("input_tokens"), image.path("output_tokens")).asLong() > 0) {
            ObjectNode more = another(events, painter).put("operation", "image");
            ObjectNode drawn = more.withObject("/usage");
            JsonNode details = image.path("output_tokens_details");
            set(drawn, "input_tokens", image.path("input_tokens"));
            set(drawn, "input_image_tokens", image.path("input_tokens_details").path("image_tokens"));
            set(drawn, "cache_read_tokens", image.path("cached_tokens"));
            set(drawn, "output_tokens", image.path("output_tokens"));
            // Without a breakdown all of it is image.
            boolean all = !isThere(details.path("image_tokens")) && !isThere(details.path("text_tokens"));
            set(drawn, "output_image_tokens", all ? image.path("output_tokens") : details.path("image_tokens"));
        }
    }

    /** How many containers of a gigabyte one of this memory costs. */
    static long gigabytes(String limit) {
        return limit.matches("[1-9][0-9]{0,3}g") ? Long.parseLong(limit.substring(0, limit.length() - 1)) : 1;
    }

    /** Anthropic's messages. */
    static void messages(JsonNode response, List<ObjectNode> events) {
        ObjectNode event = events.get(0);
        JsonNode usage = response.path("usage");
        event.put("operation", "chat");
        set(event, "response_id", response.path("id"));
        set(event, "response_model", response.path("model"));
        set(event, "service_tier", tier(usage.path("service_tier")));
        // Models that leave no choice of it say not_available.
        if (!usage.path("inference_geo").asText().equals("not_available")) {
            setIn(event, "conditions", "inference_geo", usage.path("inference_geo"));
        }
        setIn(event, "conditions", "speed", usage.path("speed"));
        JsonNode tools = usage.path("server_tool_use");
        setIn(event, "tool_calls", "web_search", tools.path("web_search_requests"));
        setIn(event, "tool_calls", "web_fetch", tools.path("web_fetch_requests"));
        setIn(event, "tool_calls", "code_execution", tools.path("code_execution_requests"));
        add(event.withObject("/usage"), usage);
        for (JsonNode iteration : usage.path("iterations")) {
            switch (iteration.path("type").asText()) {
                // Billed, and the totals leave it out.
                case "compaction" -> add(event.withObject("/usage"), iteration);
                // Of another model, at its own price.
                case "advisor_message" -> {
                    ObjectNode more = another(events, iteration.path("model"));
                    for (String same : List.of("operation", "service_tier", "conditions")) {
                        set(more, same, event.path(same));
                    }
                    add(more.withObject("/usage"), iteration);
                }
                default -> { }
            }
        }
    }

    /** Adds the counts of a message, or of an iteration that it took. */
    static void add(ObjectNode meters, JsonNode usage) {
        JsonNode read = usage.path("cache_read_input_tokens");
        JsonNode written = usage.path("cache_creation_input_tokens");
        JsonNode fiveMinutes = usage.path("cache_creation").path("ephemeral_5m_input_tokens");
        JsonNode hour = usage.path("cache_creation").path("ephemeral_1h_input_tokens");
        // Anthropic's input_tokens are the fresh ones alone; the event's include what caches were read and written for.
        Map<String, JsonNode> counts = Map.of(
            "input_tokens", sum(usage.path("input_tokens"), read, written),
            "cache_read_tokens", read,
            "cache_write_5m_tokens", fiveMinutes,
            "cache_write_1h_tokens", hour,
            "cache_write_tokens", rest(written, fiveMinutes, hour),
            "output_tokens", usage.path("output_tokens"),
            "reasoning_tokens", usage.path("output_tokens_details").path("thinking_tokens"));
        counts.forEach((meter, count) -> set(meters, meter, sum(meters.path(meter), count)));
    }

    /** Gemini's generateContent. */
    static void gemini(JsonNode response, ObjectNode event) {
        JsonNode usage = response.path("usageMetadata");
        JsonNode model = response.path("modelVersion");
        event.put("operation", "chat");
        set(event, "response_id", response.path("responseId"));
        set(event, "response_model", model);
        set(event, "service_tier", tier(usage.path("serviceTier")));
        set(event, "service_tier", tier(usage.path("trafficType")));
        ObjectNode meters = event.withObject("/usage");
        set(meters, "input_tokens", sum(usage.path("promptTokenCount"), usage.path("toolUsePromptTokenCount")));
        set(meters, "tool_use_input_tokens", usage.path("toolUsePromptTokenCount"));
        set(meters, "cache_read_tokens", usage.path("cachedContentTokenCount"));
        // Gemini's candidates leave thinking out; the event's output includes it.
        set(meters, "output_tokens", sum(usage.path("candidatesTokenCount"), usage.path("thoughtsTokenCount")));
        set(meters, "reasoning_tokens", usage.path("thoughtsTokenCount"));
        for (String kind : List.of("audio", "image", "video")) {
            JsonNode ofPrompt = of(kind, usage.path("promptTokensDetails"));
            JsonNode ofTools = of(kind, usage.path("toolUsePromptTokensDetails"));
            set(meters, "input_" + kind + "_tokens", sum(ofPrompt, ofTools));
            set(meters, "cache_read_" + kind + "_tokens", of(kind, usage.path("cacheTokensDetails")));
            set(meters, "output_" + kind + "_tokens", of(kind, usage.path("candidatesTokensDetails")));
        }
        // What a model can write beside text has another price. Where none of it was written, the event says so.
        boolean told = !usage.path("candidatesTokensDetails").isEmpty()
            || meters.path("output_tokens").asLong() == usage.path("thoughtsTokenCount").asLong();
        if (meters.has("output_tokens") && told) {
            Map<String, String> writes = Map.of(
                "image", ".*(image|banana).*", "audio", ".*(live|tts|audio).*", "video", ".*omni.*");
            writes.forEach((kind, words) -> {
                if (model.asText().matches(words) && !meters.has("output_" + kind + "_tokens")) {
                    meters.put("output_" + kind + "_tokens", 0);
                }
            });
        }
        Set<String> queries = new HashSet<>();
        for (JsonNode candidate : response.path("candidates")) {
            for (JsonNode chunk : candidate.path("groundingMetadata").path("groundingChunks")) {
                if (chunk.has("maps")) {
                    // A prompt that was grounded in maps is billed once.
                    setIn(event, "tool_calls", "maps_grounding", some(1));
                }
            }
            candidate.path("groundingMetadata").path("webSearchQueries").forEach(query -> queries.add(query.asText()));
        }
        queries.remove("");
        // The first two generations bill a prompt that was grounded, later ones each distinct query that is not empty.
        boolean perPrompt = model.asText().startsWith("gemini-1") || model.asText().startsWith("gemini-2");
        setIn(event, "tool_calls", "web_search", some(perPrompt ? Math.min(queries.size(), 1) : queries.size()));
    }

    /** Bedrock's Converse. It does not name the model: the one that was asked for stands. */
    static void converse(JsonNode response, ObjectNode event) {
        JsonNode usage = response.path("usage");
        JsonNode read = usage.path("cacheReadInputTokens");
        JsonNode written = usage.path("cacheWriteInputTokens");
        JsonNode fiveMinutes = MissingNode.getInstance();
        JsonNode hour = MissingNode.getInstance();
        for (JsonNode part : usage.path("cacheDetails")) {
            switch (part.path("ttl").asText()) {
                case "5m" -> fiveMinutes = sum(fiveMinutes, part.path("inputTokens"));
                case "1h" -> hour = sum(hour, part.path("inputTokens"));
                default -> { }
            }
        }
        event.put("operation", "chat");
        set(event, "response_id", response.path("ResponseMetadata").path("RequestId"));
        set(event, "service_tier", tier(response.path("serviceTier").path("type")));
        ObjectNode meters = event.withObject("/usage");
        // As Anthropic's: inputTokens are the fresh ones alone.
        set(meters, "input_tokens", sum(usage.path("inputTokens"), read, written));
        set(meters, "cache_read_tokens", read);
        set(meters, "cache_write_5m_tokens", fiveMinutes);
        set(meters, "cache_write_1h_tokens", hour);
        set(meters, "cache_write_tokens", rest(written, fiveMinutes, hour));
        set(meters, "output_tokens", usage.path("outputTokens"));
        setIn(event, "conditions", "latency", response.path("performanceConfig").path("latency"));
    }

    /** Cohere's chat and rerank: what it bills, which can be less than what its models count. */
    static void cohere(JsonNode response, ObjectNode event) {
        JsonNode usage = response.path("usage");
        JsonNode billed = usage.path("billed_units");
        JsonNode units = response.path("meta").path("billed_units").path("search_units");
        event.put("operation", isThere(units) ? "rerank" : "chat");
        set(event, "response_id", response.path("id"));
        ObjectNode meters = event.withObject("/usage");
        set(meters, "input_tokens", billed.path("input_tokens"));
        set(meters, "output_tokens", billed.path("output_tokens"));
        set(meters, "search_units", units);
        // What was cached is a part of all tokens. It is one of the billed tokens only where all are billed.
        if (billed.path("input_tokens").equals(usage.path("tokens").path("input_tokens"))) {
            set(meters, "cache_read_tokens", usage.path("cached_tokens"));
        }
    }

    /** Ollama's /api/chat and /api/generate. */
    static void ollama(JsonNode response, ObjectNode event) {
        event.put("operation", response.has("message") ? "chat" : "completion");
        set(event, "response_model", response.path("model"));
        ObjectNode meters = event.withObject("/usage");
        set(meters, "input_tokens", response.path("prompt_eval_count"));
        set(meters, "output_tokens", response.path("eval_count"));
    }

    /** Providers leave out what is absent, or send null for it. */
    static boolean isThere(JsonNode value) {
        return !value.isMissingNode() && !value.isNull();
    }

    /** Leaves out what is absent, which is not zero: a 0 that the response reports is written. */
    static void set(ObjectNode object, String name, JsonNode value) {
        if (isThere(value)) {
            object.set(name, value);
        }
    }

    /** The same for a field of an object that is made when its first field comes. */
    static void setIn(ObjectNode event, String object, String name, JsonNode value) {
        if (isThere(value)) {
            event.withObject("/" + object).set(name, value);
        }
    }

    /** Adds what is there. A sum of nothing is absent. */
    static JsonNode sum(JsonNode... parts) {
        JsonNode total = MissingNode.getInstance();
        for (JsonNode part : parts) {
            if (isThere(part)) {
                total = LongNode.valueOf(total.asLong() + part.longValue());
            }
        }
        return total;
    }

    /** What was written to a cache for a time that the response does not say; absent if it says all. */
    static JsonNode rest(JsonNode whole, JsonNode... parts) {
        return some(whole.asLong() - sum(parts).asLong());
    }

    /** The count of what was found; nothing found is absent. */
    static JsonNode some(long found) {
        return found > 0 ? LongNode.valueOf(found) : MissingNode.getInstance();
    }

    /** The tokens of one modality. */
    static JsonNode of(String modality, JsonNode details) {
        JsonNode total = MissingNode.getInstance();
        for (JsonNode part : details) {
            if (part.path("modality").asText().equalsIgnoreCase(modality)) {
                total = sum(total, part.path("tokenCount"));
            }
        }
        return total;
    }

    /** The tier that has served. "auto" is only what was asked for; words that are not here are sent as they are. */
    static JsonNode tier(JsonNode word) {
        return switch (word.asText()) {
            case "default" -> TextNode.valueOf("standard");
            case "fast" -> TextNode.valueOf("priority");
            case "auto" -> MissingNode.getInstance();
            default -> word;
        };
    }
}

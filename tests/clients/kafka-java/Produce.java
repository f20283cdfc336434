import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What a service on the JVM does through Apache Kafka's own client: produce lines, with its defaults and in each other
 * way. The address, the topics and the lines come from the environment; how many were acknowledged leaves as JSON.
 */
public class Produce {
    public static void main(String[] arguments) throws Exception {
        Map<String, Map<String, Object>> ways = new LinkedHashMap<>();
        ways.put("defaults", Map.of());
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            ways.put(codec, Map.of("compression.type", codec, "enable.idempotence", true));
        }
        ways.put("plain", Map.of("enable.idempotence", false));
        ways.put("unanswered", Map.of("enable.idempotence", false, "acks", "0"));
        List<String> lines = Files.readAllLines(Path.of(System.getenv("KAFKA_LINES")), StandardCharsets.UTF_8);
        Map<String, Integer> answer = new LinkedHashMap<>();
        for (Map.Entry<String, Map<String, Object>> way : ways.entrySet()) {
            String topic = System.getenv("KAFKA_TOPIC") + "." + way.getKey();
            answer.put(way.getKey(), produced(topic, lines, way.getValue()));
        }
        System.out.println(answer.entrySet().stream()
            .map(entry -> "\"" + entry.getKey() + "\": " + entry.getValue())
            .collect(Collectors.joining(", ", "{", "}")));
    }

    static int produced(String topic, List<String> lines, Map<String, Object> options) throws Exception {
        Map<String, Object> config = new LinkedHashMap<>(options);
        config.put("bootstrap.servers", System.getenv("KAFKA_ADDRESS"));
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        try {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (String line : lines) {
                String[] parts = line.split("\t", 2);
                sent.add(producer.send(new ProducerRecord<>(topic, bytes(parts[0]), bytes(parts[1]))));
            }
            for (Future<RecordMetadata> future : sent) {
                future.get(60, TimeUnit.SECONDS);
            }
            return sent.size();
        } finally {
            producer.close(Duration.ofSeconds(10));
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}

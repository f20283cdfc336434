// What a service in Go does through franz-go: produce lines to the broker, with its defaults and in each other way.
// The address, the topics and the lines come from the environment; how many were acknowledged leaves as one JSON document.
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var ways = map[string][]kgo.Opt{
	"defaults": {},
	"none":     {kgo.ProducerBatchCompression(kgo.NoCompression())},
	"gzip":     {kgo.ProducerBatchCompression(kgo.GzipCompression())},
	"snappy":   {kgo.ProducerBatchCompression(kgo.SnappyCompression())},
	"lz4":      {kgo.ProducerBatchCompression(kgo.Lz4Compression())},
	"zstd":     {kgo.ProducerBatchCompression(kgo.ZstdCompression())},
	"plain":    {kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite()},
	"unanswered": {
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.NoAck()),
	},
}

func produced(topic string, lines []string, options []kgo.Opt) int {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Getenv("KAFKA_ADDRESS")))...)
	if err != nil {
		panic(err)
	}
	defer client.Close()
	patience, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	records := make([]*kgo.Record, 0, len(lines))
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "\t")
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)})
	}
	results := client.ProduceSync(patience, records...)
	if err := results.FirstErr(); err != nil {
		panic(err)
	}
	return len(results)
}

func main() {
	text, err := os.ReadFile(os.Getenv("KAFKA_LINES"))
	if err != nil {
		panic(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	answer := map[string]int{}
	for way, options := range ways {
		answer[way] = produced(os.Getenv("KAFKA_TOPIC")+"."+way, lines, options)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		panic(err)
	}
}

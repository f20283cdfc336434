// What a service in Go does without an SDK of ours: make usage events of providers' responses and send them to Kafka.
// Where to send, the calls and who made them come from the environment; how many were acknowledged leaves as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Call is what a service knows after a call: whom it asked for what, and the answer.
type Call struct {
	Provider string          `json:"provider"`
	Model    string          `json:"model"`
	Response json.RawMessage `json:"response"`
}

func main() {
	text, err := os.ReadFile(os.Getenv("USAGE_CALLS"))
	check(err)
	var records []*kgo.Record
	for line := range bytes.Lines(text) {
		for _, event := range events(line) {
			records = append(records, record(event))
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("KAFKA_ADDRESS")))
	check(err)
	defer client.Close()
	patience, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	// The client waits for all replicas and sends again by itself what was not acknowledged.
	results := client.ProduceSync(patience, records...)
	check(results.FirstErr())
	check(json.NewEncoder(os.Stdout).Encode(map[string]int{"sent": len(results)}))
}

// events are those that a call is billed for: one, and one more for each other model that worked for it.
func events(line []byte) []*Event {
	var call Call
	check(json.Unmarshal(line, &call))
	event := newEvent(os.Getenv("USAGE_SOURCE"), os.Getenv("USAGE_TEAM"), call.Provider, call.Model)
	check(fill(event, call.Response))
	return append([]*Event{event}, event.more...)
}

// record has the event's id as its key: all revisions of an event then stand in one partition, in order.
func record(event *Event) *kgo.Record {
	value, err := json.Marshal(event)
	check(err)
	return &kgo.Record{Topic: os.Getenv("KAFKA_TOPIC"), Key: []byte(event.EventID), Value: value}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// What a service in TypeScript does without an SDK of ours: make usage events of responses and send them to Kafka.
// Where to send, the calls and who made them come from the environment; how many were acknowledged leaves as JSON.
import { readFileSync } from 'node:fs'
import { Kafka, Partitioners, logLevel } from 'kafkajs'
import { encoded, newEvent } from './event.js'
import { read } from './forms.js'

const { KAFKA_ADDRESS = '', KAFKA_TOPIC = '', USAGE_CALLS = '', USAGE_SOURCE = '', USAGE_TEAM = '' } = process.env

const lines = readFileSync(USAGE_CALLS, 'utf8').trimEnd().split('\n')
const messages = lines.flatMap((line) => {
  const { provider, model, response } = JSON.parse(line)
  return read(provider, response).map((said, number) => {
    // The model that was asked for is that of the first: the others are what other models did for it.
    const event = newEvent(USAGE_SOURCE, USAGE_TEAM, provider, number === 0 ? model : undefined, said)
    // With the event's id as its key, all revisions of an event stand in one partition, in order.
    return { key: event.event_id, value: encoded(event) }
  })
})

// The partitioner is the default one; naming it keeps kafkajs from warning that it changed.
const kafka = new Kafka({ brokers: [KAFKA_ADDRESS], logLevel: logLevel.NOTHING })
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
await producer.connect()
try {
  // Waits for all replicas, sends again by itself what was not acknowledged, and else throws.
  await producer.send({ topic: KAFKA_TOPIC, messages })
} finally {
  await producer.disconnect()
}
console.log(JSON.stringify({ sent: messages.length }))

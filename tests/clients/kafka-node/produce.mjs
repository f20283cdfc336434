// What a service on Node does through kafkajs: produce lines to the broker, with its defaults and in each other way.
// The address, the topics and the lines come from the environment; how many were acknowledged leaves as one JSON document.
import { readFileSync } from 'node:fs'
import { compress, decompress, init } from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs'
import SnappyCodec from 'kafkajs-snappy'
import lz4 from 'lz4-napi'

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs
const { env } = process

// kafkajs brings gzip alone; the others are plugged in as its page says.
await init()
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(decompress(buffer)),
})

const idempotent = { idempotent: true, maxInFlightRequests: 1 }
const ways = {
  defaults: [{}, undefined],
  none: [idempotent, CompressionTypes.None],
  gzip: [idempotent, CompressionTypes.GZIP],
  snappy: [idempotent, CompressionTypes.Snappy],
  lz4: [idempotent, CompressionTypes.LZ4],
  zstd: [idempotent, CompressionTypes.ZSTD],
  plain: [{ idempotent: false }, CompressionTypes.None],
  unanswered: [{ idempotent: false }, CompressionTypes.None, 0],
}
const lines = readFileSync(env.KAFKA_LINES, 'utf8').trimEnd().split('\n')
const messages = lines.map((line) => {
  const tab = line.indexOf('\t')
  return { key: line.slice(0, tab), value: line.slice(tab + 1) }
})

// The partitioner is the default one; naming it keeps kafkajs from warning that it changed.
const kafka = new Kafka({ brokers: [env.KAFKA_ADDRESS], logLevel: logLevel.NOTHING })
const produced = async (topic, [options, compression, acks]) => {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options })
  try {
    await producer.connect()
    const given = Object.entries({ compression, acks }).filter(([, value]) => value !== undefined)
    const acknowledged = await producer.send({ topic, messages, ...Object.fromEntries(given) })
    if (acks !== 0 && acknowledged.some(({ errorCode }) => errorCode !== 0)) {
      throw new Error(JSON.stringify(acknowledged))
    }
    return messages.length
  } finally {
    await producer.disconnect()
  }
}

const answer = {}
for (const [way, options] of Object.entries(ways)) {
  answer[way] = await produced(`${env.KAFKA_TOPIC}.${way}`, options)
}
console.log(JSON.stringify(answer))

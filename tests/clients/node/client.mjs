// What an application does through @clickhouse/client with its defaults: look around, ask with parameters, stream, insert.
// The store and the values come from the environment; the answers leave as one JSON document, which the test compares.
import { createClient, ClickHouseLogLevel } from '@clickhouse/client'

const { env } = process
const client = createClient({
  url: `http://${env.STORE_HOST}:${env.STORE_PORT}`,
  username: env.STORE_USER,
  password: env.STORE_PASSWORD,
  database: 'spendstream',
  log: { level: ClickHouseLogLevel.OFF },
})
const compressed = createClient({
  url: `http://${env.STORE_HOST}:${env.STORE_PORT}`,
  database: 'spendstream',
  session_id: 'a session',
  compression: { request: true, response: true },
})

const rows = async (query, query_params) =>
  (await client.query({ query, query_params, format: 'JSONEachRow' })).json()

const described = async (attempt) => {
  try {
    await attempt()
  } catch (error) {
    return { type: error.constructor.name, code: Number(error.code) }
  }
  throw new Error('it did not fail')
}

const columns = `toString(number) AS number, toString(cost) AS cost, toString(day) AS day, toString(at) AS at, tags, note`
const stored = `SELECT text, ${columns} FROM samples WHERE id = {id:UInt64} AND text = {text:String}`
const given =
  `SELECT {text:String} AS text, toString({number:Int64}) AS number, toString({cost:Decimal(38, 12)}) AS cost, ` +
  `toString({day:Date}) AS day, toString({at:DateTime64(6, 'UTC')}) AS at, {tags:Array(String)} AS tags, ` +
  `{note:Nullable(String)} AS note`
const tags = [env.SAMPLE_TEXT, 'plain']

const page = async () => {
  const found = await client.query({ query: 'SELECT number FROM numbers(300000)', format: 'JSONCompactEachRow' })
  let [count, sum] = [0, 0]
  for await (const piece of found.stream()) {
    for (const row of piece) {
      count += 1
      sum += Number(row.json()[0])
    }
  }
  return { count, sum: String(sum) }
}

const insert = () =>
  client.insert({
    table: 'samples',
    values: [
      {
        id: '3',
        text: env.SAMPLE_TEXT,
        number: env.SAMPLE_NUMBER,
        cost: env.SAMPLE_COST,
        day: env.SAMPLE_DAY,
        at: env.SAMPLE_AT,
        tags,
        note: null,
      },
    ],
    format: 'JSONEachRow',
  })

if (!(await client.ping()).success || !(await client.ping({ select: true })).success) throw new Error('no ping')
const answer = {
  version: (await rows('SELECT version() AS version'))[0].version,
  databases: (await rows('SHOW DATABASES')).map((row) => row.name),
  tables: (await rows('SHOW TABLES FROM spendstream')).map((row) => row.name),
  columns: (await rows('DESCRIBE TABLE spendstream.samples')).map((row) => [row.name, row.type]),
  parameters: (
    await rows(given, {
      text: env.SAMPLE_TEXT,
      number: env.SAMPLE_NUMBER,
      cost: env.SAMPLE_COST,
      day: env.SAMPLE_DAY,
      at: env.SAMPLE_AT,
      tags,
      note: null,
    })
  )[0],
  row: (await rows(stored, { id: 1, text: env.SAMPLE_TEXT }))[0],
  page: await page(),
  error: await described(() => rows('SELECT * FROM nothing_here')),
  broken: await described(() =>
    rows(`SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1`),
  ),
  json: (await (await compressed.query({ query: 'SELECT 7 AS seven' })).json()).data,
}
if (env.STORE_PASSWORD) await insert()
else answer.refused = await described(insert)
await Promise.all([client.close(), compressed.close()])
console.log(JSON.stringify(answer))

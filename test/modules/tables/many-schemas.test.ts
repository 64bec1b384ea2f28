import { must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { jsonTextsOf } from '../../json-texts.ts'

const COLUMNS = 500
const SCHEMAS = 40
const AT_ONCE = 20
const REST = '/iceberg/v1/namespaces/default/tables'

let service: TestService

beforeAll(async () => {
  service = await startTestService()
  const columns = Array.from({ length: COLUMNS }, (_, i) => ({ name: `column_${i}`, type: 'long' }))
  await must(post(service, '/v1/tables', { name: 'wide', schema: { columns } }), 201)
  const updates = Array.from({ length: SCHEMAS }, (_, number) => {
    const fields = columns.map(({ name, type }, i) => {
      const shown = i === 0 ? `first_${number}` : name
      return { id: i + 1, name: shown, type, required: false }
    })
    return { action: 'add-schema', schema: { type: 'struct', fields } }
  })
  for (let i = 0; i < SCHEMAS; i += AT_ONCE) {
    const request = { requirements: [], updates: updates.slice(i, i + AT_ONCE) }
    await must(post(service, `${REST}/wide`, request), 200)
  }
})
afterAll(() => service.close())

/** The body in bytes, not parsed: only the work of the service counts. */
async function send(path: string, body?: unknown): Promise<Buffer> {
  const headers = { 'Content-Type': 'application/json' }
  const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(service.url + path, init)
  expect(response.ok).toBe(true)
  return Buffer.from(await response.arrayBuffer())
}

/** Characters of JSON that are parsed or written until the work is done. */
async function jsonLengthOf(work: () => Promise<unknown>): Promise<number> {
  const { parsed, written } = await jsonTextsOf(work)
  return parsed + written
}

const setProperty = (value: string) =>
  send(`${REST}/wide`, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: { note: value } }],
  })

test('a small change of a long definition parses and writes what it changes', async () => {
  await setProperty('first')
  const whole = (await send(`${REST}/wide`)).length
  expect(whole).toBeGreaterThan(COLUMNS * SCHEMAS * 50)
  const bounds = {
    'a property': await jsonLengthOf(() => setProperty('second')),
    'a load after it': await jsonLengthOf(() => send(`${REST}/wide`)),
    'a column': await jsonLengthOf(() =>
      send(`${REST}/wide`, {
        requirements: [],
        updates: [{ action: 'set-current-schema', 'schema-id': SCHEMAS - 1 }],
      }),
    ),
    'a name': await jsonLengthOf(() => send('/v1/tables/wide/rename', { name: 'wider' })),
    'a load by the new name': await jsonLengthOf(() => send(`${REST}/wider`)),
  }
  const tooLong = Object.entries(bounds).filter(([, length]) => length > whole / 10)
  expect(tooLong).toEqual([])
})

test('a long list of schemas goes out in pieces, and holds what the table has', async () => {
  const [{ table_id: id } = { table_id: '' }] = (await tables()).tables
  const answer = await fetch(`${service.url}/v1/tables/${id}/schemas`)
  expect(answer.headers.get('transfer-encoding')).toBe('chunked')
  const { schemas } = (await answer.json()) as { schemas: { columns: { name: string }[] }[] }
  expect(schemas).toHaveLength(SCHEMAS + 1)
  expect(schemas.map(({ columns }) => columns.length)).toEqual(schemas.map(() => COLUMNS))
  expect(schemas[3]?.columns[0]?.name).toBe('first_2')
})

async function tables(): Promise<{ tables: { table_id: string }[] }> {
  return JSON.parse((await send('/v1/tables')).toString())
}

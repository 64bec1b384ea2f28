import { type Answer, ask, type Json, must } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { until } from '../../lake/jobs/background.ts'
import { makeTable, rows } from '../dumps/http/dump-lab.ts'

let service: TestService
beforeAll(async () => {
  service = await startTestService()
  await makeTable(service, 'sky', [rows(100), rows(100, 100)])
})
afterAll(() => service.close())

function make(wish: object, prefer = ''): Promise<Answer> {
  const headers = { ...(prefer !== '' && { Prefer: prefer }) }
  return ask(service, '/v1/datasets', { method: 'POST', json: wish, headers })
}

/** Which formats of a dataset are there without a download. */
async function madeFormats({ table }: Json): Promise<readonly string[]> {
  const made: string[] = []
  for (const format of ['csv', 'ndjson', 'parquet', 'arrow', 'tsv', 'json', 'xml']) {
    const status = await must(
      ask(service, `/v1/tables/${table}/latest/dump/status?format=${format}`),
    )
    if (status.state === 'ready') made.push(format)
  }
  return made
}

const WISHES = [
  ['a snapshot', { source: { table: 'sky' } }],
  ['a query', { query: { source: { table: 'sky' }, filter: 'id < 50' } }],
  ['a text', { sql: 'SELECT id, name FROM sky WHERE id > 50' }],
] as const

test.each(WISHES)('formats of %s are there once it is ready', async (what, wish) => {
  const name = what.replace(' ', '-')
  const formats = ['csv', 'parquet']
  const made = await must(make({ ...wish, name, formats }), 201)
  expect([made.state, await madeFormats(made)]).toEqual(['ready', formats])
  const { headers } = await ask(service, `${made.url}/download?format=csv`)
  // A whole file is sent with its length and digest.
  expect(headers.get('content-length')).toMatch(/^\d+$/)
  // Others decide nothing: it is the same dataset, and these are made, too.
  const again = await must(make({ ...wish, name, formats: ['xml'] }), 200)
  expect([again.url, again.state]).toEqual([made.url, 'ready'])
  await until(async () => (await madeFormats(made)).includes('xml'))
  expect(await must(make({ ...wish, name }), 200)).toMatchObject({ url: made.url })
})

test('one whose formats are being made is building, and is no download yet', async () => {
  const wish = { name: 'late', source: { table: 'sky' }, formats: ['json'] }
  const accepted = await make(wish, 'respond-async')
  expect([accepted.status, accepted.body.state]).toEqual([202, 'building'])
  const { url } = accepted.body
  await until(async () => (await must(ask(service, `${url}/status`))).state === 'ready')
  expect(await must(ask(service, url))).toMatchObject({ state: 'ready', rows: 200 })
  expect(await madeFormats(accepted.body)).toEqual(['json'])
})

test('whoever asks for others meanwhile waits for all', async () => {
  const wish = { name: 'joined', source: { table: 'sky' } }
  const asked = await Promise.all(
    [['csv'], ['tsv'], ['ndjson']].map((formats) => make({ ...wish, formats })),
  )
  expect(asked.map(({ status }) => status).sort()).toEqual([200, 200, 201])
  const [dataset] = asked
  await until(async () => (await madeFormats(dataset?.body)).length === 3)
})

test('a format that cannot be made does not hold the dataset up', async () => {
  const small = await startTestService({ environment: { MORAINE_DUMP_BUDGET: '2KB' } })
  try {
    await makeTable(small, 'sky', [rows(5_000)])
    const json = { source: { table: 'sky' }, formats: ['csv'] }
    const made = await must(ask(small, '/v1/datasets', { method: 'POST', json }), 201)
    expect(made.state).toBe('ready')
    const csv = await ask(small, `${made.url}/download?format=csv`)
    expect(csv.body.type).toBe('/problems/dump-too-large')
  } finally {
    await small.close()
  }
})

test.each([
  ['an unknown one', ['csv', 'xlsx']],
  ['too many', Array.from({ length: 8 }, () => 'csv')],
  ['no list', 'csv'],
])('formats are refused: %s', async (_, formats) => {
  const { status, body } = await make({ source: { table: 'sky' }, formats })
  expect([status, body.type]).toEqual([400, '/problems/request-invalid'])
})

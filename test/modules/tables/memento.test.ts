import { ask, must, post } from '../../http/client.ts'
import { startTestService, type TestService } from '../../http/harness.ts'
import { addFile, rows } from '../dumps/http/dump-lab.ts'

const SECOND_MS = 1_000
const BEGIN_MS = Date.parse('2024-03-17T12:00:00Z')
const clock = { nowMs: BEGIN_MS }
const ids: string[] = []
let service: TestService
let uuid = ''

beforeAll(async () => {
  service = await startTestService({ ambient: { nowMs: () => clock.nowMs } })
  for (const [i, hour] of [0, 1, 2].entries()) {
    clock.nowMs = BEGIN_MS + hour * 3_600_000 + 250
    ids.push((await addFile(service, 'sky', rows(1, i))).snapshotId)
  }
  uuid = (await must(ask(service, '/v1/tables/sky'))).table_id
})
afterAll(() => service.close())

async function at(path: string, time: string | number) {
  const date = typeof time === 'number' ? new Date(time).toUTCString() : time
  const response = await fetch(service.url + path, {
    headers: { 'Accept-Datetime': date },
    redirect: 'manual',
  })
  return { status: response.status, to: response.headers.get('location') }
}

test.each([
  ['before the first', -3_600_000, 0],
  ['in the second of the first', 0, 0],
  ['a second before the next', 3_600_000 - SECOND_MS, 0],
  ['in the second of the next', 3_600_000, 1],
  ['after the last', 9_000_000, 2],
])('a time %s leads to the snapshot of then', async (_, afterMs, index) => {
  const table = await at('/v1/tables/sky', BEGIN_MS + afterMs)
  expect([table.status, table.to]).toEqual([302, `/v1/tables/${uuid}/${ids[index]}`])
  const dump = await at('/v1/tables/sky/dump?format=csv', BEGIN_MS + afterMs)
  expect(dump.status).toBe(302)
  expect(dump.to).toContain(`/v1/tables/${uuid}/${ids[index]}/dump?format=csv`)
  const { text } = await ask(service, dump.to ?? '')
  expect(text.split('\n')).toHaveLength(index + 3)
})

test('the snapshot tells when it was made, and where the others are', async () => {
  const { headers } = await ask(service, `/v1/tables/sky/${ids[1]}`)
  expect(headers.get('memento-datetime')).toBe('Sun, 17 Mar 2024 13:00:00 GMT')
  expect(headers.get('link')).toContain(`</v1/tables/${uuid}/timemap>; rel="timemap"`)
  expect((await ask(service, '/v1/tables/sky/latest')).headers.get('memento-datetime')).toBeNull()
})

test('the timemap has every snapshot with its time', async () => {
  const { headers, text } = await ask(service, '/v1/tables/sky/timemap')
  expect(headers.get('content-type')).toMatch('application/link-format')
  const mementos = [...text.matchAll(/<([^>]+)>; rel="memento"; datetime="([^"]+)"/g)]
  expect(mementos.map(([, path, date]) => [path, date])).toEqual(
    [2, 1, 0].map((i) => [
      `/v1/tables/${uuid}/${ids[i]}`,
      new Date(BEGIN_MS + i * 3_600_000).toUTCString(),
    ]),
  )
  const before = await ask(service, `/v1/tables/sky/timemap?before=${BEGIN_MS + 3_600_000}`)
  expect(before.text.match(/rel="memento"/g)).toHaveLength(1)
})

test('what is no date is refused, and a selector that is given wins', async () => {
  expect((await at('/v1/tables/sky', 'yesterday')).status).toBe(400)
  expect((await at('/v1/tables/sky/dump', 'yesterday')).status).toBe(400)
  expect((await at(`/v1/tables/sky?snapshot_id=${ids[0]}`, BEGIN_MS)).status).toBe(200)
})

test('a table without a snapshot leads to itself', async () => {
  const schema = { columns: [{ name: 'n', type: 'long' }] }
  await must(post(service, '/v1/tables', { name: 'bare', schema }), 201)
  const { status, to } = await at('/v1/tables/bare', BEGIN_MS)
  expect([status, to?.endsWith('/latest')]).toEqual([302, true])
  expect((await ask(service, to ?? '')).status).toBe(200)
})

test('what comes from where Accept-Datetime is heard says that it varies by it', async () => {
  for (const path of ['/v1/tables/sky', '/v1/tables/sky/dump?format=csv']) {
    const { headers } = await ask(service, path)
    expect([path, headers.get('vary')]).toEqual([path, expect.stringMatching(/Accept-Datetime/)])
  }
  const pinned = await ask(service, `/v1/tables/sky/${ids[0]}`)
  expect(pinned.headers.get('vary')).not.toMatch(/Accept-Datetime/)
})

import { type Answer, ask, must } from '../../http/client.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const TABLE = '/v1/tables/sky.planets'

let service: KeyedService
let reader: Caller
let other: Caller

beforeAll(async () => {
  service = await startKeyedService()
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await must(admin.send('post', '/v1/tables', { name: 'sky.planets', schema }), 201)
  const headers = { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'text/csv' }
  await must(ask(service, `${TABLE}/files`, { raw: 'id\n7\n', headers }), 201)
  reader = await service.newCaller({ [TABLE]: ['select'] })
  other = await service.newCaller({ [TABLE]: ['select'] })
})
afterAll(() => service.close())

/** The `job_url` of a dump in a format that nobody has asked for yet. */
async function askForDump({ key }: Caller, query: string): Promise<string> {
  const credential = key === '' ? {} : { Authorization: `Bearer ${key}` }
  const headers = { ...credential, Prefer: 'respond-async' }
  const { job_url } = await must(ask(service, `${TABLE}/dump?${query}`, { headers }), 202)
  return job_url
}

const of = ({ status, body }: Answer) => [status, body?.type ?? body?.state]
const FORBIDDEN = [403, '/problems/permission-denied']

test('a reader follows the job of a dump by its URL, and another reader does not', async () => {
  const job_url = await askForDump(reader, 'format=csv')
  const ended = await reader.send('get', `${job_url}&wait=30`)
  expect(of(ended)).toEqual([200, 'succeeded'])
  expect(of(await other.send('get', job_url))).toEqual(FORBIDDEN)
  expect((await service.nobody.send('get', job_url)).status).toBe(401)
  const [path = '', asker = ''] = job_url.split('?asker=')
  expect(of(await reader.send('get', path))).toEqual(FORBIDDEN)
  // Somebody else's proof is no proof.
  const forged = `${path}?asker=${asker.slice(0, -4)}0000`
  expect(of(await reader.send('get', forged))).toEqual(FORBIDDEN)
  expect(of(await reader.send('get', `/v1/jobs/none?asker=${asker}`))).toEqual(FORBIDDEN)
  await must(service.admin.send('get', path))
})

test('a reader withdraws what it asked for, and nothing that others asked for', async () => {
  const { jobs } = service.deps
  const wish = { kind: 'nobody runs it', key: 'k', input: null }
  const { job } = await jobs.submit({ ...wish, asker: reader.principal })
  await jobs.submit({ ...wish, asker: other.principal })
  const path = `/v1/jobs/${job.jobId}`
  expect(of(await reader.send('get', path))).toEqual([200, 'waiting'])
  const stranger = await service.newCaller()
  for (const method of ['get', 'delete']) {
    expect(of(await stranger.send(method, path))).toEqual(FORBIDDEN)
    const named = `${path}?asker=${reader.principal}`
    expect(of(await stranger.send(method, named))).toEqual(FORBIDDEN)
  }
  // Without `modify` it is the caller's own request, whichever one is named.
  const aimed = `${path}?asker=${other.principal}`
  expect(of(await reader.send('delete', aimed))).toEqual([200, 'waiting'])
  expect(of(await other.send('delete', path))).toEqual([200, 'cancelled'])
  expect(of(await reader.send('get', path))).toEqual([200, 'cancelled'])
})

test('whoever reads without signing in has the job by its URL alone', async () => {
  const grant = [{ principal: 'everyone', privilege: 'select' }]
  await must(service.admin.send('post', `${TABLE}/permissions`, { grant }))
  const job_url = await askForDump(service.nobody, 'format=ndjson')
  expect(of(await service.nobody.send('get', `${job_url}&wait=30`))).toEqual([200, 'succeeded'])
  const [path = ''] = job_url.split('?')
  expect((await service.nobody.send('get', path)).status).toBe(401)
})

test('what failed is told to who asked and to administrators, and to nobody else', async () => {
  const { jobs } = service.deps
  const secret = "Could not convert string 'Jane Doe' of gs://b/private.parquet"
  const submitted = async (key: string) =>
    (await jobs.submit({ kind: 'untold', key, input: null, asker: reader.principal })).job.jobId
  const [failed, made] = [await submitted('digest-of-Jane'), await submitted('digest-of-Doe')]
  for (const _ of [failed, made]) {
    const lease = { owner: 'p', kinds: ['untold'], nowMs: Date.now(), durationMs: 60_000 }
    const job = await service.deps.catalog.jobs.claim(lease)
    if (job === undefined) throw new Error('no job is left')
    const nowMs = Date.now()
    const problem = { code: 'row-invalid', detail: secret, facts: { value: 'Jane Doe' } }
    const end =
      job.jobId === failed
        ? ({ outcome: 'failed', problem, nowMs } as const)
        : ({ outcome: 'succeeded', result: { path: 'private.parquet' }, nowMs } as const)
    await service.deps.catalog.jobs.end(job, end)
  }
  const outsider = await service.newCaller({ '/v1': ['describe'] })
  const paths = [`/v1/jobs/${failed}`, `/v1/jobs/${made}`, '/v1/jobs?kind=untold']
  for (const path of paths) {
    const { text } = await outsider.send('get', path)
    expect([path, /Jane|Doe|private/.test(text)]).toEqual([path, false])
  }
  const told = await must(outsider.send('get', `/v1/jobs/${failed}`))
  expect(told).toMatchObject({
    ...{ state: 'failed', key: null, result: null },
    problem: { type: '/problems/row-invalid', facts: {} },
  })
  for (const caller of [reader, service.admin]) {
    const whole = await must(caller.send('get', `/v1/jobs/${failed}`))
    expect(whole).toMatchObject({ key: 'digest-of-Jane', problem: { detail: secret } })
  }
  expect((await service.admin.send('get', '/v1/jobs?kind=untold')).text).toContain('Jane')
})

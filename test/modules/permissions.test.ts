import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import pino from 'pino'
import {
  ALLOWS_ALL,
  type Authorizer,
  type Decision,
  type Target,
} from '../../src/http/authorizer.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { defineRoute, type Route } from '../../src/http/route.ts'
import { createApp } from '../../src/http/serve/app.ts'
import { plainDialect } from '../../src/http/serve/plain-dialect.ts'
import { dialectsOf, documentedDialects, listModules } from '../../src/modules.ts'
import { type Answer, ask, must } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'
import { type Expected, ids } from './asked-permissions.ts'
import { ALL_EXPECTED } from './asked-permissions-all.ts'
import { addEmptySnapshot, DATASETS } from './asked-permissions-datasets.ts'
import { ICEBERG_EXPECTED } from './asked-permissions-iceberg.ts'

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/** Decides as it was told to, and records every question. */
class SpyAuthorizer implements Authorizer {
  asked: string[] = []
  decide: (target: Target) => Decision | Promise<Decision> = () => 'allowed'

  policyOn() {
    return undefined
  }

  authorize(...[principal, privilege, target]: Parameters<Authorizer['authorize']>) {
    expect(principal).toEqual({ kind: 'anonymous' })
    const asked = [privilege, target.on, nameOf(target)].filter((part) => part !== '').join(' ')
    // Once it is found, a table or view that was asked for by its name is asked for by its id.
    const isNamed = this.asked.some((each) => each.startsWith(`${privilege} ${target.on} `))
    if (!(isNamed && isId(target))) this.asked.push(asked)
    return this.decide(target)
  }

  visibilityOf = ALLOWS_ALL.visibilityOf
  readersOf = ALLOWS_ALL.readersOf
  requirePaths = ALLOWS_ALL.requirePaths
}

function isId({ on, name }: Target): boolean {
  return (on === 'table' || on === 'view') && typeof name === 'string' && UUID.test(name)
}

function nameOf({ name }: Target): string {
  if (name === undefined) return ''
  if (typeof name === 'string') return name
  return 'namespace' in name ? `${name.namespace.join('.')}.${name.name}` : `[${name.join('.')}]`
}

interface Face {
  readonly url: string
  close(): Promise<void>
}

async function openFace(
  options: Omit<Parameters<typeof createApp>[0], 'metrics' | 'answersOnce'>,
): Promise<Face> {
  const { ambient, catalog } = service.deps
  const answersOnce = { ...ambient, replays: catalog.replays }
  const app = createApp({ metrics: new Metrics(), answersOnce, ...options })
  const server: Server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const silent = pino({ level: 'silent' })
const spy = new SpyAuthorizer()
let service: TestService
let face: Face
beforeAll(async () => {
  service = await startTestService()
  face = await openFace({
    ...{ dialects: dialectsOf(listModules(service.deps)), log: silent },
    ...{ authorizer: spy, isPermissionEnforced: true },
  })
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const table = { name: 'planets', namespace: 'sky', schema }
  ids.tableUuid = (await must(send('post', '/v1/tables', table), 201)).table_id
  const queries = [{ dialect: 'duckdb', sql: 'SELECT 1 AS one' }]
  const columns = [{ name: 'one', type: 'long' }]
  const view = { name: 'bright', namespace: 'sky', queries, schema: { columns } }
  await must(send('post', '/v1/views', view), 201)
  for (const name of ['open', 'staged', 'aborted'] as const) {
    const started = await must(send('post', '/v1/transactions/start', {}), 201)
    ids[name] = started.transaction_id
  }
  const staged = { transaction_id: ids.staged }
  await must(send('post', '/v1/tables/sky.planets/files/truncate', staged))
  await addEmptySnapshot(face)
  for (const name of DATASETS) {
    await must(send('post', '/v1/datasets', { name, source: { table: 'sky.planets' } }), 201)
  }
  const { job } = await service.deps.jobs.submit({ kind: 'nobody runs it', key: 'k', input: null })
  ids.job = job.jobId
})
afterAll(async () => {
  await face.close()
  await service.close()
})
beforeEach(() => {
  spy.asked = []
  spy.decide = () => 'allowed'
})

function send(method: string, path: string, json?: object): Promise<Answer> {
  return ask(face, path, { method: method.toUpperCase(), ...(json !== undefined && { json }) })
}

const ROUTES: readonly (readonly [string, Route])[] = documentedDialects().flatMap(({ routes }) =>
  routes.map((route) => [route.operationId, route] as const),
)

function request({ operationId, method }: Route): Promise<Answer> {
  const { path, json } = ALL_EXPECTED[operationId] as Expected
  const filled = path.replace(/\{(\w+)\}/, (_, id) => ids[id as keyof typeof ids])
  return send(method, filled, typeof json === 'function' ? json() : json)
}

function questionsOf({ operationId }: Route): readonly string[] {
  const { asks } = ALL_EXPECTED[operationId] as Expected
  return typeof asks === 'function' ? asks() : asks
}

test('every route has its row here, and every row its route', () => {
  const routes = ROUTES.map(([operationId]) => operationId)
  expect(Object.keys(ALL_EXPECTED).sort()).toEqual([...routes].sort())
})

test.each(ROUTES)('%s answers 403 to who may not, and does nothing', async (_, route) => {
  spy.decide = () => 'denied'
  const [first] = questionsOf(route)
  const { status, body } = await request(route)
  expect(spy.asked).toEqual(first === undefined ? [] : [first])
  const { refusedWith } = ALL_EXPECTED[route.operationId] as Expected
  if (refusedWith !== undefined) expect(status).toBe(refusedWith)
  else if (first === undefined) expect(status).toBeLessThan(400)
  else expect(status).toBe(403)
  if (first !== undefined && route.method !== 'head') {
    expect(body).toMatchObject(refusalOf(route, first))
  }
})

/** As each of the two faces says it. */
function refusalOf({ operationId }: Route, question: string): object {
  if (operationId in ICEBERG_EXPECTED) return { error: { code: 403, type: 'ForbiddenException' } }
  const [privilege, on] = question.split(' ')
  return { status: 403, type: '/problems/permission-denied', privilege, on }
}

const THERE = /^\S+ (?:table|view) sky\.(?:planets|bright|fading)$/
const NEEDS_ACCESS = /Polic|Permission/
/** Those that find it, in a service where nobody signs in. */
const NAMING = ROUTES.filter(([operationId, route]) => {
  return !NEEDS_ACCESS.test(operationId) && questionsOf(route).some((each) => THERE.test(each))
})

test.each(NAMING)('%s asks again for what it has found by a name', async (_, route) => {
  spy.decide = (target) => (isId(target) ? 'hidden' : 'allowed')
  const { status } = await request(route)
  expect(status).toBe(404)
})

test.each(ROUTES)('%s asks for what it is about, and for nothing else', async (_, route) => {
  const { status, text } = await request(route)
  expect(spy.asked).toEqual(questionsOf(route))
  expect([status < 500, text]).toEqual([true, text])
})

test.each([
  ['files', { files: [{ path: 'file:///nowhere.parquet' }] }],
  ['files/remove', { files: [{ path: 'file:///nowhere.parquet' }] }],
  ['files/truncate', {}],
])('what POST %s stages is asked for on its transaction, too', async (path, body) => {
  spy.decide = ({ on }) => (on === 'transaction' ? 'denied' : 'allowed')
  const json = { ...body, transaction_id: ids.open }
  expect((await send('post', `/v1/tables/sky.planets/${path}`, json)).status).toBe(403)
  expect(spy.asked).toEqual(['modify table sky.planets', `modify transaction ${ids.open}`])
})

test('an upload into a transaction asks for that, too', async () => {
  spy.decide = ({ on }) => (on === 'transaction' ? 'denied' : 'allowed')
  const address = `/v1/tables/sky.planets/files?transaction_id=${ids.open}`
  const raw = 'id\n1\n'
  const refused = await ask(face, address, { raw, headers: { 'Content-Type': 'text/csv' } })
  expect(refused.status).toBe(403)
})

test('a privilege that is missing on one table of many keeps all of a commit back', async () => {
  const started = await must(send('post', '/v1/transactions/start', {}), 201)
  const { transaction_id } = started
  await must(send('post', '/v1/tables/sky.planets/files/truncate', { transaction_id }))
  spy.decide = async ({ on }) => (on === 'table' ? 'denied' : 'allowed')
  const refused = await send('post', '/v1/transactions/commit', { transaction_id })
  expect(refused.body).toMatchObject({ status: 403, on: 'table', privilege: 'modify' })
  const { state } = await must(send('get', `/v1/transactions/${transaction_id}`))
  expect(state).toBe('open')
})

test('who is let in after a refusal may repeat the request with its key', async () => {
  const started = await must(send('post', '/v1/transactions/start', {}), 201)
  const repeat = (denied: Decision) => {
    spy.decide = () => denied
    const json = { transaction_id: started.transaction_id }
    const headers = { 'Idempotency-Key': 'refused, then let in' }
    return ask(face, '/v1/transactions/abort', { json, headers })
  }
  expect((await repeat('denied')).status).toBe(403)
  expect((await repeat('allowed')).status).toBe(200)
})

describe('a route that answers without having asked', () => {
  const forgetful = defineRoute(
    {
      ...{ method: 'get', path: '/forgetful', operationId: 'forgetful' },
      tag: { name: 'tests', description: '' },
      permission: 'in-use-case',
      summary: 'Forgets to ask',
      ...{ answers: [], problems: [] },
    },
    () => ({ status: 200, mediaType: 'text/plain', body: 'fine' }),
  )
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const answerOf = async (isPermissionEnforced: boolean): Promise<number> => {
    const log = pino(sink)
    const forgetting = await openFace({
      ...{ dialects: [plainDialect([forgetful])], log, isPermissionEnforced },
    })
    const { status } = await fetch(`${forgetting.url}/forgetful`)
    await forgetting.close()
    return status
  }

  test('is a 500 in tests', async () => {
    expect(await answerOf(true)).toBe(500)
  })

  test('is a line of the log elsewhere', async () => {
    lines.length = 0
    expect(await answerOf(false)).toBe(200)
    expect(lines.join('')).toMatch(/"operationId":"forgetful".*without checking a permission/)
  })
})

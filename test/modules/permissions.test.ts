import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import pino from 'pino'
import type { Authorizer, Decision, Target } from '../../src/http/authorizer.ts'
import { Metrics } from '../../src/http/metrics.ts'
import { defineRoute, type Route } from '../../src/http/route.ts'
import { createApp } from '../../src/http/serve/app.ts'
import { plainDialect } from '../../src/http/serve/plain-dialect.ts'
import { dialectsOf, documentedRoutes, listModules } from '../../src/modules.ts'
import { type Answer, ask, must } from '../http/client.ts'
import { startTestService, type TestService } from '../http/harness.ts'

/** Answers what it is told to, and remembers every question. */
class SpyAuthorizer implements Authorizer {
  asked: string[] = []
  decide: (target: Target) => Decision | Promise<Decision> = () => 'allowed'

  authorize(...[principal, privilege, target]: Parameters<Authorizer['authorize']>) {
    expect(principal).toEqual({ kind: 'anonymous' })
    this.asked.push([privilege, target.on, nameOf(target)].filter((part) => part !== '').join(' '))
    return this.decide(target)
  }
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
/** What requests mention that is not known before. */
const ids = { tableUuid: '', open: '', staged: '', aborted: '' }

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

interface Expected {
  /** With the fixed text of `ids` in braces. */
  readonly path: string
  readonly json?: object | (() => object)
  /** One or several questions, in order; none of a public route. */
  readonly asks: readonly string[] | (() => readonly string[])
}

const QUERIES = [{ dialect: 'duckdb', sql: 'SELECT 2 AS one' }]
const TABLE = '/v1/tables/sky.planets'
const NOBODY = 'no.body'
const ofTransaction = (id: keyof typeof ids) => () => ({ transaction_id: ids[id] })

/** By operation: one request, and what the authorizer is asked for it. */
const EXPECTED: Readonly<Record<string, Expected>> = {
  home: { path: '/', asks: [] },
  health: { path: '/health', asks: [] },
  ready: { path: '/ready', asks: [] },
  metrics: { path: '/metrics', asks: ['describe catalog'] },
  openapi: { path: '/openapi.yaml', asks: [] },
  docs: { path: '/docs', asks: [] },
  explainProblem: { path: '/problems/internal', asks: [] },

  createTable: {
    path: '/v1/tables',
    json: { name: 'sky.moons', schema: { columns: [{ name: 'id', type: 'long' }] } },
    asks: ['create namespace [sky]'],
  },
  listTables: { path: '/v1/tables?namespace=sky.far', asks: ['describe namespace [sky.far]'] },
  readTable: { path: TABLE, asks: ['select table sky.planets'] },
  readSnapshot: { path: `${TABLE}/latest`, asks: ['select table sky.planets'] },
  listSnapshots: { path: `${TABLE}/snapshots`, asks: ['describe table sky.planets'] },
  listSchemas: { path: `${TABLE}/schemas`, asks: ['describe table sky.planets'] },
  listViewSchemas: {
    path: '/v1/views/sky.planets/schemas',
    asks: ['describe table sky.planets'],
  },
  evolveSchema: {
    path: `${TABLE}/schemas`,
    json: { changes: [{ op: 'add', column: { name: 'mass', type: 'double' } }] },
    asks: ['modify table sky.planets'],
  },
  evolveViewSchema: {
    path: '/v1/views/sky.planets/schemas',
    json: { changes: [{ op: 'add', column: { name: 'size', type: 'double' } }] },
    asks: ['modify table sky.planets'],
  },
  describeTable: {
    path: `${TABLE}/metadata`,
    json: { steward: 'observatory' },
    asks: ['modify table sky.planets'],
  },
  rollbackTable: {
    path: `${TABLE}/rollback`,
    json: { snapshot_id: '1' },
    asks: ['modify table sky.planets'],
  },
  cloneTable: {
    path: `${TABLE}/clone`,
    json: { name: 'twins', namespace: 'sky.copies' },
    asks: ['select table sky.planets', 'create namespace [sky.copies]'],
  },
  dropTable: { path: `/v1/tables/${NOBODY}`, asks: [`own table ${NOBODY}`] },

  createView: {
    path: '/v1/views',
    json: {
      ...{ name: 'dim', namespace: 'sky', queries: QUERIES },
      schema: { columns: [{ name: 'one', type: 'long' }] },
    },
    asks: ['create namespace [sky]'],
  },
  listViews: { path: '/v1/views', asks: ['describe namespace [default]'] },
  getView: { path: '/v1/views/sky.bright', asks: ['select view sky.bright'] },
  replaceView: {
    path: '/v1/views/sky.bright',
    json: { queries: QUERIES },
    asks: ['modify view sky.bright'],
  },
  dropView: { path: `/v1/views/${NOBODY}`, asks: [`own view ${NOBODY}`] },

  stageFiles: {
    path: `${TABLE}/files`,
    json: { files: [{ path: 'file:///nowhere.parquet' }] },
    asks: ['modify table sky.planets'],
  },
  removeFiles: {
    path: `${TABLE}/files/remove`,
    json: { files: [{ path: 'file:///nowhere.parquet' }] },
    asks: ['modify table sky.planets'],
  },
  truncateTable: { path: `${TABLE}/files/truncate`, asks: ['modify table sky.planets'] },
  startTransaction: {
    path: '/v1/transactions/start',
    json: { tables: ['sky.planets'] },
    asks: ['modify table sky.planets'],
  },
  commitTransaction: {
    path: '/v1/transactions/commit',
    json: ofTransaction('staged'),
    asks: () => [`modify transaction ${ids.staged}`, `modify table ${ids.tableUuid}`],
  },
  abortTransaction: {
    path: '/v1/transactions/abort',
    json: ofTransaction('aborted'),
    asks: () => [`modify transaction ${ids.aborted}`],
  },
  viewTransaction: {
    path: '/v1/transactions/{open}',
    asks: () => [`describe transaction ${ids.open}`],
  },

  dumpTable: { path: `${TABLE}/dump?format=csv`, asks: ['select table sky.planets'] },
  dumpSnapshot: { path: `${TABLE}/latest/dump?format=csv`, asks: ['select table sky.planets'] },
  digestDump: { path: `${TABLE}/dump.sha256?format=csv`, asks: ['select table sky.planets'] },
  digestSnapshotDump: {
    path: `${TABLE}/latest/dump.sha256?format=csv`,
    asks: ['select table sky.planets'],
  },
  dumpStatus: { path: `${TABLE}/dump/status?format=csv`, asks: ['select table sky.planets'] },
  snapshotDumpStatus: {
    path: `${TABLE}/latest/dump/status?format=csv`,
    asks: ['select table sky.planets'],
  },
  ckanDump: {
    path: '/datastore/dump/sky.planets?format=csv',
    asks: ['select table sky.planets'],
  },
}

const ROUTES: readonly (readonly [string, Route])[] = documentedRoutes().map((route) => [
  route.operationId,
  route,
])

function request({ operationId, method }: Route): Promise<Answer> {
  const { path, json } = EXPECTED[operationId] as Expected
  const filled = path.replace(/\{(\w+)\}/, (_, id) => ids[id as keyof typeof ids])
  return send(method, filled, typeof json === 'function' ? json() : json)
}

function questionsOf({ operationId }: Route): readonly string[] {
  const { asks } = EXPECTED[operationId] as Expected
  return typeof asks === 'function' ? asks() : asks
}

test('every route has its row here, and every row its route', () => {
  const routes = ROUTES.map(([operationId]) => operationId)
  expect(Object.keys(EXPECTED).sort()).toEqual([...routes].sort())
})

test.each(ROUTES)('%s answers 403 to who may not, and does nothing', async (_, route) => {
  spy.decide = () => 'denied'
  const [first] = questionsOf(route)
  const { status, body } = await request(route)
  expect(spy.asked).toEqual(first === undefined ? [] : [first])
  if (first === undefined) expect(status).toBeLessThan(400)
  else {
    const [privilege, on] = first.split(' ')
    expect(body).toMatchObject({ status: 403, type: '/problems/permission-denied', privilege, on })
  }
})

test.each(ROUTES)('%s asks for what it is about, and for nothing else', async (_, route) => {
  const { status, text } = await request(route)
  expect(spy.asked).toEqual(questionsOf(route))
  expect([status < 500, text]).toEqual([true, text])
})

test('a privilege that is missing on one table of many keeps all of a commit back', async () => {
  const started = await must(send('post', '/v1/transactions/start', {}), 201)
  const { transaction_id } = started
  await must(send('post', `${TABLE}/files/truncate`, { transaction_id }))
  spy.decide = async ({ on }) => (on === 'table' ? 'denied' : 'allowed')
  const refused = await send('post', '/v1/transactions/commit', { transaction_id })
  expect(refused.body).toMatchObject({ status: 403, on: 'table', privilege: 'modify' })
  const { state } = await must(send('get', `/v1/transactions/${transaction_id}`))
  expect(state).toBe('open')
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
    expect(lines.join('')).toMatch(/"operationId":"forgetful".*without asking for a permission/)
  })
})

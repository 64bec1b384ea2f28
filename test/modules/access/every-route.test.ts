import { includes, type Privilege } from '../../../src/core/access/privilege.ts'
import type { Route } from '../../../src/http/route.ts'
import { documentedDialects } from '../../../src/modules.ts'
import { must } from '../../http/client.ts'
import { type Expected, ids } from '../asked-permissions.ts'
import { ALL_EXPECTED } from '../asked-permissions-all.ts'
import { addEmptySnapshot, DATASETS } from '../asked-permissions-datasets.ts'
import { type Caller, type KeyedService, startKeyedService } from './keyed-service.ts'

const LEVELS = ['describe', 'select', 'modify', 'own'] as const
const ROUTES: readonly (readonly [string, Route])[] = documentedDialects().flatMap(({ routes }) =>
  routes.map((route) => [route.operationId, route] as const),
)

const DROPS = ['Table', 'View', 'Namespace'].flatMap((kind) => [
  ...[`drop${kind}`, `icebergDrop${kind}`],
])

let service: KeyedService
/** Whether the request before may have changed something: what is refused changes nothing. */
let isSpoilt = false
const callers = new Map<string, Caller>()

/** Things of the same names as in the rows, which each caller may spoil for the next. */
async function remakeThings(): Promise<void> {
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  const found = await admin.send('get', '/v1/tables/sky.planets')
  if (found.status === 404) {
    await must(admin.send('post', '/v1/tables', { name: 'planets', namespace: 'sky', schema }), 201)
  }
  ids.tableUuid = (await must(admin.send('get', '/v1/tables/sky.planets'))).table_id
  const bright = await admin.send('get', '/v1/views/sky.bright')
  if (bright.status === 404) await must(admin.send('post', '/v1/views', viewOf('bright')), 201)
  for (const name of ['open', 'staged', 'aborted'] as const) {
    ids[name] = (await must(admin.send('post', '/v1/transactions/start', {}), 201)).transaction_id
  }
}

function viewOf(name: string) {
  return {
    ...{ name, namespace: 'sky', queries: [{ dialect: 'duckdb', sql: 'SELECT 1 AS one' }] },
    schema: { columns: [{ name: 'one', type: 'long' }] },
  }
}

/** Only its owner ends or publishes one, who comes last, so that they are made once. */
async function makeWhatIsAskedFor(): Promise<void> {
  const { admin, deps } = service
  await addEmptySnapshot(service, admin.key)
  for (const name of DATASETS) {
    await must(admin.send('post', '/v1/datasets', { name, source: { table: 'sky.planets' } }), 201)
  }
  // Of somebody else.
  const wish = { kind: 'nobody runs it', key: 'k', input: null, asker: admin.principal }
  ids.job = (await deps.jobs.submit(wish)).job.jobId
}

/** What routes that drop something may drop. */
async function makeWhatGoes(): Promise<void> {
  const { admin } = service
  const schema = { columns: [{ name: 'id', type: 'long' }] }
  await admin.send('post', '/v1/tables', { name: 'doomed', namespace: 'sky', schema })
  await admin.send('post', '/v1/views', viewOf('fading'))
  await admin.send('post', '/v1/namespaces', { name: 'sky.ebb' })
}

beforeAll(async () => {
  service = await startKeyedService()
  await remakeThings()
  await makeWhatIsAskedFor()
  // On the namespace, so that it is the catalog that they lack.
  for (const level of LEVELS) {
    callers.set(level, await service.newCaller({ '/v1/namespaces/sky': [level] }))
  }
  callers.set('none', await service.newCaller())
  callers.set('anonymous', service.nobody)
})
afterAll(() => service.close())

function send(caller: Caller, { operationId, method }: Route) {
  const { path, json } = ALL_EXPECTED[operationId] as Expected
  const filled = path.replace(/\{(\w+)\}/, (_, id) => ids[id as keyof typeof ids])
  return caller.send(method, filled, typeof json === 'function' ? json() : json)
}

/** Whether one who has the level on the namespace `sky` has what is asked for. */
function has(level: Privilege, question: string): boolean {
  const [privilege, on, name = ''] = question.split(' ') as [Privilege, string, string]
  if (on === 'namespace' && name === '[]') return privilege === 'describe'
  const isInSky = /^(?:\[sky(?:\.\w+)*\]|sky\..*)$/.test(name) || name === ids.tableUuid
  return isInSky && includes(level, privilege)
}

function questionsOf({ operationId }: Route): readonly string[] {
  const { asks } = ALL_EXPECTED[operationId] as Expected
  return typeof asks === 'function' ? asks() : asks
}

/** The first question that ends in a refusal, also because nothing is there. */
function missingFor(level: string, route: Route): string | undefined {
  // Without `modify` it lends credentials that only read.
  const isLent = route.operationId === 'icebergLoadCredentials'
  return questionsOf(route)
    .slice(0, isLent ? 1 : undefined)
    .find((asked) => {
      const isNothing = /^\w+ (?:table|view) /.test(asked) && !isThere(asked.split(' ')[2] ?? '')
      if (level === 'anonymous' || isNothing) return true
      if (level === 'none') return asked !== 'describe namespace []'
      return !has(level as Privilege, asked)
    })
}

/** By status of the refusal; both faces say the same in their own words. */
function refusalOf(level: string, missing: string): number {
  if (level === 'anonymous') return 401
  const [, on, name = ''] = missing.split(' ')
  // Nobody is told whether what they may not make is there.
  if (on === 'catalog' || /^create namespace/.test(missing)) return 403
  return isThere(name) && level !== 'none' ? 403 : 404
}

function isThere(name: string): boolean {
  const isNamed = /^(?:sky\.(?:planets|bright|doomed|fading)|\[sky(?:\.ebb)?\])$/.test(name)
  return isNamed || name === ids.tableUuid
}

test('every route has its row, and every row its route', () => {
  expect(Object.keys(ALL_EXPECTED).sort()).toEqual(ROUTES.map(([id]) => id).sort())
})

describe.each(['anonymous', 'none', ...LEVELS])('%s', (level) => {
  test.each(ROUTES)('%s', async (_, route) => {
    if (isSpoilt) await remakeThings()
    isSpoilt = false
    const isDrop = DROPS.includes(route.operationId)
    if (isDrop) await makeWhatGoes()
    const missing = missingFor(level, route)
    const { status, text } = await send(callers.get(level) as Caller, route)
    if (route.permission === 'public') return
    if (missing === undefined) {
      isSpoilt = !['get', 'head'].includes(route.method)
      expect(text).not.toMatch(/permission-denied|the privilege|credential-|NotAuthorized/)
      expect(status).toBeLessThan(isDrop ? 300 : 500)
      return
    }
    expect([status, text]).toEqual([refusalOf(level, missing), text])
    const [privilege, on] = missing.split(' ')
    if (status === 403 && route.method !== 'head') {
      expect(text).toMatch(new RegExp(`the privilege ${privilege} on th(is|e) ${on}`))
    }
  })
})

import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { getRestView, replaceRestView } from '../../../src/modules/iceberg-rest/view-catalog.ts'
import { createView, replaceView } from '../../../src/modules/views/views.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../catalog/postgres-server.ts'
import { type Replica, Replicas } from '../../lake/replicas.ts'

const CLIENTS = 4
const NAME = { namespace: ['default'], name: 'v' }

let replicas: Replicas
beforeEach(async () => {
  replicas = await Replicas.open()
})
afterEach(() => replicas.close())

const duckdb = (sql: string) => ({ queries: [{ dialect: 'duckdb', sql }] })

/** As engines do: a new version on whatever is there. */
function commitRest({ deps }: Replica, sql: string): Promise<unknown> {
  const version = {
    'version-id': 1,
    'timestamp-ms': deps.ambient.nowMs(),
    'schema-id': 0,
    summary: {},
    representations: [{ type: 'sql', sql, dialect: 'duckdb' }],
    'default-namespace': ['default'],
  }
  const updates = [
    { action: 'add-view-version', 'view-version': version },
    { action: 'set-current-view-version', 'view-version-id': -1 },
  ]
  return replaceRestView(deps, { name: NAME, json: { requirements: [], updates } }, KEEPS_NOTHING)
}

/** Changes by clients that never rest, until so many are acknowledged; counts by replica. */
async function changeTogether(
  all: readonly Replica[],
  total: number,
  change: (replica: Replica, n: number) => Promise<unknown>,
): Promise<number[]> {
  const acknowledged = all.map(() => 0)
  let sum = 0
  let begun = 0
  const client = async (replica: Replica, index: number) => {
    while (sum < total) {
      await change(replica, begun++)
      acknowledged[index] = (acknowledged[index] ?? 0) + 1
      sum++
    }
  }
  const clients = Array.from({ length: CLIENTS }, () => all.map(client))
  await Promise.all(clients.flat())
  return acknowledged
}

/** None is refused, none is lost, and each replica has half of its fair share or more. */
async function expectFair(
  catalog: string,
  change: (replica: Replica, n: number) => Promise<unknown>,
): Promise<void> {
  const all = [await replicas.add(catalog, 2), await replicas.add(catalog, 30)]
  const [near] = all as [Replica]
  await createView(near.deps, { name: 'v', ...duckdb('SELECT 0') })
  const acknowledged = await changeTogether(all, 60, change)
  const { version } = await getRestView(near.deps, NAME)
  expect(version).toBe(acknowledged.reduce((sum, count) => sum + count))
  expect(Math.min(...acknowledged)).toBeGreaterThanOrEqual(15)
}

const replacing = ({ deps }: Replica, n: number) =>
  replaceView(deps, 'v', duckdb(`SELECT 1 + ${n}`))

describe('SQLite', () => describeRaces(async () => replicas.sqlite))

const reason = whyNoPostgres()
if (reason !== undefined) test.skip(`PostgreSQL: ${reason}`, () => undefined)
else {
  describe('PostgreSQL', () => {
    let server: PostgresServer
    beforeAll(async () => {
      server = await startPostgres()
    })
    afterAll(() => server?.stop())
    describeRaces(() => server.newDatabase())
  })
}

function describeRaces(newCatalog: () => Promise<string>): void {
  test('two replicas, near and far, replace one view: each has its share', async () => {
    await expectFair(await newCatalog(), replacing)
  })

  test('engines that replace one view over two replicas: each has its share', async () => {
    await expectFair(await newCatalog(), (replica, n) => commitRest(replica, `SELECT 1 + ${n}`))
  })
}

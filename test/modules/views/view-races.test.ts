import { KEEPS_NOTHING } from '../../../src/core/replay.ts'
import { getRestView, replaceRestView } from '../../../src/modules/iceberg-rest/view-catalog.ts'
import { createView, replaceView } from '../../../src/modules/views/views.ts'
import { actTogether, describeOnBoth, type Replica, Replicas } from '../../lake/replicas.ts'

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

/** None is refused, none is lost, and each replica has half of its fair share or more. */
async function expectFair(
  catalog: string,
  change: (replica: Replica, n: number) => Promise<unknown>,
): Promise<void> {
  const all = [await replicas.add(catalog, 2), await replicas.add(catalog, 30)]
  const [near] = all as [Replica]
  await createView(near.deps, { name: 'v', ...duckdb('SELECT 0') })
  let begun = 0
  const acknowledged = await actTogether(all, 60, (replica) => change(replica, begun++))
  const { version } = await getRestView(near.deps, NAME)
  expect(version).toBe(acknowledged.reduce((sum, count) => sum + count))
  expect(Math.min(...acknowledged)).toBeGreaterThanOrEqual(15)
}

const replacing = ({ deps }: Replica, n: number) =>
  replaceView(deps, 'v', duckdb(`SELECT 1 + ${n}`))

describeOnBoth(() => replicas.sqlite, describeRaces)

function describeRaces(newCatalog: () => Promise<string>): void {
  test('two replicas, near and far, replace one view: each has its share', async () => {
    await expectFair(await newCatalog(), replacing)
  })

  test('engines that replace one view over two replicas: each has its share', async () => {
    await expectFair(await newCatalog(), (replica, n) => commitRest(replica, `SELECT 1 + ${n}`))
  })
}

import { link, readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, describeTable, readTable } from '../../../src/modules/tables/tables.ts'
import { startPgBouncer, whyNoPgBouncer } from '../../catalog/pgbouncer.ts'
import { describePostgres, type PostgresServer } from '../../catalog/postgres-server.ts'
import { Lake } from '../lake.ts'
import { actTogether, type Replica, Replicas } from '../replicas.ts'
import { commitFiles } from '../trusted-caller.ts'

let lake: Lake
let replicas: Replicas
let home: string
let template: string
let links = 0

beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  replicas = await Replicas.open()
  home = replicas.home
  template = await lake.write(`${home}/lake/f.parquet`, 'SELECT range AS n FROM range(10)')
})
afterEach(() => replicas.close())

const openReplica = (catalog: string, delayMs: number) => replicas.add(catalog, delayMs)

async function newFile(): Promise<string> {
  const path = `${home}/lake/f-${links++}.parquet`
  await link(template, path)
  return path
}

/** Appends by clients that never rest, until so many are acknowledged; counts by replica. */
function appendTogether(all: readonly Replica[], total: number): Promise<number[]> {
  return actTogether(all, total, async ({ deps }) =>
    commitFiles(deps, { table: 't', paths: [await newFile()] }),
  )
}

async function filesIn({ deps }: Replica): Promise<number> {
  return (await readTable(deps, { table: 't' })).plan.totals.dataFiles
}

/** None is refused, none is lost, and each replica has half of its fair share or more. */
async function expectFair(catalog: string, delaysMs: readonly number[]): Promise<void> {
  const all: Replica[] = []
  for (const delayMs of delaysMs) all.push(await openReplica(catalog, delayMs))
  const [first] = all as [Replica]
  await createTable(first.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const acknowledged = await appendTogether(all, 50 * all.length)
  expect(await filesIn(first)).toBe(acknowledged.reduce((sum, count) => sum + count))
  expect(Math.min(...acknowledged)).toBeGreaterThanOrEqual(25)
}

test('two services on one SQLite database, near and far: each has its share', () =>
  expectFair(`sqlite:${home}/catalog.db`, [2, 30]))

test('a purge of a busy table has its turn', async () => {
  const catalog = `sqlite:${home}/catalog.db`
  const [near, far] = [await openReplica(catalog, 2), await openReplica(catalog, 2)]
  await createTable(near.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const writers = [near, far, near, far].map(async ({ deps }) => {
    for (;;) {
      const error = await commitFiles(deps, { table: 't', paths: [await newFile()] }).then(
        () => undefined,
        (reason: { code?: string }) => reason.code,
      )
      if (error !== undefined) return error
    }
  })
  while ((await filesIn(near)) < 20) await sleep(5)
  await dropTable(far.deps, 't', { purge: true })
  expect(await Promise.all(writers)).toEqual(writers.map(() => 'table-not-found'))
})

test('what a lost race leaves is used again, and nothing that nobody names stays', async () => {
  const catalog = `sqlite:${home}/catalog.db`
  const near = await openReplica(catalog, 0)
  const far = await openReplica(catalog, 100)
  await createTable(near.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
  const slow = commitFiles(far.deps, { table: 't', paths: [await newFile()] })
  while (!far.writes.some((location) => location.includes('/manifests/'))) await sleep(1)
  await commitFiles(near.deps, { table: 't', paths: [await newFile()] })
  await slow
  const kindsOf = ({ writes }: Replica, folder: string) =>
    writes.filter((location) => location.includes(`/${folder}/`)).length
  expect(kindsOf(far, 'manifests')).toBe(1)
  expect([kindsOf(far, 'manifest_lists'), kindsOf(far, 'snapshots')]).toEqual([2, 2])
  await Promise.all([near, far].map(({ deps }) => deps.publisher.close()))
  const files = await readdir(`${home}/warehouse`, { recursive: true, withFileTypes: true })
  const inFolder = (folder: string) =>
    files.filter((file) => file.isFile() && file.parentPath.endsWith(`/${folder}`)).length
  expect(['manifests', 'manifest_lists', 'snapshots'].map(inFolder)).toEqual([2, 2, 2])
  expect(await filesIn(near)).toBe(2)
})

describePostgres(describeReplicas)

function describeReplicas(server: () => PostgresServer): void {
  test('two replicas, near and far: each has its share', async () => {
    await expectFair(await server().newDatabase(), [2, 30])
  })

  test('four replicas, near and far: each has its share', async () => {
    await expectFair(await server().newDatabase(), [2, 30, 2, 30])
  })

  test('changes of the definition have their turn among the appends of another', async () => {
    const catalog = await server().newDatabase()
    const [near, far] = [await openReplica(catalog, 2), await openReplica(catalog, 30)]
    await createTable(near.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const appending = appendTogether([near], 200)
    for (let i = 0; i < 10; i++) {
      await describeTable(far.deps, 't', { metadata: { [`key${i}`]: i } })
      await commitFiles(far.deps, { table: 't', paths: [await newFile()] })
    }
    await appending
  })

  test('a replica that is stopped in its turn holds nobody up for long', async () => {
    const catalog = await server().newDatabase()
    const all = [await openReplica(catalog, 2), await openReplica(catalog, 2)]
    const [one] = all as [Replica]
    const state = await createTable(one.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const names = [`commit ${state.definition.tableUuid}`]
    const stopped = await openReplica(catalog, 2)
    await stopped.deps.catalog.turns.take({ names, waitMsMax: 1_000 })
    let givenUp = 0
    for (const { deps } of all) {
      const { turns } = deps.catalog
      const take = turns.take.bind(turns)
      turns.take = async (wanted) => {
        expect(wanted.waitMsMax).toBeLessThanOrEqual(5_000)
        const held = await take(wanted)
        if (held === undefined) givenUp++
        return held
      }
    }
    await appendTogether(all, 100)
    // Each waits in vain once, and then not for a while: twice as often on a slow machine.
    expect(givenUp).toBeGreaterThan(0)
    expect(givenUp).toBeLessThanOrEqual(6)
  })

  test('turns whose connections are ended lose nothing, and are had again', async () => {
    const catalog = await server().newDatabase()
    const all = [await openReplica(catalog, 5), await openReplica(catalog, 5)]
    const [one] = all as [Replica, Replica]
    await createTable(one.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const admin = new pg.Client({ connectionString: catalog })
    await admin.connect()
    let isOver = false
    const appending = appendTogether(all, 200).finally(() => {
      isOver = true
    })
    while (!isOver) {
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()
           and query like '%advisory%'`,
      )
      await sleep(50)
    }
    await admin.end()
    const acknowledged = await appending
    expect(await filesIn(one)).toBe(acknowledged.reduce((sum, count) => sum + count))
  })

  const noBouncer = whyNoPgBouncer()
  const bouncerTest = noBouncer === undefined ? test : test.skip
  bouncerTest(`behind PgBouncer in transaction mode${noBouncer ?? ''}`, async () => {
    const url = await server().newDatabase()
    const bouncer = await startPgBouncer(url, { serverConnections: 8 })
    replicas.closeFirst({ close: () => bouncer.stop() })
    await expectFair(bouncer.url, [2, 30])
  })

  bouncerTest(
    `PgBouncer with no connection to spare refuses nothing${noBouncer ?? ''}`,
    async () => {
      const url = await server().newDatabase()
      const bouncer = await startPgBouncer(url, { serverConnections: 2 })
      replicas.closeFirst({ close: () => bouncer.stop() })
      const all = [await openReplica(bouncer.url, 2), await openReplica(bouncer.url, 10)]
      const [one] = all as [Replica]
      await createTable(one.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
      const acknowledged = await appendTogether(all, 60)
      expect(await filesIn(one)).toBe(acknowledged.reduce((sum, count) => sum + count))
    },
  )
}

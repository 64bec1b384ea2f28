import { link } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { startPgBouncer, whyNoPgBouncer } from '../../catalog/pgbouncer.ts'
import {
  describeWithPostgres,
  type PostgresServer,
  startPostgres,
} from '../../catalog/postgres-server.ts'
import { Lake } from '../lake.ts'
import { actTogether, type Replica, Replicas } from '../replicas.ts'
import { commitFiles } from '../trusted-caller.ts'

/** What one PUT takes of a replica beside its bucket, and of one far away. */
const NEAR_MS = 4
const FAR_MS = 40
const CLIENTS_OF_EACH = 32

const noBouncer = whyNoPgBouncer()

describeWithPostgres('one table of two replicas on PostgreSQL', () => describeContended())

/** What the database showed of the turn of one table while it was looked at. */
interface Seen {
  looks: number
  /** Most sessions at once that had the turn or waited for it. */
  most: number
  /** Looks at which somebody waited. */
  waits: number
  /** Most connections at once. */
  connections: number
}

function describeContended(): void {
  let server: PostgresServer
  let lake: Lake
  let replicas: Replicas
  let template: string
  let links = 0
  beforeAll(async () => {
    server = await startPostgres()
    lake = await Lake.open()
  })
  afterAll(async () => {
    lake?.close()
    await server?.stop()
  })
  beforeEach(async () => {
    replicas = await Replicas.open()
    template = await lake.write(`${replicas.home}/lake/f.parquet`, 'SELECT 1::BIGINT AS n')
  })
  afterEach(() => replicas.close())

  /** Appends by 64 clients, each of a file of its own; counts by replica. */
  async function appendTogether(all: readonly Replica[], total: number): Promise<number[]> {
    const [first] = all as [Replica]
    await createTable(first.deps, { name: 't', columns: [{ name: 'n', type: 'long' }] })
    const append = async ({ deps }: Replica) => {
      const path = `${replicas.home}/lake/f-${links++}.parquet`
      await link(template, path)
      return commitFiles(deps, { table: 't', paths: [path] })
    }
    const acknowledged = await actTogether(all, total, append, CLIENTS_OF_EACH)
    const { plan } = await readTable(first.deps, { table: 't' })
    expect(plan.totals.dataFiles).toBe(acknowledged.reduce((sum, count) => sum + count))
    return acknowledged
  }

  async function whileLooking<T>(url: string, work: Promise<T>): Promise<Seen> {
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const seen: Seen = { looks: 0, most: 0, waits: 0, connections: 0 }
    let isOver = false
    const done = work.finally(() => {
      isOver = true
    })
    try {
      while (!isOver) {
        // Those who only look at a turn do so for a moment, and shared.
        const { rows } = await admin.query<Record<'sessions' | 'waiting' | 'others', number>>(
          `select cast(count(*) as int) as sessions,
             cast(count(*) filter (where not granted) as int) as waiting,
             (select cast(count(*) as int) from pg_stat_activity
              where datname = current_database() and application_name = 'moraine') as others
           from pg_locks
           where locktype = 'advisory' and mode = 'ExclusiveLock'
             and database = (select oid from pg_database where datname = current_database())`,
        )
        const [{ sessions, waiting, others }] = rows as [Record<string, number>]
        seen.looks++
        seen.most = Math.max(seen.most, sessions ?? 0)
        seen.connections = Math.max(seen.connections, others ?? 0)
        if ((waiting ?? 0) > 0) seen.waits++
        await sleep(1)
      }
      await done
    } finally {
      await admin.end()
    }
    return seen
  }

  test('of 64 clients none is refused, and no replica is left behind', async () => {
    const url = await server.newDatabase()
    const all = [await replicas.add(url, NEAR_MS), await replicas.add(url, FAR_MS)]
    const total = 20 * CLIENTS_OF_EACH
    const acknowledged = await appendTogether(all, total)
    expect(Math.min(...acknowledged)).toBeGreaterThanOrEqual(total / 4)
  })

  test('of each process one waits for the table, whoever else is in its line', async () => {
    const url = await server.newDatabase()
    const all = [await replicas.add(url, 5), await replicas.add(url, 5)]
    const seen = await whileLooking(url, appendTogether(all, 20 * CLIENTS_OF_EACH))
    expect(seen.waits).toBeGreaterThan(0)
    expect(seen.most).toBe(all.length)
  })

  /** One connection each to the catalog: waiting in the database takes none of them. */
  async function expectOwnConnections(url: string, at: string): Promise<void> {
    const environment = { MORAINE_POSTGRES_POOL: '1' }
    const all = [await replicas.add(at, 2, environment), await replicas.add(at, 10, environment)]
    const seen = await whileLooking(url, appendTogether(all, 10 * CLIENTS_OF_EACH))
    expect(seen.waits).toBeGreaterThan(0)
    if (url === at) expect(seen.connections).toBeLessThanOrEqual(2 * all.length)
  }

  test('a pool of one connection is enough to commit among others', async () => {
    const url = await server.newDatabase()
    await expectOwnConnections(url, url)
  })

  const bouncerTest = noBouncer === undefined ? test : test.skip
  bouncerTest(`so it is behind PgBouncer in transaction mode${noBouncer ?? ''}`, async () => {
    const url = await server.newDatabase()
    const bouncer = await startPgBouncer(url, { serverConnections: 8 })
    replicas.closeFirst({ close: () => bouncer.stop() })
    await expectOwnConnections(url, bouncer.url)
  })
}

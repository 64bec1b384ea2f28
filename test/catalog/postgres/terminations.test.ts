import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openPostgresCatalog, openPostgresEngine } from '../../../src/catalog/postgres/postgres.ts'
import { LIFT_LIMITS, PostgresPool } from '../../../src/catalog/postgres/postgres-pool.ts'
import { CatalogError } from '../../../src/core/errors.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import { appendTo, create, logOf } from '../catalog-samples.ts'
import { describePostgres, type PostgresServer } from '../postgres-server.ts'

test('a server that greets and says farewell in one breath does not end the process', async () => {
  const greeting = message('R', [0, 0, 0, 0])
  const ready = message('Z', [...Buffer.from('I')])
  const farewell = message('E', [...Buffer.from('SFATAL\0C57P01\0Mterminated\0\0')])
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.concat([greeting, ready, farewell])))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const catalog = await openPostgresCatalog({ url: `postgres://ada@127.0.0.1:${port}/x` })
  await expect(catalog.ping()).rejects.toMatchObject({ code: 'overloaded' })
  await catalog.close()
  server.close()
})

function message(type: string, body: readonly number[]): Buffer {
  const head = Buffer.alloc(5, type)
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, Buffer.from(body)])
}

describePostgres(describeTerminations)

function describeTerminations(server: () => PostgresServer): void {
  let admin: pg.Client
  let url: string
  let catalog: Catalog

  beforeEach(async () => {
    url = await server().newDatabase()
    admin = new pg.Client({ connectionString: url })
    await admin.connect()
    catalog = await openPostgresCatalog({ url, connectionsMax: 4 })
    await catalog.migrate()
  })
  afterEach(async () => {
    await catalog.close()
    await admin.end()
  })

  /** Ends every other connection to the database; returns how many there were. */
  async function terminate(): Promise<number> {
    const { rowCount } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    return rowCount ?? 0
  }

  test('connections ended under reads and commits: no acknowledged commit is lost', async () => {
    const stop = new AbortController()
    const states = await Promise.all([1, 2, 3].map((n) => create(catalog, `table-${n}`)))
    let commits = 0
    const count = () => {
      commits++
    }
    const writing = states.map((state) => commitUntil(catalog, state, stop.signal, count))
    const reading = states.map((state) => readUntil(catalog, state, stop.signal))
    for (let terminated = 0; terminated < 200; terminated += await terminate()) {
      // However busy the machine is, something is acknowledged in between.
      for (const before = commits; commits === before; ) await sleep(5)
    }
    stop.abort()
    const failures = (await Promise.all(reading)).flat()
    for (const [index, { acknowledged, refusals }] of (await Promise.all(writing)).entries()) {
      const tableUuid = states[index]?.definition.tableUuid ?? ''
      const kept = (await logOf(catalog, tableUuid)).map(({ snapshotId }) => snapshotId)
      expect(kept).toEqual(expect.arrayContaining(acknowledged))
      failures.push(...refusals)
    }
    const codes = new Set(failures.map((error) => (error as CatalogError).code ?? error))
    expect([...codes].filter((code) => code !== 'commit-state-unknown')).toEqual(['overloaded'])
  })

  test('connections ended while idle, again and again, are replaced', async () => {
    for (let round = 0; round < 20; round++) {
      await Promise.all([1, 2, 3, 4].map(() => persistently(() => catalog.ping())))
      expect(await terminate()).toBeGreaterThan(0)
      // The farewell of the last may still be on its way.
      while ((await terminate()) > 0) await sleep(1)
    }
    await expect(persistently(() => catalog.ping())).resolves.toBeUndefined()
  })

  test('a database that takes no writes refuses them for now, and is read', async () => {
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const database = new URL(url).pathname.slice(1)
    await admin.query(`alter database ${database} set default_transaction_read_only = on`)
    const standby = await openPostgresCatalog({ url })
    expect(await standby.tables.find({ tableUuid })).toStrictEqual(state)
    const commit = { tables: [appendTo(state, 1n)], transactions: [] }
    await expect(standby.tables.commit(commit)).rejects.toMatchObject({
      code: 'overloaded',
      message: 'the catalog database is read-only for now',
    })
    await standby.close()
  })

  test('the statements of a migration may take long, and those after it may not', async () => {
    const pool = new PostgresPool(new pg.Pool({ connectionString: url, query_timeout: 200 }))
    const client = await pool.connect()
    await client.query('begin', [])
    await client.query(LIFT_LIMITS, [])
    await client.query('select pg_sleep(1)', [])
    await client.query('commit', [])
    client.release()
    const next = await pool.connect()
    await expect(next.query('select pg_sleep(1)', [])).rejects.toThrow('Query read timeout')
    next.release()
    await pool.end()
    const { engine } = openPostgresEngine({ url })
    const limits = engine.transact(async (transaction) => {
      await engine.lockMigrations(transaction)
      return sql`show statement_timeout`.execute(transaction)
    })
    expect((await limits).rows).toEqual([{ statement_timeout: '0' }])
    await engine.connection.destroy()
  })

  test('a read that takes too long ends at the server, too', async () => {
    const pool = new PostgresPool(new pg.Pool({ connectionString: url, query_timeout: 200 }))
    const client = await pool.connect()
    const reading = client.query('select pg_sleep(3600)', [])
    await expect(reading).rejects.toThrow('Query read timeout')
    client.release()
    const running = `select 1 from pg_stat_activity
      where query like 'select pg_sleep%' and state = 'active'`
    while ((await admin.query(running)).rowCount !== 0) await sleep(10)
    await pool.end()
  })

  test('there are never more connections than allowed', async () => {
    const named = `${url}?application_name=small`
    const small = await openPostgresCatalog({ url: named, connectionsMax: 1 })
    const states = await Promise.all([1, 2, 3].map((n) => create(small, `table-${n}`)))
    const commits = states.map((state) => ({ tables: [appendTo(state, 1n)], transactions: [] }))
    await Promise.all(commits.map((commit) => small.tables.commit(commit)))
    const { rows } = await admin.query(
      `select count(*)::int as count from pg_stat_activity where application_name = 'small'`,
    )
    expect(rows).toEqual([{ count: 1 }])
    await small.close()
  })
}

interface Written {
  readonly acknowledged: readonly bigint[]
  readonly refusals: readonly unknown[]
}

async function commitUntil(
  catalog: Catalog,
  first: TableState,
  signal: AbortSignal,
  committed: () => void,
): Promise<Written> {
  const acknowledged: bigint[] = []
  const refusals: unknown[] = []
  let state = first
  for (let snapshotId = 1n; !signal.aborted; snapshotId++) {
    try {
      const commit = appendTo(state, snapshotId)
      const outcome = await catalog.tables.commit({ tables: [commit], transactions: [] })
      if (outcome.outcome !== 'committed') continue
      acknowledged.push(snapshotId)
      committed()
    } catch (error) {
      refusals.push(error)
    } finally {
      const { tableUuid } = state.definition
      state = (await persistently(() => catalog.tables.find({ tableUuid }))) ?? state
    }
  }
  return { acknowledged, refusals }
}

async function readUntil(
  catalog: Catalog,
  { definition: { tableUuid } }: TableState,
  signal: AbortSignal,
): Promise<unknown[]> {
  const failures: unknown[] = []
  while (!signal.aborted) {
    await catalog.tables.find({ tableUuid }).catch((error: unknown) => failures.push(error))
  }
  return failures
}

/** Tries again while the database is reported to be out of reach. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof CatalogError && error.code === 'overloaded')) throw error
    }
  }
}

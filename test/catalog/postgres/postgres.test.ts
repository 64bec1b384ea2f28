import { connect, createServer, type Server, type Socket } from 'node:net'
import pg from 'pg'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { describeCatalog } from '../catalog.contract.ts'
import { appendTo, create, newTable, stateOf } from '../catalog-samples.ts'
import { expectUpToDate, firstSchema } from '../first-schema.ts'
import { BEFORE_FOLDERS_OF_VIEWS, expectFoldersOfViews, makeOldViews } from '../old-views.ts'
import { describePostgres, type PostgresServer } from '../postgres-server.ts'

test('a URL that cannot be read is refused without showing its password', async () => {
  const opening = openPostgresCatalog({ url: 'postgres://ada:secret@host:port/x' })
  await expect(opening).rejects.toThrow(/URL of the catalog database/)
  await expect(opening).rejects.not.toThrow(/secret/)
})

test('a server out of reach is overloaded, so that clients try again', async () => {
  const catalog = await openPostgresCatalog({ url: 'postgres://ada:secret@127.0.0.1:1/x' })
  const failure = await catalog.ping().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'overloaded' })
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('secret')
  await catalog.close()
})

describePostgres(describeCatalogOnPostgres)

function describeCatalogOnPostgres(server: () => PostgresServer): void {
  const newDatabase = () => server().newDatabase()

  describeCatalog(
    async () => {
      const url = await newDatabase()
      return {
        catalog: await openPostgresCatalog({ url, connectionsMax: 4 }),
        openAnother: () => openPostgresCatalog({ url, connectionsMax: 4 }),
      }
    },
    { isShared: true },
  )

  test('keys compare by bytes in all tables: no index of another collation is used', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    await catalog.close()
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(`
      select c.relname || '.' || a.attname as key, l.collname as collation
      from pg_attribute a join pg_class c on c.oid = a.attrelid
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = current_schema()
        join pg_collation l on l.oid = a.attcollation
      where c.relkind = 'r' and a.attname ~ '_(uuid|key)$'`)
    await client.end()
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter(({ collation }) => collation !== 'C')).toEqual([])
  })

  test('processes that start at once on an empty database both find it migrated', async () => {
    const url = await newDatabase()
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresCatalog({ url })))
    await Promise.all(stores.map((catalog) => catalog.migrate()))
    for (const catalog of stores) {
      expect(await catalog.tables.list({ limit: 1 })).toEqual([])
      await catalog.close()
    }
  })

  test('a database that acknowledges what a crash may lose is refused', async () => {
    const url = await newDatabase()
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const set = `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit =`
    await admin.query(`${set} off`)
    const catalog = await openPostgresCatalog({ url })
    await expect(catalog.migrate()).rejects.toThrow(/synchronous_commit off.*ALTER ROLE/)
    await catalog.close()
    await admin.query(`${set} remote_write`)
    await admin.end()
    const other = await openPostgresCatalog({ url })
    await other.migrate()
    await other.close()
  })

  test('a database of a newer version is refused', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    await execute(url, `insert into moraine_migrations values (9999, '9999-future.sql')`)
    await expect(catalog.migrate()).rejects.toThrow(/schema 9999.*newer Moraine/)
    await catalog.close()
  })

  test('a database of the first schema is brought up to date, with what is in it', async () => {
    const url = await newDatabase()
    const script = await firstSchema('postgres')
    await execute(url, script)
    const catalog = await openPostgresCatalog({ url })
    await expectUpToDate(catalog)
    await catalog.close()
  })

  test('views of an older catalog get their folders, and a line tells of shared ones', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    await makeOldViews(catalog)
    await execute(url, BEFORE_FOLDERS_OF_VIEWS)
    await expectFoldersOfViews(catalog)
    await catalog.close()
  })

  test('a namespace is not dropped while a table is being created in it', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    await catalog.namespaces.create({ levels: ['sky'], properties: {} })
    // Two, because a transaction sees but one state of the server's activity.
    const [blocker, watcher] = [await connectTo(url), await connectTo(url)]
    await blocker.query('begin')
    await blocker.query(`insert into names values ('sky', 'planets', 'view', 'other')`)
    const creating = catalog.tables.create(newTable(stateOf('planets')))
    // The creation has its namespace by now, and waits for the name.
    await untilWaiting(watcher, 1)
    const dropping = catalog.namespaces.drop(['sky'])
    await Promise.race([dropping, untilWaiting(watcher, 2)])
    await blocker.query('rollback')
    expect(await creating).toBe('created')
    expect(await dropping).toBe('not-empty')
    expect(await catalog.namespaces.find(['sky'])).toBeDefined()
    await blocker.end()
    await watcher.end()
    await catalog.close()
  })

  test('a file that a commit under way names again cannot be marked as being deleted', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const blocker = await connectTo(url)
    // The commit has done everything, and waits at its very end.
    await blocker.query(`
      select pg_advisory_lock(42);
      create function wait() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(42); return null; end $$;
      create constraint trigger waits after update on tables deferrable initially deferred
        for each row execute function wait()`)
    const path = 'file:///lake/again.parquet'
    const committing = catalog.tables.commit({
      transactions: [],
      tables: [
        {
          expectedVersion: state.version,
          state: { ...state, version: state.version + 1 },
          ...{ newSnapshots: [], newLogEntries: [], addedPaths: [], pathsNamedAgain: [path] },
        },
      ],
    })
    await untilWaiting(blocker, 1)
    await catalog.deletions.add([{ path, tableUuid, mark: 'm', reason: 'purge', dueAtMs: 0 }])
    const deletions = await catalog.deletions.listDue({ nowMs: 1, limit: 1 })
    const examinedTableUuids = new Set([tableUuid])
    const marking = catalog.deletions.beginUnlinking({
      ...{ deletions, examinedTableUuids, nowMs: 1, dueAtMs: 2 },
    })
    await expect(marking).rejects.toMatchObject({ code: 'overloaded' })
    await blocker.query('select pg_advisory_unlock(42)')
    expect((await committing).outcome).toBe('committed')
    await blocker.end()
    await catalog.close()
  })

  test('an event that is committed late comes late, and hides no other', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    const [slow, elsewhere] = [await connectTo(url), await connectTo(await newDatabase())]
    try {
      // An open write transaction in another database of the server changes nothing.
      await elsewhere.query('begin; create table other (n int)')
      await slow.query('begin')
      await slow.query(`insert into events (event_id, type, subject, name, version, time_ms, data)
        values ('e', 'moraine.table.created.v1', 'a', 'sky.slow', 0, 0, '{}')`)
      await create(catalog, 'planets')
      const list = async (after: bigint) => {
        const page = await catalog.events.list({ after, limit: 10 })
        return { ...page, names: page.events.map(({ name }) => name).sort() }
      }
      const first = await list(0n)
      expect(first.names).toEqual(['sky', 'sky.planets'])
      await slow.query('commit')
      await create(catalog, 'moons')
      const second = await list(first.nextAfter)
      expect(second.names).toEqual(['sky.moons', 'sky.slow'])
      expect(second.events.map(({ position }) => position)).toEqual([3n, 4n])
      expect((await list(second.nextAfter)).names).toEqual([])
    } finally {
      await slow.end()
      await elsewhere.end()
      await catalog.close()
    }
  })

  test('a lost reply to COMMIT is commit-state-unknown: it may have happened', async () => {
    await withProxy(newDatabase, async ({ catalog, cutAfter }) => {
      const state = await create(catalog, 'planets')
      const { tableUuid } = state.definition
      cutAfter('commit\u0000')
      const commit = { tables: [appendTo(state, 1n)], transactions: [] }
      await expect(catalog.tables.commit(commit)).rejects.toMatchObject({
        code: 'commit-state-unknown',
      })
      // The catalog has connected again; the server did get the COMMIT.
      expect(await catalog.tables.find({ tableUuid })).toStrictEqual(appendTo(state, 1n).state)
    })
  })

  test('a connection lost before COMMIT is a definite refusal', async () => {
    await withProxy(newDatabase, async ({ catalog, cutAfter }) => {
      const state = await create(catalog, 'planets')
      const { tableUuid } = state.definition
      cutAfter('update "tables"')
      const commit = { tables: [appendTo(state, 1n)], transactions: [] }
      await expect(catalog.tables.commit(commit)).rejects.toMatchObject({ code: 'overloaded' })
      expect(await catalog.tables.find({ tableUuid })).toStrictEqual(state)
    })
  })

  test('a server that ends its connections is found again', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.ping()
    await execute(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    await catalog.ping()
    await catalog.close()
  })
}

/** Waits until this many connections of the database wait for a lock. */
async function untilWaiting(client: pg.Client, connections: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { rows } = await client.query<{ count: string }>(
      `select count(*) from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    )
    if (Number(rows[0]?.count) === connections) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${connections} connections should wait for a lock`)
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

async function execute(url: string, statement: string): Promise<void> {
  const client = await connectTo(url)
  await client.query(statement)
  await client.end()
}

interface Proxied {
  readonly catalog: Catalog
  /**
   * Passes on the next message with this text, and then neither the client's messages nor the
   * server's.
   */
  cutAfter(text: string): void
}

async function withProxy(
  newDatabase: () => Promise<string>,
  work: (proxied: Proxied) => Promise<void>,
): Promise<void> {
  const direct = new URL(await newDatabase())
  let cutText: string | undefined
  const proxy = createServer((client) => {
    const upstream = connect(Number(direct.port), direct.hostname)
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    upstream.on('data', (chunk) => client.write(chunk))
    upstream.on('close', () => client.destroy())
    client.on('close', () => upstream.end())
    client.on('data', (chunk) => {
      upstream.write(chunk)
      if (cutText === undefined || !chunk.includes(cutText)) return
      cutText = undefined
      cut(client, upstream)
    })
  })
  const port = await listen(proxy)
  const url = new URL(direct)
  url.port = String(port)
  const catalog = await openPostgresCatalog({ url: url.href })
  try {
    await catalog.migrate()
    const cutAfter = (text: string) => {
      cutText = text
    }
    await work({ catalog, cutAfter })
  } finally {
    await catalog.close()
    proxy.close()
  }
}

/** The server replies, so it has done what it was asked; the client never hears of it. */
function cut(client: Socket, upstream: Socket): void {
  upstream.removeAllListeners('data')
  upstream.once('data', () => {
    client.destroy()
    upstream.destroy()
  })
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

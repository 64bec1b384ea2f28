import pg from 'pg'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { PostgresPool } from '../../../src/catalog/postgres/postgres-pool.ts'
import { appendTo, create, logOf, type OpenedCatalog } from '../catalog-samples.ts'
import { type PgBouncer, startPgBouncer, whyNoPgBouncer } from '../pgbouncer.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../postgres-server.ts'
import { describeSharing } from '../sharing.contract.ts'
import { describeTurns } from '../turns.contract.ts'

const reason = whyNoPostgres() ?? whyNoPgBouncer()

if (reason !== undefined) {
  test.skip(`PgBouncer: ${reason}`, () => undefined)
} else {
  describe('PostgreSQL behind PgBouncer in transaction mode', () => describePgBouncer())
}

function describePgBouncer(): void {
  let server: PostgresServer
  let bouncer: PgBouncer

  beforeAll(async () => {
    server = await startPostgres()
    bouncer = await startPgBouncer(await server.newDatabase())
  })
  afterAll(async () => {
    await bouncer?.stop()
    await server?.stop()
  })

  async function newDatabase(): Promise<string> {
    const url = new URL(bouncer.url)
    url.pathname = new URL(await server.newDatabase()).pathname
    return url.href
  }

  describe('as two processes', () => {
    let opened: OpenedCatalog
    beforeEach(async () => {
      const url = await newDatabase()
      const openAnother = () => openPostgresCatalog({ url, connectionsMax: 4 })
      opened = { catalog: await openAnother(), openAnother }
      await opened.catalog.migrate()
    })
    afterEach(() => opened.catalog.close())

    describeSharing(() => opened)
  })

  describe('with a connection for each turn that is waited for', () => {
    let roomy: PgBouncer
    let opened: OpenedCatalog
    beforeAll(async () => {
      roomy = await startPgBouncer(await server.newDatabase(), { serverConnections: 8 })
    })
    afterAll(() => roomy?.stop())
    beforeEach(async () => {
      const openAnother = () => openPostgresCatalog({ url: roomy.url, connectionsMax: 4 })
      opened = { catalog: await openAnother(), openAnother }
      await opened.catalog.migrate()
    })
    afterEach(() => opened.catalog.close())

    describeTurns(() => opened)
  })

  test('limits hold in each transaction, and stay with no shared connection', async () => {
    const pool = new PostgresPool(new pg.Pool({ connectionString: await newDatabase() }))
    const limits = `select current_setting('statement_timeout') as statement,
      current_setting('idle_in_transaction_session_timeout') as idle`
    const client = await pool.connect()
    await client.query('begin', [])
    expect((await client.query(limits, [])).rows).toEqual([{ statement: '30s', idle: '30s' }])
    await client.query('commit', [])
    expect((await client.query(limits, [])).rows).toEqual([{ statement: '0', idle: '0' }])
    client.release()
    await pool.end()
  })

  test('commits of many clients over two connections: all are kept', async () => {
    const url = await newDatabase()
    const catalog = await openPostgresCatalog({ url })
    await catalog.migrate()
    const states = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => create(catalog, `table-${n}`)))
    const commits = states.map((state) => ({ tables: [appendTo(state, 1n)], transactions: [] }))
    await Promise.all(commits.map((commit) => catalog.tables.commit(commit)))
    for (const { definition } of states) {
      expect(await logOf(catalog, definition.tableUuid)).toHaveLength(1)
    }
    await catalog.close()
  })
}

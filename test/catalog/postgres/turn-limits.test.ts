import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { openPostgresCatalog } from '../../../src/catalog/postgres/postgres.ts'
import { RACE_MS_MAX } from '../../../src/core/limits.ts'
import { startPgBouncer, whyNoPgBouncer } from '../pgbouncer.ts'
import { describePostgres, type PostgresServer } from '../postgres-server.ts'

/** What the server would allow to statements, idle transactions and waits for locks by itself. */
const SERVER_MS = 150
const LIMITS = ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout']
const noBouncer = whyNoPgBouncer()

describePostgres(describeLimits)

function describeLimits(server: () => PostgresServer): void {
  let url: string
  let admin: pg.Client
  let opened: { close(): Promise<unknown> }[]
  beforeEach(async () => {
    url = await server().newDatabase()
    admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const database = new URL(url).pathname.slice(1)
    for (const limit of LIMITS) {
      await admin.query(`alter database ${database} set ${limit} = ${SERVER_MS}`)
    }
    opened = [{ close: () => admin.end() }]
  })
  afterEach(async () => {
    for (const it of opened.reverse()) await it.close()
  })

  async function open(at: string): Promise<Catalog> {
    const catalog = await openPostgresCatalog({ url: at })
    opened.push(catalog)
    return catalog
  }

  /** A turn is waited for, and then had in silence, far longer than the server would let it be. */
  async function expectOwnLimits(at: string): Promise<void> {
    const [one, other] = [await open(at), await open(at)]
    const first = await one.turns.take({ names: ['a'], waitMsMax: 20_000 })
    const waiting = other.turns.take({ names: ['a'], waitMsMax: 20_000 })
    await sleep(4 * SERVER_MS)
    expect(await other.turns.isTaken('a')).toBe(true)
    await first?.end()
    const second = await waiting
    expect(second?.hasWaited).toBe(true)
    await sleep(4 * SERVER_MS)
    expect(await one.turns.isTaken('a')).toBe(true)
    await second?.end()
  }

  test('a turn outlasts what the server allows to a statement or to an idle transaction', () =>
    expectOwnLimits(url))

  const bouncerTest = noBouncer === undefined ? test : test.skip
  bouncerTest(`so it does behind PgBouncer in transaction mode${noBouncer ?? ''}`, async () => {
    const bouncer = await startPgBouncer(url, { serverConnections: 8 })
    opened.push({ close: () => bouncer.stop() })
    await expectOwnLimits(bouncer.url)
  })

  test('its limits are longer than a change is attempted', async () => {
    const catalog = await open(url)
    const held = await catalog.turns.take({ names: ['a'], waitMsMax: 1_000 })
    // The server shows what the connection that has the turn was told last.
    const { rows } = await admin.query<{ query: string }>(
      `select query from pg_stat_activity
       where datname = current_database() and query like '%advisory%'
         and pid <> pg_backend_pid()`,
    )
    expect(rows).toHaveLength(1)
    for (const limit of ['statement_timeout', 'idle_in_transaction_session_timeout']) {
      const told = new RegExp(`set local ${limit} = (\\d+)`).exec(rows[0]?.query ?? '')?.[1]
      expect(Number(told)).toBeGreaterThan(RACE_MS_MAX)
    }
    await held?.end()
  })
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jest } from '@jest/globals'
import pg from 'pg'
import { DatabaseClock } from '../../../src/catalog/clock/database-clock.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import { readConfig } from '../../../src/config.ts'
import { startTransaction } from '../../../src/lake/commit/transactions.ts'
import { Lease } from '../../../src/lake/jobs/lease.ts'
import { openPlatform, type Platform } from '../../../src/service.ts'
import { newTable, stateOf } from '../catalog-samples.ts'
import { describeWithPostgres, type PostgresServer, startPostgres } from '../postgres-server.ts'

const HOUR_MS = 3_600_000
test('SQLite has the clock of the computer', async () => {
  const catalog = await openSqliteCatalog({ path: ':memory:' })
  expect(await DatabaseClock.of(catalog)).toBeUndefined()
  await catalog.close()
})

test('a clock that cannot be asked again counts on', async () => {
  const answers = [5_000]
  const readClock = async () => {
    const answer = answers.shift()
    if (answer === undefined) throw new Error('out of reach')
    return answer
  }
  const clock = await DatabaseClock.of({ readClock })
  const wrong = jest.spyOn(Date, 'now').mockReturnValue(0)
  try {
    const before = clock?.nowMs() ?? 0
    await new Promise((resolve) => setTimeout(resolve, 20))
    const after = clock?.nowMs() ?? 0
    expect(before).toBeGreaterThanOrEqual(5_000)
    expect(after - before).toBeGreaterThanOrEqual(15)
    expect(after).toBeLessThan(5_000 + HOUR_MS)
  } finally {
    wrong.mockRestore()
    clock?.close()
  }
})

/** A database `aheadMs` ahead of this process, whose answers are away for so long. */
function slowDatabase(aheadMs: number) {
  const nowMs = () => aheadMs + performance.now()
  const late = { thereMs: 0, backMs: 0 }
  const takes = async (ms: number) => {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }
  const readClock = async () => {
    const { thereMs, backMs } = late
    await takes(thereMs)
    const answer = nowMs()
    await takes(backMs)
    return answer
  }
  return { nowMs, late, readClock }
}

test.each([
  [1_200, 0],
  [0, 1_200],
])('is never ahead of a database that is %d ms away, and its answer %d ms', async (there, back) => {
  const database = slowDatabase(HOUR_MS)
  Object.assign(database.late, { thereMs: there, backMs: back })
  const clock = await DatabaseClock.of(database)
  const behindMs = database.nowMs() - (clock?.nowMs() ?? 0)
  expect(behindMs).toBeGreaterThanOrEqual(-1)
  expect(behindMs).toBeGreaterThanOrEqual(back - 10)
  clock?.close()
})

test('asks again at the start where an answer takes long', async () => {
  const database = slowDatabase(HOUR_MS)
  Object.assign(database.late, { backMs: 1_200 })
  const opening = DatabaseClock.of(database)
  database.late.backMs = 0
  const clock = await opening
  const behindMs = database.nowMs() - (clock?.nowMs() ?? 0)
  expect(behindMs).toBeLessThan(1_000)
  expect(behindMs).toBeGreaterThanOrEqual(-1)
  clock?.close()
})

test('keeps what it knows when a later answer takes long, and asks again soon', async () => {
  const database = slowDatabase(HOUR_MS)
  const clock = await DatabaseClock.of(database)
  const wrong = jest.spyOn(Date, 'now').mockReturnValue(0)
  const asked = jest.spyOn(database, 'readClock')
  try {
    database.late.backMs = 1_500
    clock?.nowMs() // The computer's clock was set: it asks.
    database.late.backMs = 0
    await asked.mock.results[0]?.value
    const behindMs = database.nowMs() - (clock?.nowMs() ?? 0)
    expect(behindMs).toBeLessThan(1_000)
  } finally {
    wrong.mockRestore()
    clock?.close()
  }
})

test('an answer that took long is taken when the clock of the database was set', async () => {
  const database = slowDatabase(HOUR_MS)
  const clock = await DatabaseClock.of(database)
  const wrong = jest.spyOn(Date, 'now').mockReturnValue(0)
  const asked = jest.spyOn(database, 'readClock').mockImplementation(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    return 2 * HOUR_MS + performance.now()
  })
  try {
    clock?.nowMs()
    await asked.mock.results[0]?.value
    const aheadMs = 2 * HOUR_MS + performance.now() - (clock?.nowMs() ?? 0)
    expect(aheadMs).toBeLessThan(HOUR_MS / 2)
  } finally {
    wrong.mockRestore()
    clock?.close()
  }
})

describeWithPostgres('PostgreSQL', () => describeClock())

function describeClock(): void {
  let server: PostgresServer
  let admin: pg.Client
  let home: string
  let platform: Platform

  beforeAll(async () => {
    server = await startPostgres()
    home = await mkdtemp(join(tmpdir(), 'moraine-clock-'))
  })
  afterAll(async () => {
    await server?.stop()
    await rm(home, { recursive: true, force: true })
  })

  async function databaseMs(): Promise<number> {
    const { rows } = await admin.query(
      'select cast(extract(epoch from clock_timestamp()) * 1000 as float8) as now_ms',
    )
    return rows[0].now_ms
  }

  /** A process on a computer whose clock is an hour ahead, or behind. */
  async function withWrongClock(
    aheadMs: number,
    work: (setClock: (aheadMs: number) => void) => Promise<void>,
  ): Promise<void> {
    const url = await server.newDatabase()
    admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const now = Date.now.bind(Date)
    let ahead = aheadMs
    const wrong = jest.spyOn(Date, 'now').mockImplementation(() => now() + ahead)
    try {
      const environment = { MORAINE_CATALOG: url, MORAINE_HOME: home }
      platform = await openPlatform(readConfig(environment), { inThreads: false })
      await work((ms) => {
        ahead = ms
      })
      await platform.close()
    } finally {
      wrong.mockRestore()
      await admin.end()
    }
  }

  test.each([HOUR_MS, -HOUR_MS])(
    'leases and expiry go by the database on a computer %d ms ahead',
    (aheadMs) =>
      withWrongClock(aheadMs, async () => {
        const { createdAtMs, expiresAtMs } = await startTransaction(platform, {
          expiresInSeconds: 60,
        })
        expect(Math.abs(createdAtMs - (await databaseMs()))).toBeLessThan(5_000)
        expect(expiresAtMs).toBe(createdAtMs + 60_000)
        const signal = new AbortController().signal
        const lease = await Lease.acquire(platform, { name: 'dump x', signal })
        const { rows } = await admin.query("select expires_at_ms from leases where name = 'dump x'")
        const leftMs = Number(rows[0].expires_at_ms) - (await databaseMs())
        expect(leftMs).toBeGreaterThan(0)
        expect(leftMs).toBeLessThan(15_000)
        await lease.release()
      }),
  )

  test('events are dated by the database on a computer whose clock is an hour ahead', () =>
    withWrongClock(HOUR_MS, async () => {
      const state = stateOf('planets')
      await platform.catalog.tables.create(newTable(state))
      const { rows } = await admin.query('select cast(time_ms as float8) as time_ms from events')
      expect(rows).not.toHaveLength(0)
      for (const row of rows) {
        expect(Math.abs(row.time_ms - (await databaseMs()))).toBeLessThan(5_000)
      }
    }))

  test('a clock that is set while the process runs changes nothing', () =>
    withWrongClock(0, async (setClock) => {
      setClock(HOUR_MS)
      for (const _ of [1, 2]) {
        const { createdAtMs } = await startTransaction(platform, {})
        expect(Math.abs(createdAtMs - (await databaseMs()))).toBeLessThan(5_000)
      }
    }))
}

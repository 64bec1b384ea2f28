import type { RunMark } from '../../../src/sources/row-source.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import { openTestSource, SIGNAL, sourceAt, type TestSource } from './export-runs.ts'

describeWithPostgres('what became of the transaction of a run', () => {
  let opened: TestSource
  beforeAll(async () => {
    opened = await openTestSource()
    await opened.client.query('create table t as select 1 as id')
  })
  afterAll(() => opened.close())

  const work = { mode: 'atomic', table: 't', where: 'true' } as const

  /** The mark of a run that was rolled back, and the answer to one that differs from it so. */
  async function asked(changed: (mark: RunMark) => Promise<Partial<RunMark>>) {
    const session = await sourceAt(opened.url).open('t', SIGNAL)
    try {
      const transaction = await session.begin(work)
      await transaction.rollback()
      const { mark } = transaction
      expect(await session.outcomeOf(mark)).toBe('rolled-back')
      return await session.outcomeOf({ ...mark, ...(await changed(mark)) })
    } finally {
      await session.close()
    }
  }

  /** The number of a transaction of somebody else. */
  async function committedId(): Promise<string> {
    const { rows } = await opened.client.query('select txid_current()::text as id')
    return rows[0].id
  }

  test('nothing is known by a number that another one has, on the same server', async () => {
    expect(await asked(async () => ({ transactionId: await committedId() }))).toBe('unknown')
  })

  test('it was rolled back where the server has started anew, and has no row of it', async () => {
    const changed = async () => ({ transactionId: await committedId(), startedAt: '1' })
    expect(await asked(changed)).toBe('rolled-back')
    // Notes of before say nothing of the start.
    const old = async () => ({ transactionId: await committedId(), startedAt: undefined })
    expect(await asked(old)).toBe('unknown')
  })

  test('it was committed where there is a row of it, whenever the server was started', async () => {
    const changed = async ({ id }: RunMark) => {
      const values = [id, 't', 1]
      const insert = 'insert into moraine_exports (mark, task, rows) values ($1, $2, $3)'
      await opened.client.query(insert, values)
      return { startedAt: '1' }
    }
    expect(await asked(changed)).toBe('committed')
  })

  test('without a row it was committed by its number on a server that never stopped', async () => {
    const number = async () => ({ isWritten: false, transactionId: await committedId() })
    // The place of a mark without a row names no table.
    const place = async (mark: RunMark) => ({ place: mark.place.replace(/\d*$/, '') })
    const changed = async (mark: RunMark) => ({ ...(await number()), ...(await place(mark)) })
    expect(await asked(changed)).toBe('committed')
    // Notes of before do not say since when the server counts: it did when it was started.
    const { rows } = await opened.client.query(
      'select stats_reset < pg_postmaster_start_time() as kept from pg_stat_bgwriter',
    )
    const old = async (mark: RunMark) => ({ ...(await changed(mark)), countsSince: undefined })
    // PostgreSQL 14 and older begin to count after that.
    expect(await asked(old)).toBe(rows[0].kept ? 'committed' : 'unknown')
    // As after a crash.
    await opened.client.query("select pg_stat_reset_shared('bgwriter')")
    expect(await asked(changed)).toBe('committed')
    for (const other of [
      { startedAt: '1' },
      { startedAt: undefined },
      { countsSince: '1' },
      { countsSince: undefined },
    ]) {
      expect(await asked(async (mark) => ({ ...(await changed(mark)), ...other }))).toBe('unknown')
    }
  })

  test('one that is open is asked for again later', async () => {
    await opened.client.query('begin')
    try {
      const open = asked(async () => ({ transactionId: await committedId() }))
      expect((await refusal(open)).code).toBe('overloaded')
    } finally {
      await opened.client.query('rollback')
    }
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import {
  archivedTexts,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  sourceAt,
  type TestSource,
} from './export-runs.ts'

const ROUNDS = 6
/** A row is gone, its partition is, or it was changed by another one at the same moment. */
const REFUSALS = new Set(['42P01', '23514', '40001', '40P01'])

describeWithPostgres('a writer and an updater beside the very table', () => {
  let opened: TestSource
  let home: string
  let deps: ExportParts
  beforeAll(async () => {
    opened = await openTestSource()
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-writers-beside-'))
    const objects = await openLocalStore({ writableRoots: [home], readableRoots: [] })
    deps = exportParts({ objects, warehouse: `file://${home}`, source: sourceAt(opened.url) })
  })
  afterEach(() => rm(home, { recursive: true }))

  /** Does something again and again beside the work. What the source refuses did not happen. */
  async function beside<T>(
    others: readonly ((client: pg.Client) => Promise<void>)[],
    work: () => Promise<T>,
  ): Promise<T> {
    let isDone = false
    const loops = others.map(async (once) => {
      const client = new pg.Client({ connectionString: opened.url })
      await client.connect()
      while (!isDone) {
        await once(client).catch((error: { code?: string }) => {
          if (!REFUSALS.has(error.code ?? '')) throw error
        })
      }
      await client.end()
    })
    try {
      return await work()
    } finally {
      isDone = true
      await Promise.all(loops)
    }
  }

  const taskOf = (json: object) => parseTask('t', { json: JSON.stringify(json), changedAtMs: 0 })
  const rowsOf = (texts: readonly string[]) =>
    texts.flatMap((text) => text.trim().split('\n').slice(1)).map((line) => line.split(','))

  test('partition: each row that was ever written is left or archived, once', async () => {
    const partition = (name: string, year: number) =>
      `create table ${name} partition of p for values from ('${year}-01-01') ` +
      `to ('${year + 1}-01-01')`
    await opened.client.query(
      'create table p (id int, version int, at date) partition by range (at)',
    )
    const written = new Map<number, number>()
    let nextId = 0
    let year = 2000
    const write = (through: (name: string) => string) => async (client: pg.Client) => {
      const [id, table] = [nextId++, through(`p_${year}`)]
      const at = `${year}-06-01`
      await client.query(`insert into ${table} values ($1, 0, $2)`, [id, at])
      written.set(id, 0)
    }
    const update = async (client: pg.Client) => {
      const { rows } = await client.query(
        `update p_${year} set version = version + 1 where id % 3 = 0 returning id, version`,
      )
      for (const { id, version } of rows) written.set(id, Math.max(version, written.get(id) ?? 0))
    }
    const others = [write(() => 'p'), write((name) => name), update]
    const task = taskOf({ mode: 'partition', table: 'p', min_age: '1 day' })
    for (let round = 0; round < ROUNDS; round++) {
      year = 2000 + round
      await opened.client.query(partition(`p_${year}`, year))
      const before = written.size
      await beside(others, async () => {
        while (written.size < before + 200) await new Promise(setImmediate)
        await exportOnce(deps, task, runOf())
      })
    }
    const archived = rowsOf(await archivedTexts(deps))
    const { rows: left } = await opened.client.query('select id, version from p')
    const all = [
      ...archived.map(([id, version]) => ({ id: Number(id), version: Number(version) })),
      ...left,
    ]
    const versions = new Map(all.map(({ id, version }) => [id, version]))
    expect(versions.size).toBe(all.length)
    expect([...versions.keys()].sort((a, b) => a - b)).toEqual(
      [...written.keys()].sort((a, b) => a - b),
    )
    expect([...written].filter(([id, version]) => (versions.get(id) ?? -1) < version)).toEqual([])
    expect(archived.length).toBeGreaterThan(ROUNDS * 199)
  })

  test('keep: the file is one state of the table, of which nothing is gone', async () => {
    await opened.client.query(
      'create table t (id int primary key, pair int, amount int); ' +
        'insert into t select i, i / 2, 100 from generate_series(0, 1999) i',
    )
    let nextId = 2_000
    const write = async (client: pg.Client) => {
      const id = nextId
      nextId += 2
      await client.query('insert into t values ($1, $3, 100), ($2, $3, 100)', [
        ...[id, id + 1, id / 2],
      ])
    }
    /** From one of a pair to the other. */
    const move = async (client: pg.Client) => {
      await client.query(
        'update t set amount = amount + case when id % 2 = 0 then 1 else -1 end where pair = $1',
        [Math.floor(Math.random() * 1_000)],
      )
    }
    const task = taskOf({ mode: 'keep', table: 't', where: 'true' })
    await beside([write, move, move], async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const result = await exportOnce(deps, task, runOf())
        const texts = await archivedTexts(deps)
        expect(texts).toHaveLength(round + 1)
        expect(result).toMatchObject({ deleted: 0, proof: 'none deleted' })
      }
    })
    for (const text of await archivedTexts(deps)) {
      const rows = rowsOf([text])
      const pairs = new Map<string, number[]>()
      for (const [, pair = '', amount] of rows) {
        pairs.set(pair, [...(pairs.get(pair) ?? []), Number(amount)])
      }
      expect(rows.length).toBeGreaterThanOrEqual(2_000)
      expect(new Set(rows.map(([id]) => id)).size).toBe(rows.length)
      const broken = [...pairs].filter(
        ([, amounts]) => amounts.length !== 2 || (amounts[0] ?? 0) + (amounts[1] ?? 0) !== 200,
      )
      expect(broken).toEqual([])
    }
    const { rows } = await opened.client.query('select count(*)::int as count from t')
    expect(rows[0].count).toBe(nextId)
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { settle } from '../../../src/modules/exports/settle-run.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { dyingStore, Killed } from './dying-store.ts'
import {
  archivedIds,
  exportParts,
  JOB,
  openTestSource,
  runOf,
  SIGNAL,
  sourceAt,
  TASKS_OF_T,
  type TestSource,
} from './export-runs.ts'

const ROWS = 20
const MODES = {
  ...TASKS_OF_T,
  byCount: { json: {}, select: "select id || '' as id from t", remove: 'delete from t' },
  batches: { json: { mode: 'batches', table: 't', where: 'true', batch_rows: 8 } },
  partition: { json: { mode: 'partition', table: 't', min_age: '1 day' } },
} as const
type Mode = keyof typeof MODES

const isStaged = (location: string) => /\/\.staged\/.*\.csv$/.test(location)
const isNote = (location: string) => location.endsWith('.csv.json')
const isReceipt = (location: string) => /\/t\/[^/]+\.csv\.gz\.json$/.test(location)

/** Where a process may die between two of: staged, noted, committed, published, forgotten. */
const ARROWS = [
  ['before the rows are staged', 'putStreamIfAbsent', isStaged, false],
  ['after the rows are staged', 'putStreamIfAbsent', isStaged, true],
  ['before the note', 'putIfAbsent', isNote, false],
  ['before the commit', 'putIfAbsent', isNote, true],
  ['after the commit', 'putIfAbsent', isReceipt, false],
  ['after the receipt', 'putIfAbsent', isReceipt, true],
  ['before the file has its name', 'moveIfAbsent', isStaged, false],
  ['after the file has its name', 'moveIfAbsent', isStaged, true],
  ['before the note is gone', 'delete', isNote, false],
  ['after the note is gone', 'delete', isNote, true],
] as const

describeWithPostgres('exports whose process dies', () => {
  let opened: TestSource
  let home: string
  let store: ObjectStore
  beforeAll(async () => {
    opened = await openTestSource()
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-arrows-'))
    store = await openLocalStore({ writableRoots: [home], readableRoots: [] })
  })
  afterEach(() => rm(home, { recursive: true }))

  const TABLES = ['t', 't_1', 't_2']

  async function fill(mode: Mode): Promise<void> {
    const keyed = 'create table t (id int primary key, at date)'
    const partitioned =
      'create table t (id int, at date) partition by range (at); ' +
      "create table t_1 partition of t for values from ('2020-01-01') to ('2021-01-01'); " +
      "create table t_2 partition of t for values from ('2021-01-01') to ('2022-01-01')"
    await opened.client.query(
      `drop table if exists ${TABLES}, moraine_exports; ` +
        `${mode === 'partition' ? partitioned : keyed}; insert into t ` +
        `select i, date '2020-06-01' + i % 2 * 365 from generate_series(1, ${ROWS}) i`,
    )
  }

  /** A partition that is detached is no part of the table any more. */
  async function leftIds(): Promise<readonly number[]> {
    const ids = new Set<number>()
    for (const table of TABLES) {
      const found = await opened.client.query('select to_regclass($1) as found', [table])
      if (found.rows[0].found === null) continue
      for (const { id } of (await opened.client.query(`select id from ${table}`)).rows) ids.add(id)
    }
    return [...ids]
  }

  const depsOf = (objects: ObjectStore) =>
    exportParts({ objects, warehouse: `file://${home}`, source: sourceAt(opened.url) })

  function taskOf(mode: Mode) {
    const { json, ...statements } = MODES[mode]
    return parseTask('t', { json: JSON.stringify(json), ...statements, changedAtMs: 0 })
  }

  describe.each(Object.keys(MODES) as Mode[])('%s', (mode) => {
    test.each(ARROWS)('%s: each row is left or archived, once', async (_, method, isIt, after) => {
      await fill(mode)
      const dying = dyingStore(store, { method, isIt, after })
      await expect(exportOnce(depsOf(dying), taskOf(mode), runOf(JOB))).rejects.toThrow(Killed)
      const deps = depsOf(store)
      for (const note of await deps.files.listNotes('t', JOB)) await settle(deps, note, SIGNAL)
      const expectEach = async (left: readonly number[]) => {
        const all = [...(await archivedIds(deps)), ...left]
        expect([all.length, new Set(all).size]).toEqual([ROWS, ROWS])
      }
      await expectEach(await leftIds())
      await exportOnce(deps, taskOf(mode), runOf())
      expect(await leftIds()).toEqual([])
      await expectEach([])
      expect(await deps.files.listNotes('t', JOB)).toEqual([])
    })
  })
})

import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { exportOnce } from '../../../src/modules/exports/export-run.ts'
import { parseTask } from '../../../src/modules/exports/export-task.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { describeWithPostgres } from '../../catalog/postgres-server.ts'
import { refusal } from '../../refusal.ts'
import { changedStore } from './changed-store.ts'
import {
  archivedIds,
  archivedTexts,
  type ExportParts,
  exportParts,
  openTestSource,
  runOf,
  sourceAt,
  TASKS_OF_T,
  type TestSource,
} from './export-runs.ts'

const canMount = process.getuid?.() === 0 && process.platform === 'linux' && mayMount()
const testWithDisk = canMount ? test : test.skip
const ROWS = 20_000

describeWithPostgres('places of exports', () => {
  let opened: TestSource
  let url: string
  let source: pg.Client
  let home: string
  let nowMs = 1_735_732_800_000
  beforeAll(async () => {
    opened = await openTestSource()
    url = opened.url
    source = opened.client
  })
  afterAll(() => opened.close())
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'moraine-export-places-'))
    await source.query(
      'drop table if exists t; create table t (id int primary key, note text); ' +
        'insert into t select i, md5(i::text) || md5((-i)::text) ' +
        `from generate_series(1, ${ROWS}) i`,
    )
  })
  afterEach(() => rm(home, { recursive: true, force: true }))

  const depsOf = (objects: ObjectStore, warehouse = `file://${home}/lake`, address = url) =>
    exportParts({ objects, warehouse, source: sourceAt(address), nowMs: () => nowMs })
  const localStore = async () => {
    await mkdir(`${home}/lake`, { recursive: true })
    return openLocalStore({ writableRoots: [`${home}/lake`], readableRoots: [] })
  }
  const MODES = {
    ...TASKS_OF_T,
    batches: { json: { mode: 'batches', table: 't', where: 'true', batch_rows: 8_000 } },
  } as const
  const taskOf = (mode: keyof typeof MODES, more: object = {}) => {
    const { json, ...statements } = MODES[mode]
    const text = JSON.stringify({ ...json, ...more })
    return parseTask('t', { json: text, ...statements, changedAtMs: 0 })
  }
  const left = async () => Number((await source.query('select count(*) from t')).rows[0].count)

  /** Rows left and archived: together all that were written, each once. */
  async function everyRow(deps: ExportParts): Promise<void> {
    const ids = await archivedIds(deps)
    const { rows } = await source.query<{ id: number }>('select id from t')
    const all = [...ids, ...rows.map(({ id }) => id)]
    expect([all.length, new Set(all).size]).toEqual([ROWS, ROWS])
  }

  testWithDisk.each(Object.keys(MODES) as (keyof typeof MODES)[])(
    `a full disk deletes nothing, and is no matter when there is room: %s${
      canMount ? '' : ' (needs a mount)'
    }`,
    async (mode) => {
      const folder = `${home}/lake`
      await mkdir(folder)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder])
      try {
        const deps = depsOf(await localStore())
        const failed = await refusal(exportOnce(deps, taskOf(mode), runOf()))
        expect(failed.code).toBe('storage-full')
        await everyRow(deps)
        execFileSync('mount', ['-o', 'remount,size=64m', folder])
        await exportOnce(deps, taskOf(mode), runOf())
        expect(await left()).toBe(0)
        await everyRow(deps)
      } finally {
        execFileSync('umount', ['-l', folder])
      }
    },
  )

  test('a clock that steps back loses no file and no row', async () => {
    const deps = depsOf(await localStore())
    for (const [i, stepMs] of [0, -3_600_000, 3_600_000, 0].entries()) {
      nowMs = 1_735_732_800_000 + stepMs
      const where = `id between ${i * 5_000 + 1} and ${(i + 1) * 5_000}`
      await exportOnce(deps, taskOf('atomic', { where, name: 'seed' }), runOf())
    }
    expect(await left()).toBe(0)
    expect(await archivedTexts(deps)).toHaveLength(4)
    await everyRow(deps)
  })

  test('two that run one task in two processes do so one after the other', async () => {
    const deps = depsOf(await localStore())
    let open = 0
    let most = 0
    const counting = changedStore(deps.objects, {
      putStreamIfAbsent: async (...given: Parameters<ObjectStore['putStreamIfAbsent']>) => {
        most = Math.max(most, ++open)
        await sleep(20)
        const written = await deps.objects.putStreamIfAbsent(...given)
        open--
        return written
      },
    })
    const some = taskOf('atomic', { max_rows: 5_000 })
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () => exportOnce(depsOf(counting), some, runOf())),
    )
    expect(most).toBe(1)
    expect(outcomes.map((each) => 'rows' in each && each.rows)).toEqual(Array(4).fill(5_000))
    await everyRow(deps)
  })

  /** Databases that are dropped at the end. */
  const encoded: string[] = []
  afterEach(async () => {
    for (const name of encoded.splice(0)) await source.query(`drop database ${name} with (force)`)
  })

  async function rowsLeftAt(address: string): Promise<number> {
    const client = new pg.Client({ connectionString: address })
    await client.connect()
    const { rows } = await client.query('select count(*)::int as count from t')
    await client.end()
    return rows[0].count
  }

  /** A database in the encoding, with one row. */
  async function inEncoding(encoding: string, values: string): Promise<string> {
    const name = `in_${encoding.toLowerCase()}_${randomUUID().replaceAll('-', '')}`
    encoded.push(name)
    await source.query(
      `create database ${name} encoding '${encoding}' locale 'C' template template0`,
    )
    const address = new URL(url)
    address.pathname = `/${name}`
    const client = new pg.Client({ connectionString: address.href })
    await client.connect()
    await client.query(`create table t (id int primary key, note text, raw bytea)`)
    await client.query(`insert into t values ${values}`)
    await client.end()
    return address.href
  }

  test('text in another encoding is archived in UTF-8, NUL in bytes as its digits', async () => {
    const address = await inEncoding('LATIN1', "(1, chr(233), '\\x0041')")
    const deps = depsOf(await localStore(), undefined, address)
    await exportOnce(deps, taskOf('atomic'), runOf())
    const [text = ''] = await archivedTexts(deps)
    expect(Buffer.from(text, 'latin1').toString()).toBe('id,note,raw\n1,é,\\x0041\n')
  })

  test('bytes that are no text in any encoding are refused, and no row is deleted', async () => {
    const address = await inEncoding('SQL_ASCII', "(1, e'\\xff\\xfe', null)")
    const deps = depsOf(await localStore(), undefined, address)
    await expect(exportOnce(deps, taskOf('atomic'), runOf())).rejects.toMatchObject({
      ...{ code: 'source-refused', facts: { sqlState: '22021' } },
    })
    expect(await rowsLeftAt(address)).toBe(1)
    expect(await archivedTexts(deps)).toEqual([])
  })
})

function mayMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

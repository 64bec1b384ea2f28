import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { QueryTable } from '../../../src/engine/engine.ts'
import { keptFolder } from '../../../src/engine/protocol.ts'
import {
  inQueryPlace,
  type QueryPlace,
  withQuerySession,
} from '../../../src/engine/worker/query/query-session.ts'

const before = process.cwd()
let base = ''
let folder = ''

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-place-')))
  folder = `${base}/task`
})
afterEach(async () => {
  process.chdir(before)
  await rm(base, { recursive: true })
})

const PART = { rowsMax: 10, bytesMax: 1_000 }
const SOURCE = { path: '/data/a.parquet', columns: [] }
const table = (more: Partial<QueryTable> = {}): QueryTable => {
  return { schema: { schemaId: 0, fields: [], identifierFieldIds: [] }, sources: [SOURCE], ...more }
}

function run<T>(job: Parameters<typeof inQueryPlace>[0], work: (place: QueryPlace) => Promise<T>) {
  return inQueryPlace(job, { folder, memoryBytes: 256_000_000, linkedPaths: [] }, work)
}

test.each([
  ['a result that has no end', { tables: [table()] }],
  [
    'many files',
    { tables: [table({ sources: Array.from({ length: 65 }, () => SOURCE) })], part: PART },
  ],
  [
    'deleted rows',
    { tables: [table({ sources: [{ ...SOURCE, deletedRows: Uint8Array.of(1) }] })], part: PART },
  ],
  [
    'a policy',
    {
      tables: [
        table({ restriction: { readAs: table().schema, filter: undefined, actions: new Map() } }),
      ],
      part: PART,
    },
  ],
])('a query has a DuckDB and a folder of its own: %s', async (_, job) => {
  const place = await run(job, async (given) => given)
  expect(place).toMatchObject({ folder, isKept: false })
})

test('a small one is done in a folder that is empty afterwards, its output moved', async () => {
  const kept = await run({ tables: [table()], part: PART }, async (place) => {
    expect([place.isKept, process.cwd()]).toEqual([true, place.folder])
    await withQuerySession(place, { trust: 'values', statements: 'own' }, (connection) =>
      connection.run("COPY (SELECT 7 AS a) TO 'output' (FORMAT csv)"),
    )
    return place.folder
  })
  expect(kept).not.toBe(folder)
  expect(await readFile(`${folder}/output`, 'utf8')).toBe('a\n7\n')
  expect((await readdir(base)).sort()).toEqual([basename(kept), 'task'])
  expect(await readdir(kept)).toEqual([])
})

test('what has too little memory is done once more, where it may spill', async () => {
  const made: boolean[] = []
  await run({ tables: [table()], part: PART }, async (place) => {
    made.push(place.isKept)
    place.linkedPaths.push('/data/a.parquet')
    expect(place.linkedPaths).toHaveLength(1)
    await withQuerySession(
      { ...place, linkedPaths: [] },
      { trust: 'values', statements: "user's" },
      (connection) =>
        connection.run(
          "COPY (SELECT DISTINCT md5(i::VARCHAR) || repeat('x', 200) AS a " +
            "FROM range(1500000) t(i) ORDER BY a) TO 'output' (FORMAT csv)",
        ),
    )
    await writeFile('done', '')
  })
  expect(made).toEqual([true, false])
  expect(await readdir(keptFolder(base, process.pid))).toEqual([])
  expect((await readdir(folder)).filter((name) => name !== 'spill').sort()).toEqual([
    ...['done', 'output'],
  ])
})

test('its folder may be taken by a sweep: what became of the work is told', async () => {
  const take = () => rm(keptFolder(base, process.pid), { recursive: true })
  const done = run({ tables: [table()], part: PART }, async () => {
    await take()
    return 7
  })
  expect(await done).toBe(7)
  const failed = run({ tables: [table()], part: PART }, async () => {
    await take()
    throw new Error('Binder Error')
  })
  await expect(failed).rejects.toThrow('Binder Error')
  const again = run({ tables: [table()], part: PART }, async (place) => place.isKept)
  expect(await again).toBe(true)
})

test('another failure is no reason to do it again, and leaves nothing', async () => {
  let times = 0
  const failed = run({ tables: [table()], part: PART }, async () => {
    times++
    await writeFile('output', '')
    throw new Error('Binder Error')
  })
  await expect(failed).rejects.toThrow('Binder Error')
  expect(times).toBe(1)
  expect(await readdir(keptFolder(base, process.pid))).toEqual([])
  await expect(readdir(folder)).rejects.toThrow('ENOENT')
})

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExportFiles } from '../../../src/modules/exports/export-files.ts'
import { fileNames } from '../../../src/modules/exports/file-name.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { changedStore } from './changed-store.ts'

let home: string
let store: ObjectStore
let read: string[]
let files: ExportFiles
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-export-files-'))
  read = []
  store = await openLocalStore({ writableRoots: [home], readableRoots: [] })
  const objects = changedStore(store, {
    read: (location, options) => {
      read.push(location)
      return store.read(location, options)
    },
  })
  files = new ExportFiles({ objects, warehouse: home })
})
afterEach(() => rm(home, { recursive: true }))

interface Archived {
  readonly at: string
  readonly naming?: 'seed' | 'sortable'
  readonly runId?: string
  readonly part?: number
}

/** The receipt of a file, as `publish` writes it; returns the file's name. */
async function archive({ at, naming = 'seed', runId = randomUUID(), part }: Archived) {
  const task = { name: 't', naming, compression: 'gzip' } as const
  const [file] = fileNames(task, { runId, markId: randomUUID(), at: new Date(at), part })
  const receipt = {
    ...{ run_id: runId, task: 't', source: 'crm', file, rows: 1, deleted: 1, proof: 'rows' },
    ...{ bytes: 1, sha256: 'x', exported_at: at },
  }
  const folder = join(home, '.exports', 't')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${file}.json`), JSON.stringify(receipt))
  await writeFile(join(folder, file), 'x')
  return file
}

const namesOf = (receipts: readonly { readonly file: string }[]) => receipts.map(({ file }) => file)

test('files are listed by their time, also where twelve comes before one', async () => {
  const named: string[] = []
  for (const at of ['00:30', '01:30', '11:59', '12:30', '13:30', '23:59']) {
    const naming = at === '11:59' ? 'sortable' : 'seed'
    named.unshift(await archive({ at: `2026-02-03T${at}:00.000Z`, naming }))
  }
  named.unshift(await archive({ at: '2026-02-04T00:00:01.000Z' }))
  expect(named.filter((name) => /-12_\d\d_\d\d_AM/.test(name))).toHaveLength(2)
  expect(namesOf(await files.list('t', { before: undefined, limit: 9 }))).toEqual(named)
  const paged: string[] = []
  for (let before: string | undefined; ; before = paged.at(-1)) {
    const page = await files.list('t', { before, limit: 2 })
    if (page.length === 0) break
    paged.push(...namesOf(page))
  }
  expect(paged).toEqual(named)
})

test('the files of a run are in the order of its parts, whatever the clock did', async () => {
  const runId = randomUUID()
  const parts: string[] = []
  for (const [part, at] of [
    [1, '2026-02-03T00:00:09.000Z'],
    [2, '2026-02-03T00:00:01.000Z'],
    [99_999, '2026-02-03T00:00:01.000Z'],
    [100_000, '2026-02-03T00:00:01.000Z'],
  ] as const) {
    parts.push(await archive({ runId, part, at, naming: 'sortable' }))
    await archive({ part, at, naming: 'sortable' })
  }
  expect(namesOf(await files.listParts('t', runId))).toEqual(parts)
  expect(read).toHaveLength(4)
  const page = (after: string | undefined) => files.listOfRun('t', runId, { after, limit: 2 })
  expect(namesOf(await page(undefined))).toEqual(parts.slice(0, 2))
  expect(namesOf(await page(parts[1]))).toEqual(parts.slice(2))
  read = []
  await archive({ at: '2026-02-04T00:00:01.000Z' })
  expect([await page(parts[3]), read]).toEqual([[], []])
})

test('whose a file of the seed is is looked for, the newest first', async () => {
  const runs = Array.from({ length: 60 }, () => randomUUID())
  const startMs = Date.parse('2026-02-03T09:00:00.000Z')
  for (const [index, runId] of runs.entries()) {
    await archive({ runId, at: new Date(startMs + index * 3_600_000).toISOString() })
  }
  const ofRun = (runId = '') => files.listOfRun('t', runId, { after: undefined, limit: 9 })
  expect((await ofRun(runs[59])).map(({ run_id }) => run_id)).toEqual([runs[59]])
  expect(read.length).toBeLessThanOrEqual(16)
  expect((await ofRun(runs[0])).map(({ run_id }) => run_id)).toEqual([runs[0]])
  read = []
  // None is a run of this name: no receipt of one is read twice, and none of names with a run.
  const other = await archive({ at: '2026-02-09T00:00:00.000Z', naming: 'sortable' })
  expect(await ofRun('no-such-run')).toEqual([])
  expect(read).toHaveLength(60)
  expect(read.filter((location) => location.includes(other))).toEqual([])
})

test('a file is told of as soon as it can be downloaded, and not before', async () => {
  const runId = randomUUID()
  const other = await archive({ at: '2026-02-03T01:00:00.000Z', naming: 'sortable' })
  const file = await archive({ at: '2026-02-03T02:00:00.000Z', naming: 'sortable', runId })
  const folder = join(home, '.exports', 't')
  const staged = files.stagedLocation('t', runId, randomUUID())
  await store.putIfAbsent(staged, Buffer.from('x'))
  const told = async () => ({
    listed: namesOf(await files.list('t', { before: undefined, limit: 9 })),
    ofRun: namesOf(await files.listOfRun('t', runId, { after: undefined, limit: 9 })),
    found: await files.find('t', file).then(
      () => true,
      ({ code }) => code,
    ),
  })
  // As a copy in a bucket is for a while: the receipt is there, and the file is still staged.
  await rm(join(folder, file))
  expect(await told()).toEqual({ listed: [other], ofRun: [], found: 'export-file-not-found' })
  await writeFile(join(folder, file), 'x')
  const named = { listed: [file, other], ofRun: [file], found: true }
  expect(await told()).toEqual(named)
  await store.delete(staged)
  expect(await told()).toEqual(named)
  // One that somebody has deleted is told of: its receipt says that it was there.
  await rm(join(folder, file))
  expect(await told()).toEqual(named)
})

/** A run that is committed, whose file is staged. */
async function committed(bytes: string) {
  const [runId, markId] = [randomUUID(), randomUUID()]
  const staged = files.stagedLocation('t', runId, markId)
  await store.putIfAbsent(staged, Buffer.from(bytes))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return {
    ...{ run_id: runId, task: 't', source: 'crm', staged, rows: 1, deleted: 1, proof: 'rows' },
    ...{ file: 't-1.csv', other_file: 't-2.csv', bytes: bytes.length, sha256 },
    mark: { id: markId, transactionId: '1', isWritten: true, place: '' },
    exported_at: '2026-02-03T01:00:00.000Z',
  }
}

test.each(['theirs', 'longer'])('a file of somebody else (%s) has its name', async (theirs) => {
  const folder = join(home, '.exports', 't')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 't-1.csv'), theirs)
  const note = await committed('a,b,c\n')
  expect(await files.publish(note)).toMatchObject({ file: 't-2.csv' })
  expect(await files.publish(note)).toMatchObject({ file: 't-2.csv' })
  expect((await readdir(folder)).sort()).toEqual(['t-1.csv', 't-2.csv', 't-2.csv.json'])
  expect(await readFile(join(folder, 't-1.csv'), 'utf8')).toBe(theirs)
  expect(await readFile(join(folder, 't-2.csv'), 'utf8')).toBe('a,b,c\n')
})

test('a staged file stays while one of its name and size has other bytes', async () => {
  const note = await committed('a,b,c\n')
  await files.publish(note)
  // As in a bucket, where the copy is there before the staged one is gone.
  await store.putIfAbsent(note.staged, Buffer.from('a,b,c\n'))
  expect(await files.publish(note)).toMatchObject({ file: 't-1.csv' })
  expect(await store.find(note.staged)).toBeUndefined()
  await store.putIfAbsent(note.staged, Buffer.from('a,b,c\n'))
  await writeFile(join(home, '.exports', 't', 't-1.csv'), 'theirs')
  await expect(files.publish(note)).rejects.toThrow('has other bytes')
  expect(await store.find(note.staged)).toMatchObject({ sizeBytes: 6 })
})

test('a list of very many files gives others their turns', async () => {
  const names = Array.from({ length: 30_000 }, (_, i) => {
    const at = new Date(Date.UTC(2025, 0, 1) + i * 60_000)
    const task = { name: 't', naming: 'sortable', compression: 'gzip' } as const
    const [file] = fileNames(task, { runId: randomUUID(), markId: randomUUID(), at })
    return file
  })
  const objects = changedStore(store, {
    async *list(root) {
      for (const name of names) {
        for (const ending of ['', '.json']) {
          yield { location: `${root}/${name}${ending}`, sizeBytes: 1, modifiedAtMs: 0, version: '' }
        }
      }
    },
  })
  const many = new ExportFiles({ objects, warehouse: home })
  let turns = 0
  let isOver = false
  const count = () => {
    turns++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  // Their receipts are not there.
  await expect(many.list('t', { before: undefined, limit: 1 })).rejects.toThrow()
  isOver = true
  expect(turns).toBeGreaterThan(5)
})

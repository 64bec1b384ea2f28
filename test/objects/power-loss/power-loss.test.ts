import { once } from 'node:events'
import { type FileHandle, mkdir, mkdtemp, open, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import Sqlite from 'better-sqlite3'
import { copySqlite, restoreSqlite } from '../../../src/catalog/sqlite/sqlite-copy.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { afterPowerLoss, noteSync } from './forgetful-disk.ts'

type Syncs = Pick<FileHandle, 'sync' | 'datasync' | 'fd'>

let base = ''
let root = ''
let journal = ''
let store: ObjectStore
let syncs: Syncs
let real: Pick<Syncs, 'sync' | 'datasync'>

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-power-loss-')))
  root = `${base}/warehouse`
  journal = `${base}/journal`
  await mkdir(root)
  await writeFile(journal, '')
  store = await openLocalStore({ writableRoots: [root], readableRoots: [base] })
  await noteSyncs()
})
afterEach(async () => {
  Object.assign(syncs, real)
  await rm(base, { recursive: true, force: true })
})

/** Puts the fake disk between the store and the real one. */
async function noteSyncs(): Promise<void> {
  const handle = await open(journal)
  syncs = Object.getPrototypeOf(handle) as Syncs
  await handle.close()
  const { sync, datasync } = syncs
  real = { sync, datasync }
  syncs.sync = function (this: Syncs) {
    noteSync(journal, this.fd)
    return sync.call(this)
  }
  syncs.datasync = function (this: Syncs) {
    noteSync(journal, this.fd)
    return datasync.call(this)
  }
}

function kept(): Record<string, string> {
  const files = Object.entries(afterPowerLoss(root, journal))
  // What was being written has a name that is not an object's.
  return Object.fromEntries(files.filter(([path]) => !/(^|\/)\./.test(path)))
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text)
}

describe('what the local store has acknowledged outlives a loss of power', () => {
  test('a file, in folders that were made for it', async () => {
    await store.putIfAbsent(`file://${root}/a/b/one`, bytesOf('first'))
    expect(kept()).toEqual({ 'a/b/one': 'first' })
    await store.putIfAbsent(`file://${root}/a/b/two`, bytesOf('second'))
    expect(kept()).toEqual({ 'a/b/one': 'first', 'a/b/two': 'second' })
  })

  test('a file written in pieces', async () => {
    const pieces = chunksOf('first, ', 'second')
    await store.putStreamIfAbsent(`file://${root}/pieces`, pieces, { bytesMax: 100 })
    expect(kept()).toEqual({ pieces: 'first, second' })
  })

  test('a file that another program has written and that is taken over', async () => {
    await writeFile(`${base}/made`, 'by an engine')
    await store.putFileIfAbsent(`file://${root}/a/taken`, `${base}/made`)
    expect(kept()).toEqual({ 'a/taken': 'by an engine' })
  })

  test('a file under the name it was moved to', async () => {
    await store.putIfAbsent(`file://${root}/from/one`, bytesOf('moved'))
    await store.moveIfAbsent(`file://${root}/from/one`, `file://${root}/to/two`)
    expect(kept()).toMatchObject({ 'to/two': 'moved' })
  })

  test('a file that a thread has written', async () => {
    const thread = startThread()
    const task = { kind: 'put', roots: [root], folder: root, name: 'one', temporaryName: '.new' }
    thread.postMessage({ id: 1, task: { ...task, bytes: bytesOf('by a thread') } })
    const [{ result }] = await once(thread, 'message')
    await thread.terminate()
    expect(result).toEqual({ outcome: 'written' })
    expect(kept()).toEqual({ one: 'by a thread' })
  })
})

describe('what was backed up outlives a loss of power', () => {
  const HEADER = 'SQLite format 3\0'

  test('a copy of the catalog, and a catalog that is restored from it', async () => {
    const database = new Sqlite(`${base}/catalog.db`)
    database.exec('create table a (b)')
    database.close()
    await copySqlite({ from: `${base}/catalog.db`, to: `${root}/copy.db` })
    expect(kept()).toEqual({ 'copy.db': expect.stringContaining(HEADER) })
    await restoreSqlite({ from: `${root}/copy.db`, to: `${root}/restored.db` })
    expect(kept()).toEqual({
      'copy.db': expect.stringContaining(HEADER),
      'restored.db': expect.stringContaining(HEADER),
    })
  })
})

function startThread(): Worker {
  const loader = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/cjs$/, 'mjs')
  const entry = new URL('./forgetful-thread.ts', import.meta.url).href
  const script = `import(${JSON.stringify(pathToFileURL(loader).href)})
    .then(({ register }) => register())
    .then(() => import(${JSON.stringify(entry)}))`
  return new Worker(script, { eval: true, env: {}, execArgv: [], workerData: { journal } })
}

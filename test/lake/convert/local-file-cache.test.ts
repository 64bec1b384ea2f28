import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalFileCache } from '../../../src/lake/convert/local-file-cache.ts'
import { writeLocalFile } from '../../../src/objects/local/local-file.ts'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'

let home: string
let store: ObjectStore
let reads: string[]
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'moraine-local-files-'))
  store = await openLocalStore({ writableRoots: [`${home}/store`], readableRoots: [] })
  reads = []
  await writeObject('a', 10)
  await writeObject('b', 10)
  await writeObject('c', 10)
})
afterEach(() => rm(home, { recursive: true, force: true }))

function locationOf(name: string): string {
  return `file://${home}/store/${name}`
}

async function writeObject(name: string, bytes: number): Promise<void> {
  await store.putIfAbsent(locationOf(name), Buffer.from(name.repeat(bytes)))
}

/** Stands in for a bucket: the real store, without local paths. */
function storeWithoutPaths(): ObjectStore {
  return new Proxy(store, {
    get(target, property) {
      if (property === 'findLocalPath') return async () => undefined
      if (property === 'readStream') {
        return (location: string, offset: number, length: number) => {
          reads.push(location.slice(-1))
          return target.readStream(location, offset, length)
        }
      }
      const member = Reflect.get(target, property)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function open(objects: ObjectStore, bytesMax: number): LocalFileCache {
  return new LocalFileCache({
    objects,
    folder: home,
    bytesMax,
    newUuid: () => crypto.randomUUID(),
    writeLocalFile,
    removeLocalFile: (path) => rm(path, { force: true }),
  })
}

async function copies(): Promise<string[]> {
  return (await readdir(home)).filter((name) => name.startsWith('cached-'))
}

test('what the store has on the local disk is used where it is', async () => {
  const cache = open(store, 100)
  await cache.use(async ({ pathOf }) => {
    expect(await pathOf(locationOf('a'))).toBe(`${home}/store/a`)
  })
  expect(await copies()).toEqual([])
})

test('an object is copied once, however many ask for it, and found again later', async () => {
  const cache = open(storeWithoutPaths(), 100)
  const read = () =>
    cache.use(async ({ pathOf }) => (await readFile(await pathOf(locationOf('a')))).toString())
  expect(await Promise.all([read(), read(), read()])).toEqual(Array(3).fill('a'.repeat(10)))
  expect(await read()).toBe('a'.repeat(10))
  expect(reads).toEqual(['a'])
})

test('copies that nobody uses are bounded, the least recently used goes first', async () => {
  const cache = open(storeWithoutPaths(), 20)
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) {
    await cache.use(({ pathOf }) => pathOf(locationOf(name)))
  }
  expect(reads).toEqual(['a', 'b', 'c', 'b'])
  expect(await copies()).toHaveLength(2)
})

test('a copy in use stays, beyond the bound, and goes when its work is done', async () => {
  const cache = open(storeWithoutPaths(), 5)
  await cache.use(async ({ pathOf }) => {
    const path = await pathOf(locationOf('a'))
    await cache.use(({ pathOf: other }) => other(locationOf('b')))
    expect((await readFile(path)).toString()).toBe('a'.repeat(10))
  })
  expect(await copies()).toEqual([])
})

test('a copy that fails is no copy: the next attempt makes it again', async () => {
  const cache = open(storeWithoutPaths(), 100)
  const attempt = () => cache.use(({ pathOf }) => pathOf(locationOf('d')))
  await expect(attempt()).rejects.toMatchObject({ code: 'file-not-found' })
  await writeObject('d', 1)
  expect((await readFile(await attempt())).toString()).toBe('d')
})

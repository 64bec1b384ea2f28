import { mkdtemp, readdir, readFile, realpath, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalStore } from '../../../src/objects/local/local-store.ts'
import { LocalThreads } from '../../../src/objects/local/local-threads.ts'
import type { ObjectStore } from '../../../src/objects/object-store.ts'
import { bytesOf } from '../object-store.contract.ts'

let base = ''
let threads: LocalThreads
let store: ObjectStore

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-threads-')))
  threads = new LocalThreads({ writers: 2, readers: 1 })
  store = await openLocalStore({ writableRoots: [base], readableRoots: [], threads })
})
afterEach(async () => {
  await threads.close()
  await rm(base, { recursive: true })
})

describe('threads of the local store', () => {
  test('of many puts of one name at once exactly one is written, whole', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `${i} `.repeat(1_000))
    const outcomes = await Promise.all(
      texts.map((text) => store.putIfAbsent(`${base}/folder/one`, bytesOf(text))),
    )
    expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1)
    const written = texts[outcomes.indexOf('written')]
    expect(await readFile(`${base}/folder/one`, 'utf8')).toBe(written)
    expect(await readdir(`${base}/folder`)).toEqual(['one'])
  })

  test('a folder that another one took the place of is written to where it is now', async () => {
    await store.putIfAbsent(`${base}/a/one`, bytesOf('1'))
    await store.putIfAbsent(`${base}/b/two`, bytesOf('2'))
    await rename(`${base}/a`, `${base}/c`)
    await rename(`${base}/b`, `${base}/a`)
    expect(await store.putIfAbsent(`${base}/a/three`, bytesOf('3'))).toBe('written')
    expect((await readdir(`${base}/a`)).sort()).toEqual(['three', 'two'])
    expect(await readdir(`${base}/c`)).toEqual(['one'])
  })

  test('more folders than are kept open are written to, again and again', async () => {
    const locations = Array.from({ length: 300 }, (_, i) => `${base}/folder-${i % 100}/file-${i}`)
    const outcomes = await Promise.all(locations.map((l) => store.putIfAbsent(l, bytesOf(l))))
    expect(new Set(outcomes)).toEqual(new Set(['written']))
    for (const location of locations) expect(await readFile(location, 'utf8')).toBe(location)
    const open = await readdir('/proc/self/fd')
    expect(open.length).toBeLessThan(400)
  })

  test('the names of 40,000 files are looked at without holding the event loop', async () => {
    await store.putIfAbsent(`${base}/folder/file`, bytesOf('x'))
    const names = Array.from({ length: 40_000 }, (_, i) => `${base}/folder/${i}`)
    let turns = 0
    let next: NodeJS.Immediate
    const watch = () => {
      turns += 1
      next = setImmediate(watch)
    }
    next = setImmediate(watch)
    expect(await store.findLinked(names)).toBeUndefined()
    expect(turns).toBeGreaterThan(20)
    await symlink(`${base}/folder/file`, `${base}/folder/39999`)
    expect(await store.findLinked(names)).toMatchObject({
      location: `file://${base}/folder/39999`,
      ownLocation: `file://${base}/folder/file`,
    })
    clearImmediate(next)
  })

  test('what is under way when they are closed is refused, and they start again', async () => {
    await store.putIfAbsent(`${base}/folder/first`, bytesOf('1'))
    const names = Array.from({ length: 500 }, (_, i) => `${base}/folder/${i}`)
    const putting = Promise.allSettled(names.map((name) => store.putIfAbsent(name, bytesOf(name))))
    await threads.close()
    const outcomes = await putting
    const refused = outcomes.flatMap((o) => (o.status === 'rejected' ? [String(o.reason)] : []))
    expect(new Set(refused)).toEqual(new Set(['Error: the thread moraine-objects ended']))
    for (const [i, { status }] of outcomes.entries()) {
      if (status === 'fulfilled') expect(await readFile(`${base}/folder/${i}`)).toBeDefined()
    }
    expect(await store.putIfAbsent(`${base}/folder/third`, bytesOf('3'))).toBe('written')
  })
})

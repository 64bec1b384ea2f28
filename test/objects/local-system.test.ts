import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { realPathByIdentity } from '../../src/objects/local/local-roots.ts'
import { openLocalStore } from '../../src/objects/local/local-store.ts'
import { LocalThreads } from '../../src/objects/local/local-threads.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import {
  attemptsOn,
  bytesOf,
  chunksOf,
  expectCode,
  namesBelow,
  textOf,
} from './object-store.contract.ts'

const isRoot = process.getuid?.() === 0
const tinyDisk = mountTinyDisk()

const inThreads = new LocalThreads({ writers: 2, readers: 1 })

afterAll(async () => {
  await inThreads.close()
  if (tinyDisk === undefined) return
  execFileSync('umount', ['--lazy', tinyDisk])
  rmSync(tinyDisk, { recursive: true })
})

/** 256 KB of memory as a disk, where the system lets us mount one. */
function mountTinyDisk(): string | undefined {
  if (!isRoot || process.platform !== 'linux') return undefined
  const folder = mkdtempSync(join(tmpdir(), 'moraine-tiny-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
}

describe.each([
  ['in calls of its own', {}],
  ['in threads', { threads: inThreads }],
])('the local store and the operating system, %s', (_way, way) => {
  let base: string
  let warehouse: string
  let store: ObjectStore

  beforeEach(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), 'moraine-objects-')))
    warehouse = `${base}/warehouse`
    store = await openLocalStore({ writableRoots: [warehouse], readableRoots: [], ...way })
  })
  afterEach(() => rm(base, { recursive: true }))

  test('a FIFO and a folder are no objects, and nothing waits for a FIFO', async () => {
    execFileSync('mkfifo', [`${warehouse}/fifo`])
    await mkdir(`${warehouse}/folder`)
    for (const name of ['fifo', 'folder']) {
      const location = `${warehouse}/${name}`
      await expectCode(store.read(location, { bytesMax: 9 }), 'file-not-found')
      await expectCode(store.readRange(location, 0, 9), 'file-not-found')
      await expectCode(store.readTail(location, 9), 'file-not-found')
      expect(await store.find(location)).toBeUndefined()
      await expectCode(store.putIfAbsent(location, bytesOf('x')), 'location-invalid')
      await store.delete(location)
    }
    expect(await namesBelow(store, warehouse)).toEqual([])
    expect((await readdir(warehouse)).sort()).toEqual(['fifo', 'folder'])
  })

  test('a socket is no object', async () => {
    const server = createServer().listen(`${warehouse}/socket`)
    await once(server, 'listening')
    await expectCode(store.read(`${warehouse}/socket`, { bytesMax: 9 }), 'file-not-found')
    expect(await namesBelow(store, warehouse)).toEqual([])
    server.close()
  })

  test('a file cannot be used as a folder', async () => {
    await store.putIfAbsent(`${warehouse}/file`, bytesOf('x'))
    const below = `${warehouse}/file/below/it`
    await expectCode(store.putIfAbsent(below, bytesOf('x')), 'location-invalid')
    await expectCode(store.read(below, { bytesMax: 9 }), 'file-not-found')
    expect(await store.find(below)).toBeUndefined()
    expect(await namesBelow(store, `${warehouse}/file`)).toEqual([])
  })

  test('a name longer than the file system takes is refused', async () => {
    for (const attempt of attemptsOn(store, `${warehouse}/${'n'.repeat(300)}`).slice(0, 6)) {
      await expectCode(attempt, 'location-invalid')
    }
    const longest = `${warehouse}/${'n'.repeat(255)}`
    expect(await store.putIfAbsent(longest, bytesOf('x'))).toBe('written')
  })

  const testUnlessRoot = isRoot ? test.skip : test
  testUnlessRoot('what may not be read or written is refused (not run as root)', async () => {
    await store.putIfAbsent(`${warehouse}/closed`, bytesOf('x'))
    await chmod(`${warehouse}/closed`, 0)
    const read = store.read(`${warehouse}/closed`, { bytesMax: 9 })
    await expectCode(read, 'location-not-allowed')
    await chmod(warehouse, 0o500)
    await expectCode(store.putIfAbsent(`${warehouse}/new`, bytesOf('x')), 'location-not-allowed')
    await chmod(warehouse, 0o700)
  })

  const testOnTinyDisk = tinyDisk === undefined ? test.skip : test
  testOnTinyDisk('a full disk is storage-full and leaves nothing (needs mount)', async () => {
    const root = `${tinyDisk}`
    const tiny = await openLocalStore({ writableRoots: [root], readableRoots: [], ...way })
    expect(await tiny.putIfAbsent(`${root}/small`, bytesOf('fits'))).toBe('written')
    // Of a length that threads take, too.
    const large = new Uint8Array(500_000)
    await expectCode(tiny.putIfAbsent(`${root}/a/large`, large), 'storage-full')
    const parts = chunksOf(...Array.from({ length: 40 }, () => 'x'.repeat(20_000)))
    const streamed = tiny.putStreamIfAbsent(`${root}/a/large`, parts, { bytesMax: 10 ** 9 })
    await expectCode(streamed, 'storage-full')
    expect(await readdir(`${root}/a`)).toEqual([])
    expect(await tiny.putIfAbsent(`${root}/a/large`, bytesOf('now it fits'))).toBe('written')
    await rm(`${root}/a`, { recursive: true })
    await rm(`${root}/small`)
  })

  test('a writer killed half-way leaves no object, and the name stays free', async () => {
    const location = `file://${warehouse}/folder/large`
    const child = startWriter(warehouse, location)
    await once(child.stdout ?? child, 'data')
    const leftOver = await readdir(`${warehouse}/folder`)
    child.kill('SIGKILL')
    await once(child, 'exit')

    expect(leftOver).toEqual([expect.stringMatching(/^\.moraine-[0-9a-f-]{36}\.tmp$/)])
    expect(await readdir(`${warehouse}/folder`)).toEqual(leftOver)
    expect(await namesBelow(store, warehouse)).toEqual([])
    expect(await store.find(location)).toBeUndefined()
    const hidden = `${warehouse}/folder/${leftOver[0]}`
    await expectCode(store.read(hidden, { bytesMax: 10 ** 9 }), 'location-invalid')
    expect(await store.putIfAbsent(location, bytesOf('second try'))).toBe('written')
  }, 20_000)

  test('a folder that is removed between two puts is made again', async () => {
    for (let i = 0; i < 5; i++) {
      expect(await store.putIfAbsent(`${warehouse}/a/b/c`, bytesOf('x'))).toBe('written')
      await rm(`${warehouse}/a`, { recursive: true })
    }
  })

  test('a put into a folder that is moved away in between is not called written', async () => {
    async function* chunks() {
      yield bytesOf('first')
      await rename(`${warehouse}/a`, `${warehouse}/b`)
      yield bytesOf('second')
    }
    const put = store.putStreamIfAbsent(`${warehouse}/a/file`, chunks(), { bytesMax: 99 })
    const reason = expect.stringContaining('was moved or removed')
    await expect(put).rejects.toMatchObject({ cause: { message: reason } })
  })

  test('a warehouse that is gone is not made again', async () => {
    await rm(warehouse, { recursive: true })
    await expect(store.putIfAbsent(`${warehouse}/a/b`, bytesOf('x'))).rejects.toThrow('is gone')
    expect(await readdir(base)).toEqual([])
  })

  test('links exchanged while the store works never let it out of its roots', async () => {
    await mkdir(`${base}/private`)
    await writeFile(`${base}/private/file`, 'secret')
    await mkdir(`${warehouse}/real`)
    await writeFile(`${warehouse}/real/file`, 'public')
    await symlink(`${warehouse}/real`, `${warehouse}/swapped`)
    const child = startSwapper(warehouse, [`${base}/private`, `${warehouse}/real`])
    await once(child.stdout ?? child, 'data')
    const seen = new Set<string>()
    for (let i = 0; i < 400; i++) {
      const location = `${warehouse}/swapped/file`
      seen.add(await store.read(location, { bytesMax: 99 }).then(textOf, codeOf))
      seen.add(await store.readTail(location, 99).then(({ bytes }) => textOf(bytes), codeOf))
      seen.add(await store.putIfAbsent(`${warehouse}/swapped/new-${i}`, bytesOf('x')).catch(codeOf))
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect([...seen].sort()).toEqual(['location-not-allowed', 'public', 'written'])
    expect(await readdir(`${base}/private`)).toEqual(['file'])
  }, 30_000)

  test('without /proc, an opened file is known by its identity', async () => {
    await writeFile(`${warehouse}/one`, '1')
    await writeFile(`${warehouse}/two`, '2')
    const handle = await open(`${warehouse}/one`)
    expect(await realPathByIdentity(handle, `${warehouse}/one`)).toBe(`${warehouse}/one`)
    await rename(`${warehouse}/two`, `${warehouse}/one`)
    expect(await realPathByIdentity(handle, `${warehouse}/one`)).toBeUndefined()
    await handle.close()
  })
})

function startWriter(root: string, location: string): ChildProcess {
  const script = fileURLToPath(new URL('./killed-writer.ts', import.meta.url))
  return spawn(process.execPath, ['--import', 'tsx', script, root, location], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Turns the link `swapped` from one target to the other as fast as it can. */
function startSwapper(folder: string, targets: readonly string[]): ChildProcess {
  const script = `
    const { renameSync, symlinkSync } = require('node:fs')
    const [folder, ...targets] = process.argv.slice(1)
    process.stdout.write('ready')
    for (let i = 0; ; i++) {
      symlinkSync(targets[i % targets.length], folder + '/next')
      renameSync(folder + '/next', folder + '/swapped')
    }`
  return spawn(process.execPath, ['-e', script, folder, ...targets], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error)
}

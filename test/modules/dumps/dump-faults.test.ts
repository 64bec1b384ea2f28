import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { open, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { jest } from '@jest/globals'
import { indexLocation } from '../../../src/modules/dumps/dump-key.ts'
import type { DumpProgress } from '../../../src/modules/dumps/dump-progress.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { forgetFooter } from '../../lake/forget-footer.ts'
import { append, Lake } from '../../lake/lake.ts'
import { START_MS } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'
import { bytesOf, type DumpShop, finished, openDumpShop } from './dump-shop.ts'

/** Engines start as processes of their own. */
jest.setTimeout(120_000)

let lake: Lake
let shop: DumpShop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(() => openShop())
afterEach(() => shop.close())

async function openShop(options: Parameters<typeof openDumpShop>[0] = {}): Promise<void> {
  shop = await openDumpShop(options)
  const columns = [
    { name: 'n', type: 'long' },
    { name: 's', type: 'string' },
  ]
  await createTable(shop.deps, { name: 't', columns })
}

function path(name: string): string {
  return `${shop.dataFolder}/${name}.parquet`
}

function home(): string {
  return dirname(shop.dataFolder)
}

function write(name: string, rows = 1000): Promise<string> {
  const query = `SELECT range AS n, md5('${name}' || range) AS s FROM range(${rows})`
  return lake.write(path(name), query)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** Looks again and again, for a minute at most. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (holds()) return
    await sleep(10)
  }
  throw new Error('it never came to be')
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === `${pid}`
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Whether an engine has begun to write. */
function isExporting(): boolean {
  const outputs = readdirSync(join(home(), 'tmp'), { recursive: true }).map(String)
  return outputs.some((name) => {
    if (!name.endsWith('/output')) return false
    return (statSync(join(home(), 'tmp', name), { throwIfNoEntry: false })?.size ?? 0) > 0
  })
}

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('a worker that is killed does not fail the dump: a new one does its work', async () => {
  await shop.close()
  await openShop({ sharesEngine: false })
  await append(shop, 't', await write('large', 4_000_000))
  const target = await shop.target('t')
  const progress = (await shop.dumps.open(target)) as DumpProgress
  await until(isExporting)
  const workers = childrenOf(process.pid).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker'),
  )
  expect(workers.length).toBeGreaterThan(0)
  for (const pid of workers) process.kill(pid, 'SIGKILL')
  await progress.done
  expect(await shop.dumps.find(target)).toBeDefined()
  expect((await finished(shop.dumps, target)).rowCount).toBe(4_000_000)
})

onLinux(
  'a process that is killed leaves no dump, and the next one goes on where it was',
  async () => {
    for (const name of ['a', 'b', 'c']) await append(shop, 't', await write(name, 1_000_000))
    const script = fileURLToPath(new URL('./killable-dump.ts', import.meta.url))
    const arguments_ = ['--import', 'tsx', script, home(), String(START_MS), 't', 'csv']
    const child: ChildProcess = spawn(process.execPath, arguments_, { stdio: 'inherit' })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const dumps = join(home(), 'warehouse', '.dumps')
    const shards = (): string[] => {
      const names = readdirSync(join(home(), 'warehouse'), { recursive: true }).map(String)
      return names.filter((name) => /\/shards\/[0-9a-f]{64}\.csv$/.test(name))
    }
    await until(() => shards().length > 0)
    child.kill('SIGKILL')
    await ended
    const found = await filesBelow(dumps)
    expect(found).not.toContain('index.json')
    const made = shards().length
    expect(made).toBeLessThan(3)
    // Its lease expires by itself.
    shop.setClock(START_MS + 11_000)
    const { index } = await shop.make('t')
    expect(index.rowCount).toBe(3_000_000)
    expect(shop.counting.exports).toBe(3 - made)
  },
)

test.each(['csv', 'parquet'] as const)('%s: a data file that is gone is named', async (format) => {
  await append(shop, 't', await write('a'), await write('b'))
  await rename(path('b'), path('elsewhere'))
  const error = await refusal(shop.make('t', { format }))
  expect(error.code).toBe('data-file-missing')
  expect(error.facts).toMatchObject({ path: `file://${path('b')}` })
  expect(await shop.dumps.find(await shop.target('t', { format }))).toBeUndefined()
  await rename(path('elsewhere'), path('b'))
  expect((await shop.make('t', { format })).index.rowCount).toBe(2000)
})

test('a data file lost after a Parquet dump is named once the dump is forgotten', async () => {
  await append(shop, 't', await write('a'), await write('b'))
  const target = await shop.target('t', { format: 'parquet' })
  const index = await finished(shop.dumps, target)
  await rm(path('a'))
  expect((await refusal(bytesOf(shop.deps, index))).code).toBe('file-not-found')
  await shop.dumps.forget(target)
  const error = await refusal(finished(shop.dumps, target))
  expect(error).toMatchObject({ code: 'data-file-missing' })
  expect(error.facts).toMatchObject({ path: `file://${path('a')}` })
})

test('a data file whose pages are damaged is named, and nothing is served', async () => {
  await append(shop, 't', await write('a'), await write('b'))
  const file = await open(path('b'), 'r+')
  await file.write(Buffer.alloc(2000, 0xa5), 0, 2000, 4)
  await file.close()
  for (const format of ['csv', 'ndjson'] as const) {
    const error = await refusal(shop.make('t', { format }))
    expect(error.code).toBe('file-corrupt')
    expect(error.facts).toMatchObject({ path: `file://${path('b')}` })
    expect(await shop.dumps.find(await shop.target('t', { format }))).toBeUndefined()
  }
})

test.each(['csv', 'parquet'] as const)('%s: a data file cut short is named', async (format) => {
  await append(shop, 't', await write('a'), await write('b'))
  await truncate(path('b'), 3000)
  const error = await refusal(shop.make('t', { format }))
  expect(['file-corrupt', 'file-not-parquet']).toContain(error.code)
  expect(error.facts).toMatchObject({ path: `file://${path('b')}` })
})

test.each(['csv', 'parquet'] as const)(
  '%s: a data file with other rows than the table counts is named',
  async (format) => {
    await append(shop, 't', await write('a'), await write('b'))
    await write('b', 999)
    const other = await refusal(shop.make('t', { format }))
    expect(other).toMatchObject({
      code: 'data-file-changed',
      facts: { path: `file://${path('b')}` },
    })
    await forgetFooter(shop.deps.catalog, 't', `file://${path('b')}`)
    const error = await refusal(shop.make('t', { format }))
    expect(error.code).toBe('file-corrupt')
    expect(error.facts).toMatchObject({ path: `file://${path('b')}`, rows: 999, recordCount: 1000 })
  },
)

test('lost and truncated shards are made again when the dump was forgotten', async () => {
  await append(shop, 't', await write('a'), await write('b'))
  const { index } = await shop.make('t')
  const target = await shop.target('t')
  const [, first, second] = index.pieces
  await rm(new URL(first?.location ?? ''))
  await truncate(new URL(second?.location ?? ''), 10)
  expect((await refusal(bytesOf(shop.deps, index))).code).toBe('file-not-found')
  await shop.dumps.forget(target)
  const again = await finished(shop.dumps, target)
  expect(again.sha256).toBe(index.sha256)
  await bytesOf(shop.deps, again)
})

test('the next dump does not build on shards that are gone', async () => {
  await append(shop, 't', await write('a'))
  const { index } = await shop.make('t')
  await rm(new URL(index.pieces[1]?.location ?? ''))
  await append(shop, 't', await write('b'))
  const next = await shop.make('t')
  expect(next.index.rowCount).toBe(2000)
  expect(shop.counting.exports).toBe(3)
})

test.each([
  ['half', (text: string) => text.slice(0, text.length / 2)],
  ['empty', () => ''],
  ['of other numbers', (text: string) => text.replace(/"total_rows":\d+/, '"total_rows":7')],
])('an index that is %s is none: the dump is made again', async (_, damage) => {
  await append(shop, 't', await write('a'))
  const { index } = await shop.make('t')
  await shop.dumps.settle()
  const location = new URL(indexLocation(shop.deps.warehouse, await shop.target('t')))
  await writeFile(location, damage(readFileSync(location, 'utf8')))
  const other = await shop.anotherDumps()
  expect(await other.dumps.find(await shop.target('t'))).toBeUndefined()
  const again = await finished(other.dumps, await shop.target('t'))
  expect(again.sha256).toBe(index.sha256)
  expect(await other.dumps.find(await shop.target('t'))).toEqual(again)
})

describe('a full disk', () => {
  const isPossible = onLinux === test && process.getuid?.() === 0
  const testWithDisk = isPossible ? test : test.skip
  let mounted: string | undefined

  function mount(folder: string, size: string): void {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
    mounted = folder
  }

  function enlarge(): void {
    execFileSync('mount', ['-o', 'remount,size=256m', mounted ?? ''])
  }

  afterEach(() => {
    if (mounted !== undefined) execFileSync('umount', ['-l', mounted])
    mounted = undefined
  })

  testWithDisk.each([
    ['the dumps are', 'warehouse/.dumps'],
    ['the engine works', 'tmp'],
  ])('where %s is said to be full, and works again when there is room', async (_, folder) => {
    // Roots and working folders were opened with the shop: this opens them again.
    mount(join(home(), folder), '6m')
    const { dumps, deps } = await shop.anotherDumps()
    await append(shop, 't', await write('a', 50_000), await write('b', 400_000))
    const target = await shop.target('t')
    expect((await refusal(finished(dumps, target))).code).toBe('storage-full')
    await dumps.settle()
    expect(await dumps.find(target)).toBeUndefined()
    expect(await filesBelow(mounted ?? '')).toEqual([])
    enlarge()
    const index = await finished(dumps, target)
    expect(index.rowCount).toBe(450_000)
    await bytesOf(deps, index)
  })
})

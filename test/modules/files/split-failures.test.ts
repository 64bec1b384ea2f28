import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { CatalogError } from '../../../src/core/errors.ts'
import { startTransaction } from '../../../src/lake/commit/transactions.ts'
import { sweepUnfinished } from '../../../src/lake/deletion/sweep-unfinished.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { uploadText } from '../../../src/modules/files/upload.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { changed, withEngine } from '../../lake/failing-disk.ts'
import { openWorkshop, type Workshop } from '../../lake/workshop.ts'
import { refusal } from '../../refusal.ts'

const DAY_MS = 86_400_000
const { signal } = new AbortController()

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
  await createTable(shop.deps, {
    name: 't',
    columns: [{ name: 'n', type: 'long' }],
    partitioning: [{ column: 'n', transform: 'identity' }],
  })
})
afterEach(() => shop.close())

async function* csv(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('n\n1\n2\n3\n1\n')
}

async function dataFolder(): Promise<string> {
  const { state } = await readTable(shop.deps, { table: 't' })
  return `${state.definition.location.slice('file://'.length)}/data`
}

async function filesLeft(): Promise<string[]> {
  const found = await readdir(await dataFolder(), { recursive: true })
  return [
    ...found.filter((name) => name.endsWith('.parquet')),
    ...(await readdir(shop.deps.converter.options.folder)),
  ]
}

/** Places the first part, and fails at the next. */
function failingAtSecond(deps = shop.deps) {
  let puts = 0
  const putFileIfAbsent: typeof deps.objects.putFileIfAbsent = (location, path) => {
    puts++
    // The first is the text, as one file.
    if (puts === 3) return Promise.reject(new CatalogError('storage-full', 'The disk is full.'))
    return deps.objects.putFileIfAbsent(location, path)
  }
  return changed(deps.objects, { putFileIfAbsent })
}

test('a part that cannot be placed leaves no other, in a transaction or without', async () => {
  const { transactionId } = await startTransaction(shop.deps, {})
  for (const more of [{}, { transactionId }]) {
    const deps = { ...shop.deps, objects: failingAtSecond() }
    const request = { table: 't', format: 'csv', chunks: csv(), ...more } as const
    expect((await refusal(uploadText(deps, request))).code).toBe('storage-full')
    expect(await filesLeft()).toEqual([])
  }
  expect(await shop.deps.catalog.transactions.listStaged(transactionId)).toEqual([])
  const { plan } = await readTable(shop.deps, { table: 't' })
  expect(plan.totals.dataFiles).toBe(0)
})

test('an engine that fails at the split leaves nothing', async () => {
  const deps = withEngine(shop.deps, {
    split: () => Promise.reject(new CatalogError('engine-failed', 'it took too long')),
  })
  const refused = await refusal(uploadText(deps, { table: 't', format: 'csv', chunks: csv() }))
  expect(refused.code).toBe('engine-failed')
  expect(await filesLeft()).toEqual([])
})

test('a commit that is refused leaves none of the parts', async () => {
  const commits = changed(shop.deps.commits, {
    commit: () => Promise.reject(new CatalogError('commit-conflict', 'lost')),
  })
  const deps = { ...shop.deps, commits }
  const refused = await refusal(uploadText(deps, { table: 't', format: 'csv', chunks: csv() }))
  expect(refused.code).toBe('commit-conflict')
  expect(await filesLeft()).toEqual([])
})

test('parts of a process that was killed go after a day and the grace', async () => {
  // Later than the table: events have the computer's own time.
  const startMs = Date.now() + 3 * DAY_MS
  shop.setClock(startMs)
  const objects = changed(failingAtSecond(), { delete: () => Promise.resolve() })
  const deps = { ...shop.deps, objects }
  await refusal(uploadText(deps, { table: 't', format: 'csv', chunks: csv() }))
  const folder = await dataFolder()
  const left = (await readdir(folder, { recursive: true })).filter((n) => n.endsWith('.parquet'))
  expect(left.map((name) => name.startsWith('incoming/')).toSorted()).toEqual(
    [false, true, ...left.slice(2).map(() => false)].toSorted(),
  )
  expect(left.length).toBeGreaterThanOrEqual(2)
  const old = new Date(startMs - DAY_MS - 60_000)
  for (const name of left) await utimes(join(folder, name), old, old)
  await sweepUnfinished(shop.deps, signal)
  shop.setClock(startMs + 8 * DAY_MS)
  await unlinkDue(shop.deps)
  expect(await filesLeft()).toEqual([])
})

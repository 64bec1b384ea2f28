import { createReadStream, existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { CatalogError } from '../../../src/core/errors.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import { findDeletable } from '../../../src/lake/deletion/deletable-files.ts'
import { FileUse } from '../../../src/lake/deletion/file-use.ts'
import { unlinkDue } from '../../../src/lake/deletion/unlinker.ts'
import { holdDeletions } from '../../../src/lake/jobs/held-deletions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable, type PurgeChoice } from '../../../src/modules/tables/drop-table.ts'
import { createTable } from '../../../src/modules/tables/tables.ts'
import { definitionOf, newTable, stateOf } from '../../catalog/catalog-samples.ts'
import { commitFiles as writeAs } from '../../modules/iceberg-rest/http/made-files.ts'
import { append, Lake } from '../lake.ts'
import { openWorkshop, START_MS, type Workshop, type WorkshopDependencies } from '../workshop.ts'

/** What decides that a file stays, rule by rule: whatever is deleted wrongly is lost. */
const DAY_MS = 86_400_000
const { signal } = new AbortController()

let lake: Lake
let shop: Workshop
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  for (const name of ['t', 'u']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  }
})
afterEach(() => shop.close())

async function upload(table: string, name: string): Promise<string> {
  const chunks = createReadStream(await lake.numbers(shop, name))
  return (await uploadFile(shop.deps, { table, chunks })).files[0]?.dataFile.path ?? ''
}

function pathOf(location: string): string {
  return location.replace('file://', '')
}

function isThere(location: string): boolean {
  return existsSync(pathOf(location))
}

const purge = (when: PurgeChoice, table = 't', deps = shop.deps) =>
  dropTable(deps, table, { purge: when })

async function find(table: string): Promise<TableState> {
  const state = await shop.deps.catalog.tables.find({ namespace: ['default'], name: table })
  if (state === undefined) throw new Error(`no table ${table}`)
  return state
}

async function keepFiles(table: string): Promise<void> {
  const before = await find(table)
  const definition = { ...before.definition, properties: { 'gc.enabled': 'false' } }
  const state = { ...before, definition, version: before.version + 1 }
  const commit = { newSnapshots: [], newLogEntries: [], addedPaths: [] }
  await shop.deps.catalog.tables.commit({
    tables: [{ ...commit, expectedVersion: before.version, state }],
    transactions: [],
  })
}

/** All that the catalog still has to delete, some day. */
function scheduled() {
  return shop.deps.catalog.deletions.listDue({ nowMs: Number.MAX_SAFE_INTEGER, limit: 1_000 })
}

/** The same store or catalog, with one method in another way. */
function withMethod<T extends object>(target: T, method: keyof T, other: unknown): T {
  return new Proxy(target, {
    get: (from, name) => {
      const value = name === method ? other : Reflect.get(from, name)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}

test('a file is used for now only if nothing but the passing holds it, and something does', () => {
  const use = new FileUse()
  const holder = { name: 'x', tableUuid: 'u' }
  use.add('file:///a', { ...holder, kind: 'transaction' })
  use.add('file:///b', { ...holder, kind: 'transaction' })
  expect(use.isUsedForNow('file:///a')).toBe(true)
  for (const kind of ['table', 'branch', 'tag']) {
    use.add('file:///b', { ...holder, kind })
    expect([kind, use.isUsedForNow('file:/b')]).toEqual([kind, false])
  }
  expect([use.isUsed('file:///c'), use.isUsedForNow('file:///c')]).toEqual([false, false])
})

test('whoever waits to mark files ends when it is stopped', async () => {
  await upload('t', 'a')
  await purge(true)
  const stop = new AbortController()
  const beginUnlinking = async () => {
    throw new CatalogError('overloaded', 'others hold what it waits for')
  }
  // Each pause lasts until it is cut short.
  const sleep = (_ms: number, until?: AbortSignal) => {
    const cut = new Promise<void>((resolve) => {
      until?.addEventListener('abort', () => resolve(), { once: true })
    })
    stop.abort(new Error('it stops'))
    return cut
  }
  shop.setClock(START_MS + 8 * DAY_MS)
  const { catalog } = shop.deps
  const deletions = withMethod(catalog.deletions, 'beginUnlinking', beginUnlinking)
  const deps = { ...shop.deps, catalog: { ...catalog, deletions } }
  const ambient = { ...shop.deps.ambient, sleep }
  const ended = unlinkDue({ ...deps, ambient }, { signal: stop.signal })
  await expect(ended).rejects.toThrow('it stops')
})

test('a clone keeps every list and manifest of its origin that it names', async () => {
  for (const name of ['a', 'b', 'c']) await upload('t', name)
  await cloneTable(shop.deps, { table: 't', name: 'copy' })
  const named: string[] = []
  const { tableUuid } = (await find('copy')).definition
  for (const { manifestList } of await shop.deps.catalog.snapshots.list(tableUuid)) {
    const manifests = await shop.deps.manifests.getManifestList(manifestList)
    named.push(manifestList, ...manifests.map(({ path }) => path))
  }
  expect(named.length).toBeGreaterThan(1)
  await purge('now')
  expect(named.filter((path) => !isThere(path))).toEqual([])
})

describe('a table whose files cannot be read may name any', () => {
  const damages = {
    'list gone': async (list: string) => rm(pathOf(list)),
    'manifest gone': async (_: string, manifest: string) => rm(pathOf(manifest)),
    'list damaged': async (list: string) => writeFile(pathOf(list), 'no Avro'),
    'manifest damaged': async (_: string, manifest: string) => {
      await writeFile(pathOf(manifest), 'no Avro')
    },
  }

  async function damage(kind: keyof typeof damages, which: 'first' | 'last'): Promise<void> {
    const { tableUuid } = (await find('u')).definition
    const snapshots = await shop.deps.catalog.snapshots.list(tableUuid)
    const byAge = snapshots.toSorted((a, b) => Number(a.sequenceNumber - b.sequenceNumber))
    const list = byAge.at(which === 'first' ? 0 : -1)?.manifestList ?? ''
    const manifests = await shop.deps.manifests.getManifestList(list)
    await damages[kind](list, manifests[0]?.path ?? '')
  }

  test.each(Object.keys(damages))('its newest snapshot: %s', async (kind) => {
    const a = await upload('t', 'a')
    await append(shop, 'u', a)
    await damage(kind as keyof typeof damages, 'last')
    // With nothing of it in memory.
    await purge('now', 't', await shop.another())
    expect(isThere(a)).toBe(true)
  })

  test.each([
    ['list damaged', true],
    ['manifest damaged', true],
    // As after a registration: nobody can read such a snapshot again.
    ['list gone', false],
  ] as const)('an older one that no branch has: %s', async (kind, stays) => {
    const a = await upload('t', 'a')
    await append(shop, 'u', a)
    const { tableUuid } = (await find('u')).definition
    await writeAs(shop.deps, tableUuid, { removed: [a] })
    await damage(kind, 'first')
    await purge('now', 't', await shop.another())
    expect(isThere(a)).toBe(stays)
  })
})

describe('what may be deleted when nothing names it', () => {
  async function deletable(...paths: string[]): Promise<boolean[]> {
    const found = await findDeletable(shop.deps, paths)
    return paths.map((path) => found.has(path))
  }

  test('lies below a table, and does not climb out of it', async () => {
    const { location } = (await find('t')).definition
    const paths = [
      `${location}/data/x`,
      `${location}/../stray`,
      `${location}/data/../../stray`,
      `${shop.deps.warehouse}/stray`,
    ]
    expect(await deletable(...paths)).toEqual([true, false, false, false])
  })

  test('lies below no living table that keeps its files', async () => {
    const { location } = (await find('t')).definition
    await keepFiles('t')
    expect(await deletable(`${location}/data/x`)).toEqual([false])
  })

  test('is kept by any of the tables around it, the outer or the inner one', async () => {
    const outer = `${shop.deps.warehouse}/outer`
    const place = async (location: string, name: string, keeps: boolean) => {
      const properties = keeps ? { 'gc.enabled': 'false' } : {}
      const definition = { ...definitionOf(), location, properties }
      const table = newTable(stateOf(name, { definition }), { mayShareLocation: true })
      expect(await shop.deps.catalog.tables.create(table)).toBe('created')
    }
    await place(outer, 'outer', true)
    await place(`${outer}/free`, 'free', false)
    const other = `${shop.deps.warehouse}/other`
    await place(other, 'other', false)
    await place(`${other}/kept`, 'kept', true)
    const paths = [`${outer}/free/x`, `${other}/kept/x`, `${other}/x`]
    expect(await deletable(...paths)).toEqual([false, false, true])
  })

  test('is looked at again when its time has come', async () => {
    const { location } = (await find('t')).definition
    const path = `${pathOf(location)}/data/mine.parquet`
    await lake.write(path, 'SELECT 1::BIGINT AS n')
    await append(shop, 'u', path)
    await purge(true, 'u')
    expect((await scheduled()).map((deletion) => deletion.path)).toContain(`file://${path}`)
    await keepFiles('t')
    shop.setClock(START_MS + 8 * DAY_MS)
    await unlinkDue(shop.deps)
    expect(existsSync(path)).toBe(true)
  })
})

describe('while deletions are held', () => {
  test('what is to be deleted waits untouched', async () => {
    await upload('t', 'a')
    await purge(true)
    const before = await scheduled()
    shop.setClock(START_MS + 8 * DAY_MS)
    const lease = await holdDeletions(shop.deps, signal)
    await unlinkDue(shop.deps)
    expect(await scheduled()).toEqual(before)
    await lease?.release()
    expect((await unlinkDue(shop.deps)).deleted).toBe(before.length)
  })

  test('also by who began while files were being marked', async () => {
    const a = await upload('t', 'a')
    await purge(true)
    shop.setClock(START_MS + 8 * DAY_MS)
    const { deletions } = shop.deps.catalog
    const begin = async (request: Parameters<typeof deletions.beginUnlinking>[0]) => {
      await holdDeletions(shop.deps, signal)
      return deletions.beginUnlinking(request)
    }
    const marking = withMethod(deletions, 'beginUnlinking', begin)
    const catalog = { ...shop.deps.catalog, deletions: marking }
    expect((await unlinkDue({ ...shop.deps, catalog })).deleted).toBe(0)
    expect(isThere(a)).toBe(true)
  })
})

test('the mark of a dropped table goes after all of its files are gone', async () => {
  for (const name of ['a', 'b']) await upload('t', name)
  await purge(true)
  shop.setClock(START_MS + 8 * DAY_MS)
  const { objects } = shop.deps
  let underWay = 0
  const ended: string[] = []
  const slowly = async (location: string) => {
    if (location.includes('/metadata/dropped')) ended.push(`${underWay} under way`)
    underWay += 1
    await new Promise((resolve) => setTimeout(resolve, 20))
    await objects.delete(location)
    underWay -= 1
    ended.push(location)
  }
  const deps: WorkshopDependencies = {
    ...shop.deps,
    objects: withMethod(objects, 'delete', slowly),
  }
  const { deleted } = await unlinkDue(deps)
  expect(deleted).toBe(ended.length - 1)
  expect(ended.at(-2)).toBe('0 under way')
  expect(ended.at(-1)).toMatch(/\/metadata\/dropped/)
})

import { readFile } from 'node:fs/promises'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import {
  commitRemoval,
  commitTransaction,
  startTransaction,
} from '../../../src/lake/commit/transactions.ts'
import { uploadFile } from '../../../src/modules/files/upload.ts'
import { cloneTable } from '../../../src/modules/tables/clone-table.ts'
import { dropTable } from '../../../src/modules/tables/drop-table.ts'
import { createTable, readTable } from '../../../src/modules/tables/tables.ts'
import { queueOver } from '../compose.ts'
import { Lake } from '../lake.ts'
import { commitFiles, stageFiles } from '../trusted-caller.ts'
import { openWorkshop, type Workshop, type WorkshopDependencies } from '../workshop.ts'

type Step = () => Promise<void>

let lake: Lake
let shop: Workshop
let path: string
beforeAll(async () => {
  lake = await Lake.open()
})
afterAll(() => lake.close())
beforeEach(async () => {
  shop = await openWorkshop()
  for (const name of ['source', 'target']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  }
  const bytes = await readFile(await lake.numbers(shop, 'a'))
  const chunks = (async function* () {
    yield bytes
  })()
  path = (await uploadFile(shop.deps, { table: 'source', chunks })).files[0]?.dataFile.path ?? ''
})
afterEach(() => shop.close())

/** The same, but the first such call of the method waits for the step. */
function pausing<T extends object>(
  store: T,
  method: keyof T,
  step: Step,
  isSuch: (given: readonly unknown[]) => boolean = () => true,
): T {
  let isFirst = true
  return new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== method) return value.bind(target)
      return async (...given: unknown[]) => {
        const isPaused = isFirst && isSuch(given)
        isFirst &&= !isPaused
        if (isPaused) await step()
        return value.apply(target, given)
      }
    },
  })
}

function withCatalog(stores: Partial<Catalog>, deps = shop.deps): WorkshopDependencies {
  const catalog = { ...deps.catalog, ...stores }
  return { ...deps, catalog, commits: queueOver({ ...deps, catalog }) }
}

type Rival = (deps: WorkshopDependencies) => Promise<unknown>
const RIVALS: Readonly<Record<string, Rival>> = {
  commit: (deps) => commitFiles(deps, { table: 'target', paths: [path.replace('///', '/')] }),
  stage: async (deps) => {
    const { transactionId } = await startTransaction(deps, {})
    await stageFiles(deps, { table: 'target', transactionId, paths: [path.replace('///', '/')] })
    await commitTransaction(deps, transactionId)
  },
  clone: (deps) => cloneTable(deps, { table: 'source', name: 'clone' }),
}

const purge = (deps: WorkshopDependencies) => dropTable(deps, 'source', { purge: 'now' })

/** Whether the rival was acknowledged; then its table has the file, and the file is there. */
async function outcomeOf(rival: Promise<unknown>): Promise<'acknowledged' | string> {
  const refused = await rival.then(
    () => undefined,
    (error) => error.code ?? error,
  )
  const isThere = (await shop.deps.objects.find(path)) !== undefined
  let named = 0
  for (const table of ['target', 'clone']) {
    const reading = await readTable(shop.deps, { table }).catch(() => undefined)
    named += reading?.plan.totals.dataFiles ?? 0
  }
  expect({ named, isThere }).toEqual(
    refused === undefined ? { named: 1, isThere: true } : { named: 0, isThere: false },
  )
  return refused ?? 'acknowledged'
}

describe.each(Object.keys(RIVALS))('a %s', (name) => {
  const rival = RIVALS[name] as Rival

  test('between any two steps of a purge is whole, or refused', async () => {
    const { catalog, objects } = shop.deps
    const steps: Readonly<Record<string, (step: Step) => WorkshopDependencies>> = {
      drop: (step) => withCatalog({ tables: pausing(catalog.tables, 'drop', step) }),
      due: (step) => withCatalog({ deletions: pausing(catalog.deletions, 'listDue', step) }),
      use: (step) => withCatalog({ locations: pausing(catalog.locations, 'findOwners', step) }),
      mark: (step) =>
        withCatalog({ deletions: pausing(catalog.deletions, 'beginUnlinking', step) }),
      // Other files of the purge are deleted at the same time.
      unlink: (step) => ({
        ...shop.deps,
        objects: pausing(objects, 'delete', step, ([location]) => location === path),
      }),
    }
    const outcomes: Record<string, string> = {}
    for (const [at, gated] of Object.entries(steps)) {
      await again()
      let done: Promise<unknown> = Promise.resolve()
      const deps = gated(async () => {
        done = rival(shop.deps)
        await done.catch(() => undefined)
      })
      await purge(deps)
      outcomes[at] = await outcomeOf(done)
    }
    expect(outcomes).toEqual(
      name === 'clone'
        ? { drop: 'acknowledged', due: GONE, use: 'acknowledged', mark: GONE, unlink: GONE }
        : {
            ...{ drop: 'acknowledged', due: 'acknowledged', use: 'acknowledged' },
            ...{ mark: 'acknowledged', unlink: 'file-being-deleted' },
          },
    )
  })

  test('is refused when the purge came and went after it read the file', async () => {
    const { catalog } = shop.deps
    const step = async () => {
      await purge(shop.deps)
    }
    const gated = {
      commit: () => withCatalog({ tables: pausing(catalog.tables, 'commit', step) }),
      stage: () => withCatalog({ transactions: pausing(catalog.transactions, 'stage', step) }),
      clone: () => withCatalog({ tables: pausing(catalog.tables, 'create', step) }),
    }[name] as () => WorkshopDependencies
    expect(await outcomeOf(rival(gated()))).toBe(name === 'clone' ? GONE : 'file-being-deleted')
  })
})

test('a table that was asked, and names the file by the time of the mark, keeps it', async () => {
  const { catalog } = shop.deps
  const paths = [path.replace('///', '/')]
  const { results } = await commitFiles(shop.deps, { table: 'target', paths })
  await commitRemoval(shop.deps, {
    table: 'target',
    change: { removedPaths: [], truncate: true },
  })
  const { state } = await readTable(shop.deps, { table: 'target' })
  await forgetSnapshot(state, results[0]?.snapshotId as bigint)
  // As on PostgreSQL, where a commit may have looked for the row before the drop wrote it.
  const step = async () => {
    const query = { nowMs: Number.MAX_SAFE_INTEGER, limit: 1_000 }
    const rows = (await catalog.deletions.listDue(query)).filter((row) => row.path === path)
    await commitFiles(shop.deps, { table: 'target', paths })
    await catalog.deletions.add(rows)
  }
  await purge(withCatalog({ deletions: pausing(catalog.deletions, 'beginUnlinking', step) }))
  expect(await outcomeOf(Promise.resolve())).toBe('acknowledged')
})

async function forgetSnapshot(state: TableState, snapshotId: bigint): Promise<void> {
  const commit = {
    ...{ expectedVersion: state.version, state: { ...state, version: state.version + 1 } },
    ...{ newSnapshots: [], newLogEntries: [], addedPaths: [], removedSnapshotIds: [snapshotId] },
  }
  await shop.deps.catalog.tables.commit({ tables: [commit], transactions: [] })
}

const GONE = 'table-not-found'

/** Everything as it was at the start of the test. */
async function again(): Promise<void> {
  for (const table of ['source', 'target', 'clone']) {
    await dropTable(shop.deps, table, { purge: 'now' }).catch(() => undefined)
  }
  for (const name of ['source', 'target']) {
    await createTable(shop.deps, { name, columns: [{ name: 'n', type: 'long' }] })
  }
  const bytes = await readFile(`${shop.dataFolder}/a.parquet`)
  const chunks = (async function* () {
    yield bytes
  })()
  path = (await uploadFile(shop.deps, { table: 'source', chunks })).files[0]?.dataFile.path ?? ''
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { NewDeletion } from '../../../src/catalog/deletion-store.ts'
import { openSqliteCatalog } from '../../../src/catalog/sqlite/sqlite.ts'
import type { TableState } from '../../../src/core/table/table.ts'
import {
  appendTo,
  create,
  newTable,
  openTransaction,
  snapshotOf,
  stagedFileOf,
  stateOf,
} from '../catalog-samples.ts'
import { describeCommits } from '../commit.contract.ts'
import { describeDeletions } from '../deletions.contract.ts'
import { describeReplacements } from '../replacement.contract.ts'
import { describeTables } from '../tables.contract.ts'
import { describeTransactions } from '../transactions.contract.ts'

const FILES = 50_000
const paths = Array.from({ length: FILES }, (_, index) => `file:///data/${index}`)

let folder = ''
let fileCount = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-large-writes-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function newPath(): string {
  fileCount += 1
  return join(folder, `catalog-${fileCount}.db`)
}

describe('SQLite, with a thread for all that may be large', () => {
  let catalog: Catalog
  beforeEach(async () => {
    catalog = await openSqliteCatalog({ path: newPath(), rowsOnLoopMax: -1 })
    await catalog.migrate()
  })
  afterEach(() => catalog.close())

  const opened = () => catalog
  describeTables(opened)
  describeTransactions(opened)
  describeCommits(opened)
  describeDeletions(opened)
  describeReplacements(opened)
})

describe('a write of very many rows', () => {
  let path = ''
  let catalog: Catalog
  beforeEach(async () => {
    path = newPath()
    catalog = await openSqliteCatalog({ path })
    await catalog.migrate()
  })
  afterEach(() => catalog.close())

  test('holds up no reads: a commit, a clone, a drop', async () => {
    const { state, writes } = await largeWrites(catalog)
    for (const { write, outcome } of writes) {
      const writing = write()
      const reads = await readsDuring(catalog, state, writing)
      expect(await writing).toEqual(outcome)
      // Without a thread they wait for the whole transaction.
      expect(reads).toBeGreaterThan(20)
    }
    expect(await catalog.deletions.count(state.definition.tableUuid)).toBe(FILES)
  })

  test('holds up no reads: the staging of files, and its abort', async () => {
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const transaction = openTransaction()
    const { transactionId } = transaction
    await catalog.transactions.start(transaction)
    const addedFiles = paths.map((path) => stagedFileOf(path))
    const staging = catalog.transactions.stage({
      ...{ transactionId, tableUuid, currentSnapshotId: null, addedFiles },
      addedFilesMax: FILES,
    })
    expect(await readsDuring(catalog, state, staging)).toBeGreaterThan(20)
    expect(await staging).toEqual({ outcome: 'staged' })
    const aborting = catalog.transactions.abort(transactionId, 9)
    expect(await readsDuring(catalog, state, aborting)).toBeGreaterThan(20)
    expect(await aborting).toBe('aborted')
    expect(await catalog.transactions.listStaged(transactionId)).toEqual([])
  })

  test('is done as a whole, or not at all', async () => {
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const stale = { ...appendTo(state, 1n, paths), expectedVersion: 7 }
    const commit = { ...stale, state: { ...stale.state, version: 8 } }
    const refused = await catalog.tables.commit({ tables: [commit], transactions: [] })
    expect(refused).toEqual({ outcome: 'version-mismatch', tableUuid })
    const deletions = deletionsOf(tableUuid)
    const dropped = await catalog.tables.drop({ tableUuid, expectedVersion: 7, deletions })
    expect(dropped).toBe('version-mismatch')
    expect(await catalog.deletions.count(tableUuid)).toBe(0)
    expect(await catalog.paths.findKnown(tableUuid, paths.slice(0, 10))).toEqual(new Set())
  })

  test('takes its turn among small ones, whose statements do not slip into it', async () => {
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const wrong = { ...appendTo(state, 1n, paths), expectedVersion: 7 }
    const outcomes = await Promise.all([
      catalog.tables.commit({ tables: [appendTo(state, 1n, ['file:///a'])], transactions: [] }),
      catalog.tables.commit({
        tables: [{ ...wrong, state: { ...wrong.state, version: 8 } }],
        transactions: [],
      }),
      create(catalog, 'moons'),
      create(catalog, 'comets'),
    ])
    expect(outcomes.slice(0, 2)).toEqual([
      { outcome: 'committed' },
      { outcome: 'version-mismatch', tableUuid },
    ])
    const names = (await catalog.tables.list({ limit: 9 })).map(({ name }) => name)
    expect(names).toEqual(['comets', 'moons', 'planets'])
  })

  test('waits for the writer of another process', async () => {
    const state = await create(catalog, 'planets')
    const other = new Sqlite(path)
    other.exec('begin immediate')
    const waiting = catalog.tables.commit({
      tables: [appendTo(state, 1n, paths)],
      transactions: [],
    })
    const { tableUuid } = state.definition
    expect(await catalog.tables.find({ tableUuid })).toStrictEqual(state)
    other.exec('commit')
    expect(await waiting).toEqual({ outcome: 'committed' })
    other.close()
  })

  test('leaves no work on the log to the next small one', async () => {
    const state = await create(catalog, 'planets')
    await catalog.tables.commit({ tables: [appendTo(state, 1n, paths)], transactions: [] })
    const look = new Sqlite(path)
    const [row] = look.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[]
    look.close()
    expect(row?.log).toBe(row?.checkpointed)
  })

  test('is storage-full when there is no space, and changes nothing', async () => {
    const state = await create(catalog, 'planets')
    const { tableUuid } = state.definition
    const limited = await openSqliteCatalog({ path, sizeBytesMax: 1 })
    const commit = { tables: [appendTo(state, 1n, paths)], transactions: [] }
    await expect(limited.tables.commit(commit)).rejects.toMatchObject({ code: 'storage-full' })
    expect(await limited.tables.find({ tableUuid })).toStrictEqual(state)
    await limited.close()
    expect(await catalog.tables.commit(commit)).toEqual({ outcome: 'committed' })
  })
})

async function largeWrites(catalog: Catalog) {
  const state = await create(catalog, 'planets')
  const { tableUuid } = state.definition
  const append = appendTo(state, 1n, paths)
  const clone = newTable(stateOf('copy'), {
    snapshots: [snapshotOf(1n)],
    copyPathsFromTableUuid: tableUuid,
  })
  const drop = { tableUuid, expectedVersion: 1, deletions: deletionsOf(tableUuid) }
  const writes = [
    {
      write: () => catalog.tables.commit({ tables: [append], transactions: [] }),
      outcome: { outcome: 'committed' },
    },
    { write: () => catalog.tables.create(clone), outcome: 'created' },
    { write: () => catalog.tables.drop(drop), outcome: 'dropped' },
  ]
  return { state, writes }
}

function deletionsOf(tableUuid: string): readonly NewDeletion[] {
  return paths.map((path) => ({ path, tableUuid, mark: 'm', reason: 'purge', dueAtMs: 5_000 }))
}

/** How many reads are answered, one after the other, until the write is done. */
async function readsDuring(
  catalog: Catalog,
  { definition }: TableState,
  writing: Promise<unknown>,
): Promise<number> {
  let isDone = false
  const end = () => {
    isDone = true
  }
  writing.then(end, end)
  let reads = 0
  for (; !isDone; reads++) {
    await nextTurn()
    await catalog.tables.find({ tableUuid: definition.tableUuid })
  }
  return reads
}

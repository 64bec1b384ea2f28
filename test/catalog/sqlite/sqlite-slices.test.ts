import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Damage } from '../../../src/catalog/sql/engine/damage.ts'
import { sqlCatalog } from '../../../src/catalog/sql/sql-catalog.ts'
import { SqlLeases } from '../../../src/catalog/sql/sql-leases.ts'
import { sqliteEngine } from '../../../src/catalog/sqlite/sqlite.ts'
import { configure } from '../../../src/catalog/sqlite/sqlite-settings.ts'
import { SqliteTurns } from '../../../src/catalog/sqlite/sqlite-turns.ts'
import { newTable, stateOf } from '../catalog-samples.ts'
import { describeSlices } from '../slices.contract.ts'

let folder = ''
let fileCount = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-slices-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function open(path: string) {
  const database = new Sqlite(path)
  configure(database, { busyMs: 5, cacheKib: 8 * 1024 })
  return sqliteEngine(database, {
    ...{ contentionMsMax: 10_000, damage: new Damage(), file: undefined, inThread: undefined },
    rowsOnLoopMax: Number.POSITIVE_INFINITY,
  })
}

describe('SQLite', () => {
  describeSlices(async () => {
    fileCount += 1
    const path = join(folder, `catalog-${fileCount}.db`)
    return [open(path), open(path)]
  })

  test('what is there already, or gone, makes nothing known ahead, and dooms nothing', async () => {
    fileCount += 1
    const engine = open(join(folder, `catalog-${fileCount}.db`))
    let transactions = 0
    const counted: typeof engine = {
      ...engine,
      transact: (work, options) => {
        transactions += 1
        return engine.transact(work, options)
      },
    }
    const catalog = sqlCatalog(counted, { turns: new SqliteTurns(new SqlLeases(counted)) })
    await catalog.migrate()
    const source = stateOf('source')
    const { tableUuid: sourceUuid } = source.definition
    const addedPaths = Array.from({ length: 5_100 }, (_, i) => `file:///data/${i}`)
    await catalog.tables.create(newTable(source, { addedPaths }))
    const clone = (name: string) => newTable(stateOf(name), { copyPathsFromTableUuid: sourceUuid })
    const dataset = () => {
      const table = clone('any')
      return catalog.datasets.create({
        ...{ tableUuid: table.state.definition.tableUuid, name: 'frozen', identity: 'i', table },
        ...{ sourceUuid, sourceName: 'sky.source', snapshotId: 1n, query: undefined },
        card: { title: null, description: null, creators: [], license: null, keywords: [] },
        facts: { rows: 3, files: 1, bytes: 9, snapshotAtMs: 2_000, schemaId: 0, columns: [] },
        ...{ createdAtMs: 1_000, expiresAtMs: undefined },
      })
    }
    const { outcome, dataset: made } = await dataset()
    expect(outcome).toBe('created')
    transactions = 0
    expect(await dataset()).toMatchObject({ outcome: 'exists' })
    expect(await catalog.tables.create(clone('source'))).toBe('already-exists')
    expect(transactions).toBe(2)
    const { tableUuid } = made
    const doomed = { tableUuid, mark: 'm', reason: 'purge', dueAtMs: 1_000 } as const
    const deletions = addedPaths.map((path) => ({ path, ...doomed }))
    const end = () => catalog.datasets.end({ tableUuid, nowMs: 2_000, deletions })
    expect(await end()).toBe('changed')
    transactions = 0
    expect(await end()).toBe('not-living')
    expect(transactions).toBe(2)
    await catalog.close()
  })

  test('a table that is there keeps its paths, whatever is noted of it', async () => {
    fileCount += 1
    const engine = open(join(folder, `catalog-${fileCount}.db`))
    const catalog = sqlCatalog(engine, { turns: new SqliteTurns(new SqlLeases(engine)) })
    await catalog.migrate()
    const state = stateOf('planets')
    const { tableUuid } = state.definition
    const addedPaths = ['file:///data/1', 'file:///data/2']
    await catalog.tables.create(newTable(state, { addedPaths }))
    // As where an older Moraine has made the table under another's claim.
    const note = { table_uuid: tableUuid, claim: 'of another' }
    await engine.connection.insertInto('table_leftovers').values(note).execute()
    expect(await catalog.paths.forgetLeftovers()).toBe(1)
    expect((await catalog.paths.findKnown(tableUuid, addedPaths)).size).toBe(2)
    expect(await catalog.paths.forgetLeftovers()).toBe(0)
    await catalog.close()
  })
})

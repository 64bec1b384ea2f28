import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Damage } from '../../../src/catalog/sql/engine/damage.ts'
import { sqliteEngine } from '../../../src/catalog/sqlite/sqlite.ts'
import { configure } from '../../../src/catalog/sqlite/sqlite-settings.ts'
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
})

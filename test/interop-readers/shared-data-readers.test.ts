import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { stageRemoval, stageTruncation } from '../../src/lake/commit/staging.ts'
import { commitTransaction, startTransaction } from '../../src/lake/commit/transactions.ts'
import { createTable, readTable } from '../../src/modules/tables/tables.ts'
import { givenFile, stageFiles } from '../lake/trusted-caller.ts'
import { openWorkshop, SHARED_DATA, type Workshop } from '../lake/workshop.ts'
import { type Row, readMetadata, readRows, serveFilesToFetch } from './icebird.ts'
import { canonical, readParquetRows } from './rows.ts'

/** What one transaction does. */
interface Step {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
  readonly truncate?: true
}

interface Moment {
  readonly snapshotId: bigint
  /** Files that the table holds then, by the test's own count. */
  readonly paths: readonly string[]
}

const testWithShared = existsSync(SHARED_DATA) ? test : test.skip

let shop: Workshop
let restoreFetch: () => void
beforeEach(async () => {
  shop = await openWorkshop()
  restoreFetch = serveFilesToFetch()
})
afterEach(async () => {
  restoreFetch()
  await shop.close()
})

async function parquetFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(SHARED_DATA, folder), { recursive: true })
  const files = names.filter((name) => name.endsWith('.parquet'))
  return files.map((name) => join(SHARED_DATA, folder, name)).sort()
}

async function commitStep(table: string, step: Step): Promise<bigint> {
  const { transactionId } = await startTransaction(shop.deps, {})
  const target = { table, transactionId }
  if (step.truncate) await stageTruncation(shop.deps, target)
  if (step.remove) await stageRemoval(shop.deps, { ...target, paths: step.remove })
  if (step.add) await stageFiles(shop.deps, { ...target, paths: step.add })
  const [result] = await commitTransaction(shop.deps, transactionId)
  if (result === undefined) throw new Error('the step changed nothing')
  return result.snapshotId
}

function apply(paths: readonly string[], { add = [], remove = [], truncate }: Step): string[] {
  const kept = truncate ? [] : paths.filter((path) => !remove.includes(path))
  return [...kept, ...add]
}

/**
 * Makes the table of the first file's columns, does the steps, and returns what it held after each.
 */
async function makeTable(name: string, first: string, steps: readonly Step[]): Promise<Moment[]> {
  await createTable(shop.deps, { name, inferFrom: givenFile(first) })
  const moments: Moment[] = []
  let paths: string[] = []
  for (const step of steps) {
    paths = apply(paths, step)
    moments.push({ snapshotId: await commitStep(name, step), paths })
  }
  return moments
}

/** At each snapshot, icebird finds through the published metadata what the Parquet files hold. */
async function expectReadersAgree(
  name: string,
  moments: readonly Moment[],
  isLookedAt: (moment: number) => boolean = () => true,
): Promise<void> {
  const { metadataLocation } = await readTable(shop.deps, { table: name })
  const metadata = await readMetadata(metadataLocation ?? '')
  expect(metadata['current-snapshot-id']).toBe(Number(moments.at(-1)?.snapshotId))
  expect(metadata['snapshot-log']?.map((entry) => BigInt(entry['snapshot-id']))).toEqual(
    moments.map((moment) => moment.snapshotId),
  )
  for (const { snapshotId, paths } of moments.filter((_, i) => isLookedAt(i))) {
    if (paths.length === 0) {
      const attempt = readRows(metadata, snapshotId)
      await expect(attempt).rejects.toThrow('No data manifest files found')
      continue
    }
    const expected = (await Promise.all(paths.map(readOnce))).flat()
    expect(expected.length).toBeGreaterThan(0)
    expect(canonical(await readRows(metadata, snapshotId))).toEqual(canonical(expected))
  }
}

const rowsByPath = new Map<string, Promise<Row[]>>()

function readOnce(path: string): Promise<Row[]> {
  const known = rowsByPath.get(path) ?? readParquetRows(path)
  rowsByPath.set(path, known)
  return known
}

describe.each([
  ['planets.parquet', 9],
  ['satellites.parquet', 177],
  ['astronauts.parquet', 357],
  ['space_missions.parquet', 4630],
])('%s', (file, rowCount) => {
  testWithShared(
    'icebird reads its rows before and after it was removed and came back',
    async () => {
      const path = join(SHARED_DATA, file)
      expect(await readParquetRows(path)).toHaveLength(rowCount)
      const steps: Step[] = [{ add: [path] }, { remove: [path] }, { add: [path] }]
      await expectReadersAgree('t', await makeTable('t', path, steps))
    },
  )
})

testWithShared('icebird reads missions, file by file, replaced and added to', async () => {
  const files = await parquetFiles('missions')
  expect(files).toHaveLength(6)
  const moments = await makeTable('missions', files[0] as string, [
    { add: files.slice(0, 1) },
    { add: files.slice(1, 3) },
    { truncate: true, add: files.slice(3, 5) },
    { add: files.slice(5) },
    { add: files.slice(0, 3) },
    { remove: [files[4] as string] },
  ])
  await expectReadersAgree('missions', moments)
})

testWithShared(
  'icebird reads 100 files of security findings at each of their snapshots',
  async () => {
    const files = await parquetFiles('security_findings')
    expect(files).toHaveLength(100)
    const moments = await makeTable('findings', files[0] as string, [
      { add: files.slice(0, 40) },
      { add: files.slice(40, 41) },
      { add: files.slice(41) },
      { remove: [files[7] as string, files[40] as string, files[99] as string] },
      { truncate: true, add: files.slice(90, 95) },
      { add: files.slice(0, 90) },
      { add: files.slice(95) },
    ])
    await expectReadersAgree('findings', moments)
  },
  30_000,
)

testWithShared(
  'icebird reads what twenty-five commits left in merged manifests',
  async () => {
    const files = await parquetFiles('security_findings')
    const steps = files.slice(0, 25).map((file): Step => ({ add: [file] }))
    const moments = await makeTable('findings', files[0] as string, [
      ...steps,
      { remove: [files[3] as string, files[24] as string] },
    ])
    await expectReadersAgree('findings', moments, (i) => i % 6 === 0 || i > 23)
  },
  30_000,
)

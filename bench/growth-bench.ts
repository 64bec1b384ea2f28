/**
 * Bytes of metadata that a one-file commit writes, and its time, while a table grows to a million
 * files.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DataFile } from '../src/core/file/data-file.ts'
import { liveFilesCount } from '../src/core/file/data-file.ts'
import { encodeSingleValue } from '../src/core/value/single-value.ts'
import type { LakeServices } from '../src/lake/lake.ts'
import { createTable } from '../src/modules/tables/tables.ts'
import type { ObjectStore } from '../src/objects/object-store.ts'
import { composeLake, type Lake } from '../src/service.ts'
import { commitFiles } from '../test/lake/trusted-caller.ts'
import { fillFiles, withPlatform } from './bench-home.ts'
import { FileLinks, LINKED_COLUMNS } from './file-links.ts'
import { type Growth, simulateGrowth } from './growth-simulation.ts'
import { percentile, printMachine, printRow } from './machine.ts'
import { IS_QUICK, openReport } from './report.ts'

const SIZES = IS_QUICK ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000]
const COMMITS = IS_QUICK ? 50 : 300
/** Enough for several of the largest merges. */
const SIMULATED_MAX = 100_000
/** Files of one snapshot of the fill; more at once would need a lot of memory. */
const FILL_MAX = 100_000
const KINDS = ['new manifest', 'merged manifests', 'manifest list', 'snapshot JSON'] as const
type Kind = (typeof KINDS)[number] | 'metadata.json'
type Bytes = Record<Kind, number>

interface Measured {
  readonly times: readonly number[]
  /** Bytes that each commit wrote before it was acknowledged. */
  readonly commits: readonly Bytes[]
  readonly publications: readonly number[]
  /**
   * Bytes that the process wrote besides these files: the database with its log and checkpoints.
   */
  readonly databaseBytes: number
  /** Bytes of one entry in a manifest of many. */
  readonly entryBytes: number
  readonly growth: Growth
}

const report = openReport('growth')
printMachine(`Growth: ${COMMITS} commits of one file each, bytes of metadata a commit`)
const measured = new Map<number, Measured>()
for (const files of SIZES) measured.set(files, await measureSize(files))
printBytes()
printManifests()

async function measureSize(files: number): Promise<Measured> {
  const home = mkdtempSync(join(tmpdir(), 'moraine-bench-'))
  const results: Measured[] = []
  try {
    const links = await FileLinks.make(home)
    await withPlatform(home, async (deps) => {
      await deps.catalog.migrate()
      await createTable(deps, { name: 'wide', columns: LINKED_COLUMNS })
    })
    await fill(home, files)
    links.prepare(COMMITS)
    await withPlatform(home, async (deps) => {
      results.push(await measureCommits(deps, links))
    })
  } finally {
    rmSync(home, { recursive: true })
  }
  return results[0] as Measured
}

async function fill(home: string, files: number): Promise<void> {
  let tableUuid = ''
  await withPlatform(home, async ({ catalog }) => {
    const state = await catalog.tables.find({ namespace: ['default'], name: 'wide' })
    tableUuid = state?.definition.tableUuid ?? ''
  })
  for (let done = 0; done < files; done += FILL_MAX) {
    const count = Math.min(FILL_MAX, files - done)
    const added = Array.from({ length: count }, (_, i) => dataFile(home, done + i))
    await fillFiles(home, { tableUuid, added })
  }
}

async function measureCommits(base: Lake, links: FileLinks): Promise<Measured> {
  const { objects, written } = counting(base.objects)
  const deps = composeLake({ ...base, objects })
  const before = await listManifests(deps)
  await commitFiles(deps, { table: 'wide', paths: [links.take()] })
  const writtenBefore = bytesWrittenByProcess() - sum(written.map(({ bytes }) => bytes))
  const times: number[] = []
  const commits: Bytes[] = []
  for (let i = 1; i < COMMITS; i++) {
    const from = written.length
    const begin = performance.now()
    await commitFiles(deps, { table: 'wide', paths: [links.take()] })
    times.push(performance.now() - begin)
    commits.push(byKind(written.slice(from)))
  }
  await deps.publisher.close()
  const inFiles = sum(written.map(({ bytes }) => bytes))
  const sizes = before.map(liveFilesCount)
  return {
    times,
    commits,
    publications: written.filter((w) => w.kind === 'metadata.json').map(({ bytes }) => bytes),
    databaseBytes: (bytesWrittenByProcess() - inFiles - writtenBefore) / commits.length,
    entryBytes: sum(before.map(({ lengthBytes }) => lengthBytes)) / sum(sizes),
    growth: simulateGrowth(sizes, { commits: Math.min(SIMULATED_MAX, sum(sizes)) }),
  }
}

async function listManifests({ catalog, manifests }: LakeServices) {
  const state = await catalog.tables.find({ namespace: ['default'], name: 'wide' })
  return manifests.getManifestList(state?.currentSnapshot?.manifestList ?? '')
}

/** The same store, which also records what is written to it. */
function counting(store: ObjectStore) {
  const written: { readonly kind: Kind; readonly bytes: number }[] = []
  let isNew = true
  const kindOf = (location: string): Kind => {
    if (location.includes('/manifests/')) {
      const kind = isNew ? 'new manifest' : 'merged manifests'
      isNew = false
      return kind
    }
    if (location.endsWith('.metadata.json')) return 'metadata.json'
    // Each commit writes both once, the list after its manifests.
    isNew = true
    return location.includes('/manifest_lists/') ? 'manifest list' : 'snapshot JSON'
  }
  const objects = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name !== 'putIfAbsent') return value.bind(target)
      return (location: string, bytes: Uint8Array) => {
        written.push({ kind: kindOf(location), bytes: bytes.length })
        return target.putIfAbsent(location, bytes)
      }
    },
  })
  return { objects, written }
}

function byKind(written: readonly { readonly kind: Kind; readonly bytes: number }[]): Bytes {
  const bytes: Bytes = {
    ...{ 'new manifest': 0, 'merged manifests': 0, 'manifest list': 0 },
    ...{ 'snapshot JSON': 0, 'metadata.json': 0 },
  }
  for (const { kind, bytes: length } of written) bytes[kind] += length
  return bytes
}

/** Linux only. Sockets count, but nobody is connected. */
function bytesWrittenByProcess(): number {
  const found = /^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
  return Number(found?.[1])
}

function printBytes(): void {
  printRow([
    ...['files', ...KINDS, 'database', 'in all', 'in all, long run', 'most at once'],
    ...['p50 ms', 'p99 ms', 'worst ms'],
  ])
  printRow(Array.from({ length: 12 }, () => '---'))
  let atFirst: number | undefined
  for (const [files, { commits, times, databaseBytes, entryBytes, growth }] of measured) {
    const means = KINDS.map((kind) => mean(commits.map((commit) => commit[kind])))
    const inAll = sum(means) + databaseBytes
    const mergedLong = growth.entriesMergedMean * entryBytes
    const longRun = inAll - (means[1] ?? 0) + mergedLong
    const most = Math.max(...commits.map((commit) => sum(KINDS.map((kind) => commit[kind]))))
    const mostLong = Math.max(most, growth.entriesMergedMax * entryBytes)
    const bytes = [...means, databaseBytes, inAll, longRun, mostLong].map(Math.round)
    const ms = [percentile(times, 0.5), percentile(times, 0.99), Math.max(...times)]
    printRow([files, ...bytes, ...ms.map((time) => time.toFixed(1))])
    const aim = atFirst === undefined ? {} : { aim: { atMost: 2 * atFirst } }
    const what = `metadata bytes of a one-file commit, long run, table of ${files} files`
    report.figure({ what, value: Math.round(longRun), unit: 'bytes', ...aim })
    atFirst ??= longRun
  }
}

function printManifests(): void {
  console.log()
  printRow([
    ...['files', 'manifests listed, mean', 'most', 'entries merged a commit, mean', 'most'],
    ...['bytes an entry', 'bytes a publication'],
  ])
  printRow(Array.from({ length: 7 }, () => '---'))
  for (const [files, { growth, entryBytes, publications }] of measured) {
    const { manifestsMean, manifestsMax, entriesMergedMean, entriesMergedMax } = growth
    printRow([
      ...[files, manifestsMean.toFixed(1), manifestsMax, entriesMergedMean.toFixed(2)],
      ...[entriesMergedMax, Math.round(entryBytes), Math.round(mean(publications))],
    ])
  }
}

function dataFile(home: string, index: number): DataFile {
  const counts = (count: number) => new Map([1, 2, 3].map((id) => [id, count]))
  const bounds = (offset: number) =>
    new Map([
      [1, encodeSingleValue({ kind: 'long' }, BigInt(index * 1000 + offset))],
      [2, encodeSingleValue({ kind: 'decimal', precision: 21, scale: 1 }, BigInt(index + offset))],
      [3, encodeSingleValue({ kind: 'string' }, `name ${index * 1000 + offset}`)],
    ])
  return {
    ...{ content: 'data', format: 'parquet', specId: 0, partition: [] },
    path: `file://${home}/lake/data-${createHash('sha1').update(`${index}`).digest('hex')}.parquet`,
    ...{ recordCount: 1000, fileSizeBytes: 65_536 + (index % 997), splitOffsets: [4] },
    ...{ columnSizes: counts(8_000 + (index % 89)), valueCounts: counts(1000) },
    ...{ nullValueCounts: counts(0), lowerBounds: bounds(0), upperBounds: bounds(999) },
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : sum(values) / values.length
}

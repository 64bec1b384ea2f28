import type { Catalog } from '../../catalog/catalog.ts'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import { isBelow } from '../../core/file/location-key.ts'
import { LEASE_MS } from '../../core/limits.ts'
import { parseExactJson, stringifyExactJson } from '../../formats/json/exact-json.ts'
import {
  beginGeneration,
  type GenerationDependencies,
  type MarkedWarehouse,
  markNewer,
} from '../../lake/deletion/generation.ts'
import { holdDeletions } from '../../lake/jobs/held-deletions.ts'
import type { Lease, LeaseDependencies } from '../../lake/jobs/lease.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { MARKER_NAME } from '../../lake/table/warehouse-claim.ts'
import type { ObjectInfo, ObjectStore } from '../../objects/object-store.ts'
import { allDumpsFolder } from '../dumps/dump-key.ts'
import { type NamedFile, namedFiles } from './files-of-tables.ts'

const GONE: ReadonlySet<string> = new Set(['file-not-found', 'data-file-changed'])
/** Files that the service may not look at are none that it could serve. */
const OUT_OF_REACH: ReadonlySet<string> = new Set(['location-not-allowed', 'location-invalid'])
const COPIES_AT_ONCE = 8
const LOOKS_AT_ONCE = 32
const WAIT_MS = 500
/** Rounds of looking for archives that got their names in between. */
const ROUNDS_MAX = 20
const DIFFERING_TOLD_MAX = 10
const REPORT_BYTES_MAX = 1024 * 1024
const REPORT_NAME = 'backup.json'
const REGISTERED_NAME = 'registered-files.txt'
const MISSING_NAME = 'missing-files.txt'

export type BackupDependencies = LeaseDependencies &
  Pick<GenerationDependencies, 'deleteGraceMs'> &
  Pick<LakeServices, 'objects' | 'manifests' | 'warehouse'> & {
    readonly catalog: Catalog
    /** Files outside of the warehouse, besides those of tables, which are looked up already. */
    listOutside?(): AsyncIterable<NamedFile>
  }

export interface BackupTarget {
  readonly objects: ObjectStore
  /** Where the backup goes: a folder without anything. */
  readonly root: string
  /** Writes the catalog of this moment. */
  copyCatalog(): Promise<void>
  /** What was written, if it can be read. */
  openCopy(): Promise<Catalog | undefined>
  /** By the clock that dates files. */
  nowMs(): number
}

/** What a finished backup says about itself. */
export interface BackupReport {
  readonly version: string
  /** Every change acknowledged before this instant is in the backup. */
  readonly startedAt: string
  readonly warehouse: string
  readonly warehouseId: string
  /** Later than that of the copied catalog (generation.ts). Old backups have none. */
  readonly generation?: number
  readonly files: number
  readonly bytes: number
  /** Files outside the warehouse, which are listed and not copied. */
  readonly registeredFiles: number
  /** Files that the catalog names and nobody has, or that are out of the service's reach. */
  readonly missingFiles: number
}

/** Somebody else makes one; their deletions would be held for too short. */
export class BackupRunsError extends Error {}

/**
 * Copies the catalog first and the files after, while services go on. Meanwhile no process deletes
 * what the copy of the catalog names. What tables got later is left out, and so are dumps.
 */
export async function backUp(
  deps: BackupDependencies,
  target: BackupTarget,
  about: Pick<BackupReport, 'version' | 'warehouseId'>,
  signal: AbortSignal,
): Promise<BackupReport> {
  const hold = await holdForBackup(deps, signal)
  try {
    const startedAt = new Date(target.nowMs()).toISOString()
    await target.copyCatalog()
    // Wherever the copy is put back, it is older than its warehouse.
    const generation = await beginGeneration(deps)
    const { copied, gone } = await copyFiles(deps, target, target.nowMs())
    const named = await completeFiles(deps, target, { copied, gone })
    if (hold.hasLapsed) {
      deps.log.warn({}, 'deletions were not held all the time; every named file was looked for')
    }
    const { warehouse } = deps
    const report = { ...about, startedAt, warehouse, generation, ...totalsOf(copied), ...named }
    await put(target, REPORT_NAME, `${stringifyExactJson(report)}\n`)
    return report
  } finally {
    await hold.release()
  }
}

/**
 * Waits for the lease of a backup that was killed. A restored catalog has one, too: that of its own
 * backup.
 */
async function holdForBackup(deps: LeaseDependencies, signal: AbortSignal): Promise<Lease> {
  const giveUpAtMs = performance.now() + LEASE_MS + WAIT_MS
  while (performance.now() < giveUpAtMs) {
    signal.throwIfAborted()
    const hold = await holdDeletions(deps, signal)
    if (hold !== undefined) return hold
    await deps.ambient.sleep(WAIT_MS, signal)
  }
  throw new BackupRunsError('another backup is being made: try again when it is done')
}

/** The report of a backup; `undefined` where none was finished. */
export async function readReport(
  objects: ObjectStore,
  root: string,
): Promise<BackupReport | undefined> {
  const location = `${root}/${REPORT_NAME}`
  if ((await objects.find(location)) === undefined) return undefined
  const bytes = await objects.read(location, { bytesMax: REPORT_BYTES_MAX })
  return parseExactJson(new TextDecoder().decode(bytes)) as unknown as BackupReport
}

export interface CopyReport {
  readonly written: number
  /** There already. */
  readonly present: number
  /** Locations in `to` where something of another size is, which stays; at most ten. */
  readonly differing: readonly string[]
}

/**
 * Copies every file of a warehouse that is not there yet. Its marker comes first: a copy that was
 * interrupted is told by it, and goes on.
 */
export async function copyWarehouse(
  from: { readonly objects: ObjectStore; readonly root: string },
  to: { readonly objects: ObjectStore; readonly root: string },
): Promise<CopyReport> {
  const infos: ObjectInfo[] = []
  for await (const info of from.objects.list(from.root)) infos.push(info)
  const differing: string[] = []
  const copy = async ({ location, sizeBytes, version }: ObjectInfo): Promise<number> => {
    const chunks = from.objects.readStream(location, 0, sizeBytes, { version, isWhole: true })
    const there = to.root + location.slice(from.root.length)
    const put = await to.objects.putStreamIfAbsent(there, chunks, {
      bytesMax: sizeBytes,
      sizeBytes,
    })
    if (put.outcome === 'written') return 1
    // No file of a warehouse is ever written again: another size is another file.
    const isSame = (await to.objects.find(there))?.sizeBytes === sizeBytes
    if (!isSame && differing.length < DIFFERING_TOLD_MAX) differing.push(there)
    return 0
  }
  const isFirst = ({ location }: ObjectInfo) => location === `${from.root}/${MARKER_NAME}`
  let written = 0
  for (const group of [infos.filter(isFirst), infos.filter((info) => !isFirst(info))]) {
    for (const n of await mapBounded(group, COPIES_AT_ONCE, copy)) written += n
  }
  return { written, present: infos.length - written, differing }
}

/** To be called before the catalog of the backup is put back, which is older than the warehouse. */
export function markRestored(
  place: MarkedWarehouse,
  { generation = 0 }: BackupReport,
): Promise<void> {
  return markNewer(place, generation)
}

/** Sizes of what was copied, by location. */
type Copied = Map<string, number>

interface CopiedFiles {
  readonly copied: Copied
  /** Archives that were listed and are neither there nor under another name. */
  readonly gone: readonly string[]
}

/**
 * Everything but dumps, and files of tables that came after the catalog was copied: those that it
 * names are looked for again. Nothing else is named, so that it is taken whatever its date: the
 * clock that dates it may be, or have been, ahead.
 */
async function copyFiles(
  deps: Pick<BackupDependencies, 'objects' | 'warehouse'>,
  target: BackupTarget,
  untilMs: number,
): Promise<CopiedFiles> {
  const copied: Copied = new Map()
  const copyAll = async (infos: readonly ObjectInfo[]): Promise<readonly string[]> => {
    const gone: string[] = []
    await mapBounded(infos, COPIES_AT_ONCE, async (info) => {
      if (await copyFile(deps, target, info)) copied.set(info.location, info.sizeBytes)
      else gone.push(info.location)
    })
    return gone
  }
  // What is gone or replaced by now was never named, or is missed below.
  await copyAll(await listFiles(deps, untilMs))
  // Archives are nowhere else. A run that ends in between gives its file another name.
  for (let round = 1; ; round++) {
    const others: ObjectInfo[] = []
    for await (const info of listArchives(deps)) if (!copied.has(info.location)) others.push(info)
    const gone = await copyAll(others)
    if (round === ROUNDS_MAX || (round > 1 && gone.length === 0)) return { copied, gone }
  }
}

/** All but dumps, which are made again when asked for, archives, and later files of tables. */
async function listFiles(
  { objects, warehouse }: Pick<BackupDependencies, 'objects' | 'warehouse'>,
  untilMs: number,
): Promise<readonly ObjectInfo[]> {
  const others = [`${allDumpsFolder(warehouse)}/`, `${warehouse}/.exports/`]
  const infos: ObjectInfo[] = []
  for await (const info of objects.list(warehouse)) {
    const { location, modifiedAtMs } = info
    if (others.some((folder) => location.startsWith(folder))) continue
    const isOfTable = location[warehouse.length + 1] !== '.'
    if (!isOfTable || modifiedAtMs <= untilMs) infos.push(info)
  }
  return infos
}

/** Those of runs that have not ended first: a file that gets its name in between is seen by one. */
async function* listArchives({
  objects,
  warehouse,
}: Pick<BackupDependencies, 'objects' | 'warehouse'>): AsyncIterable<ObjectInfo> {
  const archives = `${warehouse}/.exports`
  const staged = `${archives}/.staged`
  yield* objects.list(staged)
  for await (const info of objects.list(archives)) {
    if (!info.location.startsWith(`${staged}/`)) yield info
  }
}

async function copyFile(
  { objects, warehouse }: Pick<BackupDependencies, 'objects' | 'warehouse'>,
  target: BackupTarget,
  { location, sizeBytes, version }: ObjectInfo,
): Promise<boolean> {
  const chunks = objects.readStream(location, 0, sizeBytes, { version, isWhole: true })
  const to = `${target.root}/warehouse${location.slice(warehouse.length)}`
  try {
    await target.objects.putStreamIfAbsent(to, chunks, { bytesMax: sizeBytes, sizeBytes })
    return true
  } catch (error) {
    if (error instanceof CatalogError && GONE.has(error.code)) return false
    throw error
  }
}

/**
 * Copies what the catalog names and was not copied; lists what cannot be. Files outside the
 * warehouse are looked up and listed.
 */
async function completeFiles(
  deps: BackupDependencies,
  target: BackupTarget,
  { copied, gone }: CopiedFiles,
): Promise<Pick<BackupReport, 'registeredFiles' | 'missingFiles'>> {
  const registered = new Set<string>()
  const missing = new Set(gone)
  const take = async ({ location, isMissing }: NamedFile): Promise<void> => {
    if (isMissing) missing.add(location)
    else if (!isBelow(deps.warehouse, location)) registered.add(location)
    else if (!copied.has(location)) {
      const info = await deps.objects.find(location)
      const isCopied = info !== undefined && (await copyFile(deps, target, info))
      if (isCopied) copied.set(location, info.sizeBytes)
      else missing.add(location)
    }
  }
  const copy = await target.openCopy()
  try {
    for await (const file of namedFiles(deps, copy ?? deps.catalog)) await take(file)
  } finally {
    await copy?.close()
  }
  await mapBounded([...registered], LOOKS_AT_ONCE, async (location) => {
    if (await isThere(deps, location)) return
    registered.delete(location)
    missing.add(location)
  })
  for await (const { location, isMissing } of deps.listOutside?.() ?? []) {
    if (isMissing) missing.add(location)
    else registered.add(location)
  }
  if (registered.size > 0) await put(target, REGISTERED_NAME, linesOf(registered))
  if (missing.size > 0) await put(target, MISSING_NAME, linesOf(missing))
  return { registeredFiles: registered.size, missingFiles: missing.size }
}

async function isThere(
  { objects }: Pick<BackupDependencies, 'objects'>,
  location: string,
): Promise<boolean> {
  try {
    return (await objects.find(location)) !== undefined
  } catch (error) {
    if (error instanceof CatalogError && OUT_OF_REACH.has(error.code)) return false
    throw error
  }
}

function totalsOf(copied: Copied): Pick<BackupReport, 'files' | 'bytes'> {
  let bytes = 0
  for (const sizeBytes of copied.values()) bytes += sizeBytes
  return { files: copied.size, bytes }
}

function linesOf(locations: ReadonlySet<string>): string {
  return [...locations]
    .sort()
    .map((location) => `${location}\n`)
    .join('')
}

async function put({ objects, root }: BackupTarget, name: string, text: string): Promise<void> {
  await objects.putIfAbsent(`${root}/${name}`, new TextEncoder().encode(text))
}

import type { DataFile, ManifestFile } from '../../core/file/data-file.ts'
import { partitionKey } from '../../core/partition/partition-key.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { Turns } from '../../core/turns.ts'
import { forEachLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'
import type { ResolvedChange } from './snapshot-change.ts'

/**
 * Totals of a snapshot, under their names in the specification (Iceberg spec, "Snapshot summary").
 */
const TOTALS = [
  'total-data-files',
  'total-delete-files',
  'total-records',
  'total-files-size',
  'total-position-deletes',
  'total-equality-deletes',
] as const
type Totals = Record<(typeof TOTALS)[number], number>

const NO_FILES: Totals = {
  'total-data-files': 0,
  'total-delete-files': 0,
  'total-records': 0,
  'total-files-size': 0,
  'total-position-deletes': 0,
  'total-equality-deletes': 0,
}

/** The files that differ between a snapshot and its parent. */
type SummaryChange = Pick<ResolvedChange, 'added' | 'removed'>

/**
 * `added-data-files`, ..., `total-records`, ...: counts of nothing are left out, totals are always
 * there.
 */
export function changeSummary(totalsBefore: Totals, change: SummaryChange): Record<string, string> {
  const added = count(change.added)
  const removed = count(change.removed)
  const summary: Record<string, string> = {}
  setIfAny(summary, 'added-data-files', added['total-data-files'])
  setIfAny(summary, 'deleted-data-files', removed['total-data-files'])
  setIfAny(summary, 'removed-delete-files', removed['total-delete-files'])
  setIfAny(summary, 'added-records', added['total-records'])
  setIfAny(summary, 'deleted-records', removed['total-records'])
  setIfAny(summary, 'added-files-size', added['total-files-size'])
  setIfAny(summary, 'removed-files-size', removed['total-files-size'])
  setIfAny(summary, 'changed-partition-count', countPartitions(change))
  for (const name of TOTALS) {
    summary[name] = String(totalsBefore[name] + added[name] - removed[name])
  }
  return summary
}

/** From the summary; counted over the manifests when another writer left one out. */
export async function totalsOf(
  snapshot: Snapshot | undefined,
  manifests: readonly ManifestFile[],
  cache: ManifestCache,
): Promise<Totals> {
  if (snapshot === undefined) return NO_FILES
  const totals = Object.fromEntries(
    TOTALS.map((name) => [name, Number(snapshot.summary[name] ?? Number.NaN)]),
  ) as Totals
  if (Object.values(totals).every(Number.isSafeInteger)) return totals
  const counted = { ...NO_FILES }
  const turns = new Turns()
  for (const file of manifests) {
    const manifest = await cache.getManifest(file)
    await forEachLiveEntry(manifest, turns, (i) => addFile(counted, manifest.entry(i, []).dataFile))
  }
  return counted
}

function count(files: readonly DataFile[]): Totals {
  const totals = { ...NO_FILES }
  for (const file of files) addFile(totals, file)
  return totals
}

function addFile(totals: Totals, file: DataFile): void {
  totals['total-files-size'] += file.fileSizeBytes
  if (file.content === 'data') {
    totals['total-data-files'] += 1
    totals['total-records'] += file.recordCount
    return
  }
  totals['total-delete-files'] += 1
  if (file.content === 'position-deletes') totals['total-position-deletes'] += file.recordCount
  else totals['total-equality-deletes'] += file.recordCount
}

function countPartitions(change: SummaryChange): number {
  return new Set([...change.added, ...change.removed].map(partitionKey)).size
}

function setIfAny(summary: Record<string, string>, name: string, value: number): void {
  if (value > 0) summary[name] = String(value)
}

import type { Snapshot } from '../../core/table/snapshot.ts'
import { type TableMetadata, withTakenRowIds } from '../../core/table/table.ts'
import { snapshotFromJson } from '../../formats/metadata/snapshot-json.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { readJson, type SnapshotFile } from './rebuild-files.ts'
import { isLost, unreadableFileOf, type WholeManifests } from './whole-snapshots.ts'

/** A snapshot file that nothing published names. */
interface Candidate {
  readonly snapshot: Snapshot
  readonly attempt: number
}

/** A candidate that may follow the published snapshot, and the best that comes of it. */
interface Step extends Candidate {
  /** Why its rows cannot be read, if so. */
  readonly fault: string | undefined
  /** Sequence number of the last readable snapshot from here on; `undefined` if there is none. */
  reaches?: bigint | undefined
}

export interface WithLater {
  readonly metadata: TableMetadata
  /** What people must know of snapshots that were not taken, a line each. */
  readonly notes: readonly string[]
  /** Whether one was not taken because it cannot be read: it may have been acknowledged. */
  readonly isLess: boolean
}

type Dependencies = Pick<LakeServices, 'objects' | 'manifests'>

/**
 * The published metadata, and commits after it in order, by parent and sequence number. A snapshot
 * file does not say that its commit won, nor that its manifests were written: all are written at
 * once, before the catalog decides. So the chain ends at a snapshot that can be read; of several
 * that follow one, that is taken which leads furthest to such an end, as only what was committed
 * has followers; and of those that lead as far, the last.
 *
 * Published P; files A (of a killed process) and B after P, C after B: P, B, C.
 */
export async function withLaterSnapshots(
  deps: Dependencies,
  published: TableMetadata,
  files: readonly SnapshotFile[],
): Promise<WithLater> {
  const { candidates, notes } = await readCandidates(deps, published, files)
  const levels = await reachable(deps, published, candidates)
  const byKey = groupBy(levels.flat(), ({ snapshot }) => keyOf(snapshot))
  const followersOf = (parentSnapshotId: bigint | null, sequenceNumber: bigint) =>
    byKey.get(keyOf({ parentSnapshotId, sequenceNumber })) ?? []
  for (const step of levels.flat().toReversed()) {
    const { snapshotId, sequenceNumber } = step.snapshot
    const best = bestOf(followersOf(snapshotId, sequenceNumber + 1n))
    const itself = step.fault === undefined ? sequenceNumber : undefined
    step.reaches = best?.reaches ?? itself
  }
  let metadata = published
  const told = [...notes]
  let isLess = notes.length > 0
  for (;;) {
    const { currentSnapshotId = null, lastSequenceNumber } = metadata
    const followers = followersOf(currentSnapshotId, lastSequenceNumber + 1n)
    const next = bestOf(followers)
    if (next?.reaches === undefined) {
      isLess ||= followers.length > 0
      return { metadata, notes: [...told, ...followers.map(notTaken)], isLess }
    }
    told.push(...equals(followers, next).map(alsoThere))
    metadata = followedBy(metadata, next.snapshot)
  }
}

async function readCandidates(
  deps: Dependencies,
  { definition: { tableUuid }, lastSequenceNumber, snapshots }: TableMetadata,
  files: readonly SnapshotFile[],
): Promise<{ readonly candidates: readonly Candidate[]; readonly notes: readonly string[] }> {
  const known = new Set(snapshots.map(({ snapshotId }) => snapshotId))
  const candidates: Candidate[] = []
  const notes: string[] = []
  for (const { location, snapshotId, attempt } of files) {
    try {
      const json = (await readJson(deps, location)) as Readonly<Record<string, unknown>> | null
      if ((json?.['table-uuid'] ?? tableUuid) !== tableUuid) continue
      const snapshot = snapshotFromJson(json?.['snapshot'])
      if (snapshot.sequenceNumber > lastSequenceNumber) candidates.push({ snapshot, attempt })
    } catch (error) {
      if (!(error instanceof SyntaxError || isLost(error))) throw error
      if (!known.has(snapshotId)) notes.push(`the file of a snapshot cannot be read: ${location}`)
    }
  }
  return { candidates, notes }
}

/** Those that follow what is published, directly or not: an array for each sequence number. */
async function reachable(
  deps: Dependencies,
  published: TableMetadata,
  candidates: readonly Candidate[],
): Promise<readonly (readonly Step[])[]> {
  const { currentSnapshotId, lastSequenceNumber } = published
  const bySequence = groupBy(candidates, ({ snapshot }) => snapshot.sequenceNumber)
  const whole: WholeManifests = new Set()
  const levels: Step[][] = []
  let parents = new Set<bigint | null>([currentSnapshotId ?? null])
  for (let number = lastSequenceNumber + 1n; ; number += 1n) {
    const found = bySequence.get(number) ?? []
    const level: Step[] = []
    for (const candidate of found) {
      if (!parents.has(candidate.snapshot.parentSnapshotId)) continue
      level.push({ ...candidate, fault: await findFault(deps, published, candidate, whole) })
    }
    if (level.length === 0) return levels
    levels.push(level)
    parents = new Set(level.map(({ snapshot }) => snapshot.snapshotId))
  }
}

async function findFault(
  { manifests }: Pick<LakeServices, 'manifests'>,
  { definition: { schemas } }: TableMetadata,
  { snapshot }: Candidate,
  whole: WholeManifests,
): Promise<string | undefined> {
  const { schemaId } = snapshot
  if (!schemas.some((schema) => schema.schemaId === schemaId)) {
    return `its schema ${schemaId} came with it, and is in no metadata file`
  }
  const file = await unreadableFileOf(manifests, snapshot, whole)
  if (file === undefined) return undefined
  return `${file} cannot be read, because the commit was interrupted or the file was lost since`
}

function keyOf({
  parentSnapshotId,
  sequenceNumber,
}: Pick<Snapshot, 'parentSnapshotId' | 'sequenceNumber'>): string {
  return `${parentSnapshotId}/${sequenceNumber}`
}

function bestOf(steps: readonly Step[]): Step | undefined {
  return steps.toSorted(worstFirst).at(-1)
}

function worstFirst(a: Step, b: Step): number {
  return (
    Number((a.reaches ?? -1n) - (b.reaches ?? -1n)) ||
    // A later attempt at the same commit has its id, and so its followers.
    Number(a.fault === undefined) - Number(b.fault === undefined) ||
    a.snapshot.timestampMs - b.snapshot.timestampMs ||
    a.attempt - b.attempt
  )
}

/** Others that reach as far as the one that is taken. */
function equals(followers: readonly Step[], taken: Step): readonly Step[] {
  return followers.filter(
    ({ reaches, snapshot }) =>
      reaches === taken.reaches && snapshot.snapshotId !== taken.snapshot.snapshotId,
  )
}

function followedBy(metadata: TableMetadata, next: Snapshot): TableMetadata {
  const { snapshotId, timestampMs } = next
  const definition = withTakenRowIds(metadata.definition, next)
  // It was upgraded since it was published.
  const isUpgraded = next.firstRowId !== undefined && definition.formatVersion < 3
  return {
    ...metadata,
    definition: isUpgraded ? { ...definition, formatVersion: 3 } : definition,
    lastSequenceNumber: next.sequenceNumber,
    lastUpdatedMs: timestampMs,
    currentSnapshotId: snapshotId,
    snapshots: [...metadata.snapshots, next],
    snapshotLog: [...metadata.snapshotLog, { timestampMs, snapshotId }],
  }
}

function notTaken({ snapshot, fault }: Step): string {
  return `snapshot ${snapshot.snapshotId} comes after the current one and was left out: ${fault}`
}

function alsoThere({ snapshot }: Step): string {
  return (
    `snapshot ${snapshot.snapshotId} has the place of another one and was left out: one of the ` +
    'two was never committed, probably this one, which is older'
  )
}

function groupBy<T, K>(items: readonly T[], key: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

import type { Stores } from '../../catalog/catalog.ts'
import type { NewTable } from '../../catalog/table-store.ts'
import type { RequirePaths } from '../../core/access/require-paths.ts'
import { CatalogError } from '../../core/errors.ts'
import { checkProperties } from '../../core/metadata/property-update.ts'
import { highestFieldId } from '../../core/schema/schema-lookup.ts'
import { findNumberWithoutRoom } from '../../core/table/number-room.ts'
import { MAIN_BRANCH, type Snapshot, type SnapshotLogEntry } from '../../core/table/snapshot.ts'
import { earliestMsOf } from '../../core/table/snapshot-log.ts'
import type { TableDefinition, TableMetadata } from '../../core/table/table.ts'
import type { NamespacedName } from '../../core/table/table-name.ts'
import { METADATA_TEXT_BYTES_MAX } from '../../formats/metadata/metadata-file.ts'
import { statisticsPaths } from '../../lake/deletion/named-files.ts'
import { requireOwnNames } from '../../lake/file/own-names.ts'
import type { LakeServices } from '../../lake/lake.ts'
import {
  besideLists,
  makeManifestLists,
  writeManifestLists,
} from '../../lake/table/inline-manifests.ts'
import { versionInName } from '../../lake/table/metadata-file-name.ts'
import { requireFreeLocation, requireFreeMetadataFolder } from '../../lake/table/table-location.ts'
import { metadataFileMissing } from './load-table.ts'
import { pathsOfImported } from './snapshots/imported-paths.ts'

const PUBLICATIONS_MAX = 100

/**
 * Throws `file-not-found` in Iceberg's words, and `update-invalid` if it is not table metadata.
 */
export async function readMetadataAt(
  { objects, readTableMetadata }: Pick<LakeServices, 'objects' | 'readTableMetadata'>,
  location: string,
): Promise<TableMetadata> {
  let bytes: Uint8Array
  try {
    bytes = await objects.read(location, { bytesMax: METADATA_TEXT_BYTES_MAX })
  } catch (error) {
    const isMissing = error instanceof CatalogError && error.code === 'file-not-found'
    throw isMissing ? metadataFileMissing(location) : error
  }
  try {
    return await readTableMetadata(bytes)
  } catch (cause) {
    if (!(cause instanceof CatalogError)) throw cause
    throw invalidFile(location, cause.message, cause)
  }
}

/**
 * The whole table that a metadata file describes, with a version higher than those of the files in
 * its metadata log.
 */
export async function importTable(
  deps: Stores<'events' | 'locations' | 'paths'> &
    Pick<LakeServices, 'ambient' | 'manifests' | 'objects' | 'warehouse' | 'writableLocations'>,
  given: TableMetadata,
  {
    name,
    metadataLocation,
    versionMin,
    requirePaths,
  }: {
    readonly name: NamespacedName
    readonly metadataLocation: string
    readonly versionMin: number
    readonly requirePaths: RequirePaths
  },
): Promise<NewTable> {
  const refuse = (problem: string) => invalidFile(metadataLocation, problem)
  const described = { ...given, definition: withIdsTaken(given) }
  requireConsistent(described, refuse)
  const tableUuid = described.definition.tableUuid.toLowerCase()
  const definition = { ...described.definition, tableUuid }
  await requireFreeLocation(deps, definition)
  await requireFreeMetadataFolder(deps, definition)
  await requirePaths(described.snapshots.flatMap(({ inlineManifests = [] }) => inlineManifests))
  const { metadata, lists } = await makeManifestLists(deps, described)
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]))
  const { currentSnapshotId } = metadata
  const earlier = metadata.metadataLog.slice(-PUBLICATIONS_MAX)
  // Above the file's own number, too: the highest is the newest for a rebuild.
  const version = Math.max(
    await versionAfter(deps, tableUuid, { versionMin, earlier: earlier.length }),
    versionInName(metadataLocation) ?? 0,
  )
  const { [MAIN_BRANCH]: _main, ...refs } = metadata.refs
  const state = {
    ...name,
    definition,
    version,
    lastSequenceNumber: metadata.lastSequenceNumber,
    lastUpdatedMs: metadata.lastUpdatedMs,
    createdAtMs: earliestMsOf(metadata),
    currentSnapshot: currentSnapshotId === undefined ? undefined : byId.get(currentSnapshotId),
    refs,
    metadataLocation,
    publishedVersion: version,
  }
  const isGiven = (path: string) => !lists.has(path)
  await requirePaths(metadata.snapshots.map(({ manifestList }) => manifestList).filter(isGiven))
  const addedPaths = [
    ...(await pathsOfImported(
      { requirePaths, objects: deps.objects, manifests: besideLists(deps.manifests, lists) },
      state,
      metadata.snapshots,
    )),
    ...statisticsPaths(definition),
  ]
  await requirePaths(addedPaths.filter(isGiven))
  await requireOwnNames(deps.objects, [metadataLocation, ...addedPaths])
  await writeManifestLists(deps, lists)
  return {
    state,
    snapshots: metadata.snapshots,
    snapshotLog: knownLog(metadata.snapshotLog, byId),
    addedPaths,
    earlierPublications: earlier.map(({ timestampMs, metadataFile }, i) => ({
      version: version - earlier.length + i,
      metadataLocation: metadataFile,
      publishedAtMs: timestampMs,
    })),
  }
}

/**
 * Above those that the UUID had before it was dropped, as are the publications before it: what was
 * prepared for another life of it must find another version.
 */
async function versionAfter(
  { catalog }: Stores<'locations'>,
  tableUuid: string,
  { versionMin, earlier }: { readonly versionMin: number; readonly earlier: number },
): Promise<number> {
  const last = await catalog.locations.findLastVersion(tableUuid)
  return Math.max(versionMin, last === undefined ? 0 : last + 1) + earlier
}

/** Some writers' last ids are behind those that are taken: what is added gets others. */
function withIdsTaken({ definition, snapshots }: TableMetadata): TableDefinition {
  const { lastColumnId, lastPartitionId, schemas, partitionSpecs } = definition
  const fieldIds = partitionSpecs.flatMap(({ fields }) => fields.map(({ fieldId }) => fieldId))
  return {
    ...definition,
    lastColumnId: highest([lastColumnId, ...schemas.map(highestFieldId)]),
    lastPartitionId: highest([lastPartitionId, ...fieldIds]),
    ...(definition.formatVersion >= 3 && { nextRowId: rowIdAfter(definition, snapshots) }),
  }
}

/** Above the row ids of all snapshots: two rows with one id would be one to engines. */
function rowIdAfter({ nextRowId = 0n }: TableDefinition, snapshots: readonly Snapshot[]): bigint {
  return snapshots.reduce((next, { firstRowId = 0n, addedRows = 0n }) => {
    const after = firstRowId + addedRows
    return after > next ? after : next
  }, nextRowId)
}

function highest(ids: readonly number[]): number {
  return ids.reduce((left, right) => Math.max(left, right), 0)
}

function requireConsistent(
  metadata: TableMetadata,
  refuse: (problem: string) => CatalogError,
): void {
  const { definition, snapshots, refs, lastSequenceNumber } = metadata
  const problem = findNumberWithoutRoom(metadata)
  if (problem !== undefined) throw refuse(problem)
  const ids = new Set(snapshots.map(({ snapshotId }) => snapshotId))
  if (ids.size < snapshots.length) throw refuse('two snapshots have the same id')
  for (const { snapshotId, sequenceNumber, schemaId } of snapshots) {
    if (snapshotId < 0n) throw refuse(`${snapshotId} is not a snapshot id`)
    if (sequenceNumber > lastSequenceNumber) {
      throw refuse(`the sequence number of snapshot ${snapshotId} is higher than the last one`)
    }
    const isCurrent = snapshotId === refs[MAIN_BRANCH]?.snapshotId
    if (isCurrent && !definition.schemas.some((schema) => schema.schemaId === schemaId)) {
      throw refuse(`the current snapshot has the unknown schema ${schemaId}`)
    }
  }
  for (const [name, { snapshotId }] of Object.entries(refs)) {
    if (!ids.has(snapshotId)) throw refuse(`${name.slice(0, 100)} refers to an unknown snapshot`)
  }
  checkProperties(definition.properties)
}

/**
 * The part of the log after the last entry of a missing snapshot (Iceberg spec, "Table Metadata
 * Fields", snapshot-log).
 */
function knownLog(
  log: readonly SnapshotLogEntry[],
  byId: ReadonlyMap<bigint, Snapshot>,
): readonly SnapshotLogEntry[] {
  const lastGap = log.findLastIndex(({ snapshotId }) => !byId.has(snapshotId))
  return log.slice(lastGap + 1).sort((left, right) => left.timestampMs - right.timestampMs)
}

function invalidFile(location: string, problem: string, cause?: unknown): CatalogError {
  const detail = `Cannot parse metadata file: ${location.slice(0, 1_000)}: ${problem}`
  return new CatalogError('update-invalid', detail, { cause })
}

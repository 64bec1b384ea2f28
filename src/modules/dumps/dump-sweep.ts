import type { Stores } from '../../catalog/catalog.ts'
import { isBelow } from '../../core/file/location-key.ts'
import type { TableState } from '../../core/table/table.ts'
import type { FileNamer } from '../../lake/deletion/file-namer.ts'
import type { Consumer } from '../../lake/events/consumer.ts'
import { deleteUnchanged } from '../../lake/file/delete-unchanged.ts'
import type { Lease } from '../../lake/jobs/lease.ts'
import type { LakeServices } from '../../lake/lake.ts'
import type { ObjectInfo } from '../../objects/object-store.ts'
import { digestStateLocation } from './digest-state.ts'
import type { DumpDependencies } from './dump-dependencies.ts'
import {
  type DumpFolder,
  isIndex,
  listDumpFolder,
  readDumpIndex,
  versionText,
  versionTextOf,
  withoutEdition,
} from './dump-folder.ts'
import { type DumpTarget, dumpsFolder, joinedLocation, versionOf } from './dump-key.ts'
import { homeOf } from './format/dump-home.ts'
import type { DumpIndex } from './format/dump-index.ts'
import { isValidMark, linkedFolders } from './format/link-mark.ts'

export interface SweepRequest {
  /** Folder of the dumps of one table and format, whose lease the caller holds. */
  readonly folder: string
  readonly lease: Lease
  readonly keepNewest: number
  /** The `versionText`, without edition, of dumps that are kept, however old. */
  readonly lasting: ReadonlySet<string>
}

type SweepDependencies = Pick<DumpDependencies, 'ambient' | 'log' | 'objects'>

/** Removes dumps of older snapshots, then shards that no index names. */
export async function sweepDumps(deps: SweepDependencies, request: SweepRequest): Promise<void> {
  const { folder, lease, keepNewest, lasting } = request
  const found = await listDumpFolder(deps, folder)
  // Of the editions of one snapshot and schema, only the newest lasts.
  const seen = new Set<string>()
  const stale = found.indexes.filter(({ location }, rank) => {
    const version = withoutEdition(versionTextOf(location))
    const isLasting = lasting.has(version) && !seen.has(version)
    seen.add(version)
    return rank >= keepNewest && !isLasting
  })
  await removeDumps(deps, { found, stale, lease })
}

/** What branches and tags lead to, and the dump that was just made. */
export function lastingDumps(
  { refs, definition }: TableState,
  made: DumpTarget,
): ReadonlySet<string> {
  const named = Object.values(refs).flatMap(({ type, snapshotId }) => {
    const own = versionText({ snapshotId })
    if (type === 'tag') return [own]
    // Of a branch the columns are the table's, whichever schema its snapshot has.
    return [own, versionText({ snapshotId, schemaId: definition.currentSchemaId })]
  })
  const { edition: _, ...version } = versionOf(made)
  return new Set([...named, versionText(version)])
}

/**
 * Removes the dumps of these indexes, but those that links are valid to, and every shard that no
 * other index names; returns the bytes freed. A dump exists only with its index, so the index goes
 * first, even if a shard then remains.
 */
export async function removeDumps(
  deps: SweepDependencies,
  {
    found,
    lease,
    ...asked
  }: {
    readonly found: DumpFolder
    readonly stale: readonly ObjectInfo[]
    readonly lease: Lease
    readonly read?: (info: ObjectInfo) => Promise<DumpIndex | undefined>
  },
): Promise<number> {
  // Another process may be about to name what no index names yet: deleting needs the lease.
  await lease.confirm()
  const linked = linkedFolders(found.shards.keys(), deps.ambient.nowMs())
  const stale = asked.stale.filter(({ location }) => !linked.has(homeOf(location)))
  const staleLocations = new Set(stale.map(({ location }) => location))
  const kept = found.indexes.filter(({ location }) => !staleLocations.has(location))
  let bytes = 0
  const remove = async (info: ObjectInfo) => {
    lease.signal.throwIfAborted()
    if (await deleteUnchanged(deps.objects, info)) bytes += info.sizeBytes
  }
  for (const index of stale) await remove(index)
  const named = await namedShards(deps, found, { indexes: kept, ...asked })
  for (const shard of found.shards.values()) {
    if (!named.has(shard.location)) await remove(shard)
  }
  return bytes
}

/**
 * Shards that these indexes name, and what lies beside them. A damaged index names none: its dump
 * is made again anyway.
 */
export async function namedShards(
  deps: SweepDependencies,
  { shards }: DumpFolder,
  {
    indexes,
    read = ({ location }) => readDumpIndex(deps, location),
  }: {
    readonly indexes: readonly ObjectInfo[]
    readonly read?: (info: ObjectInfo) => Promise<DumpIndex | undefined>
  },
): Promise<ReadonlySet<string>> {
  const nowMs = deps.ambient.nowMs()
  const named = new Set([...shards.keys()].filter((location) => isValidMark(location, nowMs)))
  for (const info of indexes) {
    const { location } = info
    named.add(digestStateLocation(location))
    const index = await read(info)
    if (index !== undefined) named.add(joinedLocation(location, index))
    for (const piece of index?.pieces ?? []) {
      if (shards.has(piece.location)) named.add(piece.location)
    }
  }
  return named
}

/** Removes shards that were cut short on disk. Only the index knows how long a shard must be. */
export async function removeShortShards(
  { objects }: Pick<LakeServices, 'objects'>,
  { pieces }: Pick<DumpIndex, 'pieces'>,
  folder: string,
): Promise<void> {
  for (const { location, offset, lengthBytes } of pieces) {
    if (!location.startsWith(`${folder}/`)) continue
    const info = await objects.find(location)
    const isShort = info !== undefined && info.sizeBytes < offset + lengthBytes
    if (isShort) await deleteUnchanged(objects, info)
  }
}

/**
 * Removes all dumps of a dropped table. Nobody can request them any more; if the table is
 * registered again, they can be made again.
 */
export async function forgetDumpsOfTable(
  { objects, warehouse }: Pick<LakeServices, 'objects' | 'warehouse'>,
  tableUuid: string,
): Promise<void> {
  for await (const info of objects.list(dumpsFolder(warehouse, tableUuid))) {
    await deleteUnchanged(objects, info)
  }
}

/**
 * Deletes the dumps of tables that are dropped: nobody can ask for them any more. One that is
 * registered again by then keeps them: the same snapshot has the same bytes.
 */
export function forgetDroppedTables(
  deps: Stores<'tables'> & Pick<DumpDependencies, 'objects' | 'warehouse'>,
): Consumer {
  return {
    name: 'dumps of dropped tables',
    events: ['moraine.table.dropped.v1'],
    scope: 'cluster',
    async handle(batch) {
      for (const { subject: tableUuid } of batch) {
        if ((await deps.catalog.tables.find({ tableUuid })) !== undefined) continue
        await forgetDumpsOfTable(deps, tableUuid)
      }
    },
  }
}

/** Ends what each process makes of tables that are dropped; jobs fail with it. */
export function stopDumpsOfDropped(
  deps: Stores<'tables'>,
  dumps: { stopOf(tableUuid: string): Promise<void> },
): Consumer {
  return {
    name: 'dumps in the making of dropped tables',
    events: ['moraine.table.dropped.v1'],
    scope: 'replica',
    async handle(batch) {
      for (const { subject: tableUuid } of batch) {
        if ((await deps.catalog.tables.find({ tableUuid })) !== undefined) continue
        await dumps.stopOf(tableUuid)
      }
    },
  }
}

/** Dumps name the data files whose row groups they consist of. */
export function dumpedFiles(
  deps: Pick<DumpDependencies, 'log' | 'objects' | 'warehouse'>,
  dumps: { stopOf(tableUuid: string): Promise<void> },
): FileNamer {
  return {
    kind: 'dump',
    async *namedFor(tableUuid) {
      const folder = dumpsFolder(deps.warehouse, tableUuid)
      for await (const { location } of deps.objects.list(folder)) {
        if (!isIndex(location)) continue
        const index = await readDumpIndex(deps, location)
        for (const piece of index?.pieces ?? []) {
          if (!isBelow(folder, piece.location)) yield piece.location
        }
      }
    },
    async forget(tableUuid) {
      await dumps.stopOf(tableUuid)
      await forgetDumpsOfTable(deps, tableUuid)
    },
  }
}

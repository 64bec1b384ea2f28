import type { ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { metadataFolder } from '../../core/table/metadata-folder.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import { getSpec, schemaOfSpec, type TableState } from '../../core/table/table.ts'
import { stringifyExactJson } from '../../formats/json/exact-json.ts'
import { encodeManifestList } from '../../formats/manifest/manifest-list.ts'
import {
  type CopiedManifest,
  describeManifest,
  encodeManifestInTurns,
  type ManifestContent,
} from '../../formats/manifest/manifest-writer.ts'
import { snapshotToJson } from '../../formats/metadata/snapshot-json.ts'
import { deleteQuietly } from './orphans.ts'
import type { SnapshotDependencies } from './snapshot-dependencies.ts'

export interface CreatedManifest {
  readonly file: ManifestFile
  readonly bytes: Uint8Array
}

export type SnapshotNumbers = Pick<Snapshot, 'snapshotId' | 'sequenceNumber'>

/** Encodes a manifest under a new name; writes nothing yet. */
export async function createManifest(
  deps: Pick<SnapshotDependencies, 'ambient'>,
  state: TableState,
  {
    entries,
    copied = [],
    like,
    snapshot,
  }: {
    readonly entries: readonly ManifestEntry[]
    /** Whose entries follow. */
    readonly copied?: readonly CopiedManifest[]
    readonly like: Pick<ManifestFile, 'specId' | 'content'>
    readonly snapshot: SnapshotNumbers
  },
): Promise<CreatedManifest> {
  const { definition } = state
  const common = { ...manifestForm(state, like), entries, copied }
  const bytes = await encodeManifestInTurns(common)
  const path = `${metadataFolder(definition)}/manifests/manifest-${deps.ambient.newUuid()}.avro`
  const numbers = { snapshotId: snapshot.snapshotId, sequenceNumber: snapshot.sequenceNumber }
  return {
    file: describeManifest({ ...common, ...numbers, path, lengthBytes: bytes.length }),
    bytes,
  }
}

/** What all manifests of a spec have in common. */
export function manifestForm(
  { definition }: TableState,
  { specId, content }: Pick<ManifestFile, 'specId' | 'content'>,
): Omit<ManifestContent, 'entries' | 'copied'> {
  const spec = getSpec(definition, specId)
  const schema = schemaOfSpec(definition, spec)
  return { schema, spec, content, version: definition.formatVersion === 3 ? 3 : 2 }
}

/**
 * Writes the files of a snapshot, all at once: names and lengths are known before anything is
 * written. When one cannot be written, none stays.
 */
export async function writeSnapshotFiles(
  deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>,
  state: TableState,
  {
    snapshot,
    created,
    list,
  }: {
    readonly snapshot: Omit<Snapshot, 'manifestList'>
    readonly created: readonly CreatedManifest[]
    readonly list: readonly ManifestFile[]
  },
): Promise<{ readonly snapshot: Snapshot; readonly locations: readonly string[] }> {
  const writing = created.map(({ file, bytes }) => putNew(deps, file.path, bytes))
  const listBytes = encodeManifestList({ manifests: list, ...snapshot })
  const outcomes = await Promise.allSettled([
    writeListAndSnapshot(deps, state, { snapshot, listBytes }),
    ...writing,
  ])
  const manifestPaths = created.map(({ file }) => file.path)
  const [listOutcome] = outcomes
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined || listOutcome.status === 'rejected') {
    const written = listOutcome.status === 'fulfilled' ? listOutcome.value.locations : []
    await deleteQuietly(deps, [...manifestPaths, ...written])
    throw (failed as PromiseRejectedResult).reason
  }
  const written = listOutcome.value
  deps.manifests.rememberManifestList(written.snapshot.manifestList, list)
  for (const { file, bytes } of created) deps.manifests.rememberManifest(file.path, bytes)
  return { snapshot: written.snapshot, locations: [...manifestPaths, ...written.locations] }
}

async function putNew(
  deps: Pick<SnapshotDependencies, 'objects'>,
  location: string,
  bytes: Uint8Array,
): Promise<void> {
  const outcome = await deps.objects.putIfAbsent(location, bytes)
  if (outcome === 'already-exists') throw new Error(`a file with a new name exists: ${location}`)
}

/**
 * The names hold the snapshot's id, which a crashed or refused attempt at the same change had too:
 * then the next attempt's number is taken.
 */
async function writeListAndSnapshot(
  deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>,
  { definition }: TableState,
  {
    snapshot,
    listBytes,
  }: { readonly snapshot: Omit<Snapshot, 'manifestList'>; readonly listBytes: Uint8Array },
): Promise<{ readonly snapshot: Snapshot; readonly locations: readonly string[] }> {
  const folder = metadataFolder(definition)
  for (let attempt = 0; ; attempt++) {
    const manifestList = `${folder}/manifest_lists/man_list-${snapshot.snapshotId}-${attempt}.avro`
    const suffix = attempt === 0 ? '' : `-${attempt}`
    const snapshotFile = `${folder}/snapshots/snapshot-${snapshot.snapshotId}${suffix}.json`
    const named = { ...snapshot, manifestList }
    const json = stringifyExactJson({
      'table-uuid': definition.tableUuid,
      snapshot: snapshotToJson(named),
    })
    const written = await putBoth(deps, [
      { location: manifestList, bytes: listBytes },
      { location: snapshotFile, bytes: new TextEncoder().encode(json) },
    ])
    if (written) return { snapshot: named, locations: [manifestList, snapshotFile] }
  }
}

/** Both or, as far as it can be told, neither. */
async function putBoth(
  deps: Pick<SnapshotDependencies, 'manifests' | 'objects'>,
  files: readonly { readonly location: string; readonly bytes: Uint8Array }[],
): Promise<boolean> {
  const outcomes = await Promise.allSettled(
    files.map(({ location, bytes }) => deps.objects.putIfAbsent(location, bytes)),
  )
  const isWritten = (_: unknown, i: number) => {
    const outcome = outcomes[i]
    return outcome?.status === 'fulfilled' && outcome.value === 'written'
  }
  if (files.every(isWritten)) return true
  await deleteQuietly(
    deps,
    files.filter(isWritten).map(({ location }) => location),
  )
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return false
}

import { createHash } from 'node:crypto'
import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestFile } from '../../core/file/data-file.ts'
import { METADATA_FILE_BYTES_MAX } from '../../core/limits.ts'
import { metadataFolder } from '../../core/table/metadata-folder.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableMetadata } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import { encodeManifestList } from '../../formats/manifest/manifest-list.ts'
import { describeUnlisted } from '../../formats/manifest/unlisted-manifest.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

const MANIFESTS_AT_ONCE = 8
/** Hexadecimal digits of a list's SHA-256: enough to tell those of one snapshot apart. */
const HASH_LENGTH = 16

interface MadeList {
  readonly manifests: readonly ManifestFile[]
  readonly bytes: Uint8Array
}

/** Metadata whose snapshots all have manifest lists, and the lists that are yet to be written. */
export interface WithLists {
  readonly metadata: TableMetadata
  readonly lists: ReadonlyMap<string, MadeList>
}

/**
 * Gives snapshots of format version 1 that name their manifests themselves (Iceberg spec,
 * "Snapshots", `manifests`) a manifest list each; writes nothing. A list has the same name and
 * content whenever it is made. A snapshot that no branch and no tag names may have lost its
 * manifests: its list is named and never there. Throws `update-invalid` for the others.
 */
export async function makeManifestLists(
  { objects }: { readonly objects: Pick<ObjectStore, 'read'> },
  metadata: TableMetadata,
): Promise<WithLists> {
  const lists = new Map<string, MadeList>()
  if (metadata.snapshots.every(({ inlineManifests }) => inlineManifests === undefined)) {
    return { metadata, lists }
  }
  const needed = new Set(Object.values(metadata.refs).map(({ snapshotId }) => snapshotId))
  if (metadata.currentSnapshotId !== undefined) needed.add(metadata.currentSnapshotId)
  const folder = `${metadataFolder(metadata.definition)}/manifest_lists`
  const described = new Map<string, Promise<ManifestFile>>()
  const snapshots: Snapshot[] = []
  for (const { inlineManifests, ...snapshot } of metadata.snapshots) {
    const { snapshotId } = snapshot
    if (inlineManifests === undefined) {
      snapshots.push(snapshot)
      continue
    }
    const made = await describeAll(objects, described, { inlineManifests, snapshotId }).catch(
      (error: unknown) => {
        if (needed.has(snapshotId) || !isUnreadable(error)) throw error
        return undefined
      },
    )
    const bytes = made && encodeManifestList({ manifests: made, ...snapshot })
    const manifestList = `${folder}/man_list-${snapshotId}-${bytes ? hashOf(bytes) : 'lost'}.avro`
    if (bytes) lists.set(manifestList, { manifests: made, bytes })
    snapshots.push({ ...snapshot, manifestList })
  }
  return { metadata: { ...metadata, snapshots }, lists }
}

/** Reads lists that are yet to be written as if they were there. */
export function besideLists(
  manifests: Pick<ManifestCache, 'getManifest' | 'getManifestList'>,
  lists: WithLists['lists'],
): Pick<ManifestCache, 'getManifest' | 'getManifestList'> {
  return {
    getManifest: (file) => manifests.getManifest(file),
    getManifestList: async (path) =>
      lists.get(path)?.manifests ?? (await manifests.getManifestList(path)),
  }
}

export async function writeManifestLists(
  { objects }: { readonly objects: Pick<ObjectStore, 'putIfAbsent'> },
  lists: WithLists['lists'],
): Promise<void> {
  for (const [path, { bytes }] of lists) await objects.putIfAbsent(path, bytes)
}

/** Each manifest is read once: snapshots share most of them. */
function describeAll(
  objects: Pick<ObjectStore, 'read'>,
  described: Map<string, Promise<ManifestFile>>,
  snapshot: { readonly inlineManifests: readonly string[]; readonly snapshotId: bigint },
): Promise<readonly ManifestFile[]> {
  return mapBounded(snapshot.inlineManifests, MANIFESTS_AT_ONCE, (path) => {
    const describing = described.get(path) ?? describe(objects, path, snapshot.snapshotId)
    described.set(path, describing)
    return describing
  })
}

async function describe(
  objects: Pick<ObjectStore, 'read'>,
  path: string,
  snapshotId: bigint,
): Promise<ManifestFile> {
  try {
    const bytes = await objects.read(path, { bytesMax: METADATA_FILE_BYTES_MAX })
    const turns = new Turns()
    return await describeUnlisted(bytes, { path, snapshotId }, () => turns.take())
  } catch (cause) {
    const isForbidden = cause instanceof CatalogError && cause.code === 'location-not-allowed'
    if (!(cause instanceof CatalogError) || isForbidden) throw cause
    const detail = `Cannot read manifest ${path.slice(0, 1_000)}: ${cause.message}`
    throw new CatalogError('update-invalid', detail, { cause })
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof CatalogError && error.code === 'update-invalid'
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, HASH_LENGTH)
}

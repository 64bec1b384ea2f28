import type { ManifestEntry, ManifestFile } from '../core/data-file.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { TableState } from '../core/table.ts'
import {
  type CopiedManifest,
  describeManifest,
  encodeManifest,
  findCopiedManifest,
} from '../formats/iceberg/manifest-writer.ts'
import type { Dependencies } from './dependencies.ts'
import { METADATA_FILE_BYTES_MAX } from './limits.ts'
import { isCopied } from './manifest-merge.ts'
import { type CreatedManifest, createManifest, manifestForm } from './snapshot-files.ts'
import { Turns } from './turns.ts'

/** Encoded at once: some milliseconds. */
const SLICE_ENTRIES = 200

interface Merge {
  /** Of one partition spec and content. */
  readonly group: readonly ManifestFile[]
  readonly snapshot: Pick<Snapshot, 'snapshotId' | 'sequenceNumber'>
}

/**
 * One manifest of the live entries of several. Large ones are copied block by block as they are stored; small ones,
 * and those that another writer laid out otherwise, are decoded and encoded again, in slices, so that others work
 * meanwhile.
 */
export async function mergeManifests(
  deps: Dependencies,
  state: TableState,
  { group, snapshot }: Merge,
): Promise<CreatedManifest> {
  const like = group[0] as ManifestFile
  const copied: CopiedManifest[] = []
  const turns = new Turns()
  let entries: ManifestEntry[] = []
  for (const file of group) {
    const found = await findCopied(deps, state, file)
    if (found !== undefined) {
      copied.push(found)
      continue
    }
    for await (const entry of liveEntries(deps, file)) {
      entries.push(entry)
      if (entries.length < SLICE_ENTRIES) continue
      copied.push(recode(state, like, { entries, snapshot }))
      entries = []
      await turns.take()
    }
  }
  return createManifest(deps, state, { entries, copied, like, snapshot })
}

async function findCopied(
  { objects }: Dependencies,
  state: TableState,
  file: ManifestFile,
): Promise<CopiedManifest | undefined> {
  if (!isCopied(file)) return undefined
  const bytes = await objects.read(file.path, { bytesMax: METADATA_FILE_BYTES_MAX })
  return findCopiedManifest(bytes, file, manifestForm(state, file))
}

async function* liveEntries(
  { manifests }: Dependencies,
  file: ManifestFile,
): AsyncGenerator<ManifestEntry> {
  const manifest = await manifests.getManifest(file)
  for (let i = 0; i < manifest.entryCount; i++) {
    if (manifest.isLive(i)) yield { ...manifest.entry(i), status: 'existing' }
  }
}

/** As a manifest of their own, which is written nowhere. */
function recode(
  state: TableState,
  like: ManifestFile,
  { entries, snapshot }: Pick<Merge, 'snapshot'> & { readonly entries: readonly ManifestEntry[] },
): CopiedManifest {
  const content = { ...manifestForm(state, like), entries }
  const bytes = encodeManifest(content)
  const file = describeManifest({ ...content, ...snapshot, path: '', lengthBytes: bytes.length })
  const found = findCopiedManifest(bytes, file, content)
  if (found === undefined) throw new Error('a manifest that was just encoded cannot be copied')
  return found
}

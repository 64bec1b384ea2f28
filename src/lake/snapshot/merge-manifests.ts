import { mapBounded } from '../../core/bounded.ts'
import { CatalogError } from '../../core/errors.ts'
import type { ManifestEntry, ManifestFile } from '../../core/file/data-file.ts'
import { METADATA_FILE_BYTES_MAX } from '../../core/limits.ts'
import type { Snapshot } from '../../core/table/snapshot.ts'
import type { TableState } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import { storeRecords } from '../../formats/avro/avro-container.ts'
import {
  findCopiedManifest,
  type RecodedManifest,
  recodeManifest,
} from '../../formats/manifest/manifest-copy.ts'
import {
  type CopiedManifest,
  describeManifest,
  encodeManifest,
} from '../../formats/manifest/manifest-writer.ts'
import { isCopied } from './plan-merges.ts'
import type { SnapshotDependencies } from './snapshot-dependencies.ts'
import { type CreatedManifest, createManifest, manifestForm } from './snapshot-files.ts'

/** Encoded at once: some milliseconds. */
const SLICE_ENTRIES = 200
const MANIFESTS_AT_ONCE = 16

interface Merge {
  /** Manifests of one partition spec and content. */
  readonly group: readonly ManifestFile[]
  readonly snapshot: Pick<Snapshot, 'snapshotId' | 'sequenceNumber'>
}

interface EncodedSlice extends CopiedManifest {
  readonly bytes: Uint8Array
}

export interface MergeOutcome {
  readonly created: CreatedManifest
  /** Those of the group that stay as they are. */
  readonly left: readonly ManifestFile[]
}

/** What becomes of the manifests of a group. */
class Merged {
  readonly copied: CopiedManifest[] = []
  readonly recoded: ManifestFile[] = []
  readonly records: Uint8Array[] = []

  /** Few entries join those of other small manifests. */
  addEncoded(slices: readonly EncodedSlice[], form: ReturnType<typeof manifestForm>): void {
    for (const { bytes, file, blocks } of slices) {
      const isSmall = file.existingFilesCount < SLICE_ENTRIES
      const recoded = isSmall ? recodeManifest(bytes, file, form) : undefined
      if (recoded === undefined) this.copied.push({ file, blocks })
      else this.addRecoded(recoded)
    }
  }

  addRecoded({ file, records }: RecodedManifest): void {
    this.recoded.push(file)
    for (const record of records) this.records.push(record)
  }

  /** With the records of all small ones in blocks of their own, which one of them stands for. */
  all(): readonly CopiedManifest[] {
    const [first, ...others] = this.recoded
    if (first === undefined) return this.copied
    const small = { file: first, blocks: [...storeRecords(this.records)] }
    return [small, ...others.map((file) => ({ file, blocks: [] })), ...this.copied]
  }
}

/**
 * One manifest of the live entries of several. Large ones are copied block by block as they are
 * stored, entries of small ones record by record. Those of another writer, or with deleted entries,
 * are decoded and encoded again; what cannot be is left out. All that takes long goes in slices, so
 * that others work in between. `undefined` if there are not two to merge.
 */
export async function mergeManifests(
  deps: Pick<SnapshotDependencies, 'ambient' | 'manifests' | 'objects'>,
  state: TableState,
  { group, snapshot }: Merge,
): Promise<MergeOutcome | undefined> {
  const like = group[0] as ManifestFile
  const form = manifestForm(state, like)
  const merged = new Merged()
  const left: ManifestFile[] = []
  const turns = new Turns()
  const read = ({ path }: ManifestFile) =>
    deps.objects.read(path, { bytesMax: METADATA_FILE_BYTES_MAX })
  const files = await mapBounded(group, MANIFESTS_AT_ONCE, read)
  for (const [index, file] of group.entries()) {
    await turns.take()
    try {
      if (take(merged, { file, form, bytes: files[index] as Uint8Array })) continue
      merged.addEncoded(await encodeAgain(deps, state, { file, snapshot, turns }), form)
    } catch (error) {
      if (!(error instanceof CatalogError) || error.code !== 'metadata-corrupt') throw error
      left.push(file)
    }
  }
  if (group.length - left.length < 2) return undefined
  const created = await createManifest(deps, state, {
    ...{ entries: [], copied: merged.all(), like, snapshot },
  })
  return { created, left }
}

/** In slices. Throws `metadata-corrupt` if this table's manifests cannot hold what is in it. */
async function encodeAgain(
  deps: Pick<SnapshotDependencies, 'manifests'>,
  state: TableState,
  {
    file,
    snapshot,
    turns,
  }: {
    readonly file: ManifestFile
    readonly snapshot: Merge['snapshot']
    readonly turns: Turns
  },
): Promise<readonly EncodedSlice[]> {
  const encode = (entries: readonly ManifestEntry[]) =>
    encodeSlice(state, file, { entries, snapshot })
  const slices: EncodedSlice[] = []
  let entries: ManifestEntry[] = []
  for await (const entry of liveEntries(deps, file)) {
    entries.push(entry)
    if (entries.length < SLICE_ENTRIES) continue
    slices.push(encode(entries))
    entries = []
    await turns.take()
  }
  if (entries.length > 0) slices.push(encode(entries))
  return slices
}

/** False when its entries must be decoded. */
function take(
  merged: Merged,
  {
    file,
    form,
    bytes,
  }: {
    readonly file: ManifestFile
    readonly form: ReturnType<typeof manifestForm>
    readonly bytes: Uint8Array
  },
): boolean {
  const copied = isCopied(file) ? findCopiedManifest(bytes, file, form) : undefined
  if (copied !== undefined) {
    merged.copied.push(copied)
    return true
  }
  const recoded = recodeManifest(bytes, file, form)
  if (recoded === undefined) return false
  merged.addRecoded(recoded)
  return true
}

async function* liveEntries(
  { manifests }: Pick<SnapshotDependencies, 'manifests'>,
  file: ManifestFile,
): AsyncGenerator<ManifestEntry> {
  const manifest = await manifests.getManifest(file)
  for (let i = 0; i < manifest.entryCount; i++) {
    if (manifest.isLive(i)) yield { ...manifest.entry(i), status: 'existing' }
  }
}

/** As a manifest of their own, which is written nowhere. */
function encodeSlice(
  state: TableState,
  like: ManifestFile,
  { entries, snapshot }: Pick<Merge, 'snapshot'> & { readonly entries: readonly ManifestEntry[] },
): EncodedSlice {
  const content = { ...manifestForm(state, like), entries }
  const bytes = encodeManifest(content)
  const file = describeManifest({ ...content, ...snapshot, path: '', lengthBytes: bytes.length })
  const found = findCopiedManifest(bytes, file, content)
  if (found === undefined) throw new Error('a manifest that was just encoded cannot be copied')
  return { ...found, bytes }
}

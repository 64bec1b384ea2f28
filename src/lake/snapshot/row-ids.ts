import type { ManifestFile } from '../../core/file/data-file.ts'
import type { TableDefinition, TakenRowIds } from '../../core/table/table.ts'
import { Turns } from '../../core/turns.ts'
import { forEachLiveEntry } from '../scan/live-entries.ts'
import type { ManifestCache } from '../scan/manifest-cache.ts'

interface NewManifestList {
  readonly created: readonly ManifestFile[]
  readonly kept: readonly ManifestFile[]
}

interface NumberedList {
  /** The new manifests, then those that are kept. */
  readonly list: readonly ManifestFile[]
  readonly taken: TakenRowIds
}

/**
 * Gives each data manifest without row ids the next ones of the table (Iceberg spec, "First Row ID
 * Assignment"). They stand in the list alone: after a lost race the manifests stay as they are.
 *
 * The table's next row id is 1000. Two new manifests, of 100 added and 25 existing rows and of 30
 * added ones, get 1000 and 1125; a kept one that had 900 keeps it; the table's next is 1155.
 * Existing files that have ids keep them, so that some ids may be left out. Before version 3 there
 * are no ids.
 */
export async function giveRowIds(
  { formatVersion, nextRowId: firstRowId = 0n }: TableDefinition,
  { created, kept }: NewManifestList,
  cache: ManifestCache,
): Promise<NumberedList> {
  if (formatVersion < 3) return { list: [...created, ...kept], taken: {} }
  let next = firstRowId
  const numbered = (file: ManifestFile, rows: bigint) => {
    const withId = { ...file, firstRowId: next }
    next += rows
    return withId
  }
  const list: ManifestFile[] = created.map((file) => {
    if (file.content !== 'data') return file
    return numbered(file, BigInt(file.addedRowsCount) + BigInt(file.existingRowsCount))
  })
  const turns = new Turns()
  for (const file of kept) {
    const has = file.content !== 'data' || file.firstRowId !== undefined
    list.push(has ? file : numbered(file, await countRows(file, cache, turns)))
  }
  return { list, taken: { firstRowId, addedRows: next - firstRowId } }
}

/**
 * Rows of a manifest from before the table was of version 3: counted once, since lists of version 1
 * need not say how many there are.
 */
async function countRows(file: ManifestFile, cache: ManifestCache, turns: Turns): Promise<bigint> {
  const manifest = await cache.getManifest(file)
  let rows = 0n
  await forEachLiveEntry(manifest, turns, (i) => {
    rows += BigInt(manifest.recordCount(i))
  })
  return rows
}

import { createHash } from 'node:crypto'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'

/** A file of one snapshot that the other has not, or with other deletes. */
export interface DifferingFile {
  readonly file: PlannedFile
  readonly side: 'added' | 'removed'
}

/** Files of which a digest is kept each. Where more were removed, none is looked for. */
const REMOVED_MAX = 100_000
/** Digits of a digest of 16 bytes. */
const KEY_LENGTH = 22

/**
 * Files of both snapshots with the same rows, of different commits, as after a cherry-pick: how
 * often each is on both sides.
 */
export async function committedAgain(
  differing: () => AsyncIterable<DifferingFile>,
  filesRemoved: number,
): Promise<ReadonlyMap<string, number>> {
  const again = new Map<string, number>()
  if (filesRemoved > REMOVED_MAX) return again
  const removed = new Map<string, number>()
  for await (const { file, side } of differing()) {
    if (side === 'added') continue
    const key = rowsKey(file)
    removed.set(key, (removed.get(key) ?? 0) + 1)
  }
  for await (const { file, side } of differing()) {
    if (side === 'removed') continue
    const key = rowsKey(file)
    const times = again.get(key) ?? 0
    if (times < (removed.get(key) ?? 0)) again.set(key, times + 1)
  }
  return again
}

export async function* without(
  differing: AsyncIterable<DifferingFile>,
  again: ReadonlyMap<string, number>,
): AsyncGenerator<DifferingFile> {
  const left = { added: new Map(again), removed: new Map(again) }
  for await (const each of differing) {
    const key = rowsKey(each.file)
    const times = left[each.side].get(key) ?? 0
    if (times > 0) left[each.side].set(key, times - 1)
    else yield each
  }
}

/** Equal for files with the same rows. */
function rowsKey(file: PlannedFile): string {
  const text = `${file.dataFile.path}\0${deletesKey(file)}`
  return createHash('sha256').update(text).digest('base64url').slice(0, KEY_LENGTH)
}

/** Files with other deletes have other rows. */
export function deletesKey(file: PlannedFile | undefined): string {
  const deletes = file?.deleteFiles.map(({ path, contentOffset }) => [path, contentOffset].join())
  return deletes?.sort().join('\0') ?? ''
}

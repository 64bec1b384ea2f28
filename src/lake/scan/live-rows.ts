import type { DataFile } from '../../core/file/data-file.ts'
import { compareBytes } from '../../core/value/value.ts'

/**
 * `file_path` of position deletes, and `_file`, under which DuckDB 1.5 gives its bounds (Iceberg
 * spec, "Reserved Field IDs").
 */
const FILE_PATH_FIELD_IDS = [2_147_483_546, 2_147_483_646]
const UTF_8 = new TextDecoder()

/**
 * Rows of a data file that these delete files leave; `undefined` if only reading them tells: an
 * equality delete may delete any number of rows, a position delete file of a whole partition does
 * not say how many of its positions are in this one, and two of one file may name the same rows.
 */
export function liveRows(dataFile: DataFile, deleteFiles: readonly DataFile[]): number | undefined {
  const own: DataFile[] = []
  for (const file of decisive(deleteFiles)) {
    const only = onlyDataFile(file)
    if (only === undefined) return undefined
    if (only === dataFile.path) own.push(file)
  }
  // Two files may name the same row; of vectors there is one.
  if (own.length > 1) return undefined
  const deleted = own[0]?.recordCount ?? 0
  const live = dataFile.recordCount - deleted
  return live < 0 ? undefined : live
}

/** A vector holds what position deletes of its file held before (Iceberg spec, "Scan Planning"). */
function decisive(deleteFiles: readonly DataFile[]): readonly DataFile[] {
  const hasVector = deleteFiles.some(isVector)
  return deleteFiles.filter((file) => {
    return !hasVector || isVector(file) || file.content === 'equality-deletes'
  })
}

function isVector({ content, format }: DataFile): boolean {
  return content === 'position-deletes' && format === 'puffin'
}

/**
 * The only data file that position deletes are for: said by itself, or by equal bounds of its
 * paths, as writers did before there was a field.
 */
export function onlyDataFile({ content, ...file }: DataFile): string | undefined {
  if (content !== 'position-deletes') return undefined
  if (file.referencedDataFile !== undefined) return file.referencedDataFile
  for (const fieldId of FILE_PATH_FIELD_IDS) {
    const lower = file.lowerBounds?.get(fieldId)
    const upper = file.upperBounds?.get(fieldId)
    if (lower === undefined || upper === undefined) continue
    return compareBytes(lower, upper) === 0 ? UTF_8.decode(lower) : undefined
  }
  return undefined
}

import { isTurnDue } from '../../../core/turns.ts'
import type { ColumnChunk, ParquetFooter, ParquetLeaf } from './footer-model.ts'
import { shownPath } from './shown-path.ts'

/** Why rows of a file cannot be read here, although its footer is right. */
export interface UnsupportedColumn {
  /** Dotted path. */
  readonly column: string
  readonly problem: string
}

/** Thrift enum CompressionCodec: none, SNAPPY, GZIP, BROTLI, ZSTD and LZ4_RAW are read. */
const CODECS_READ: ReadonlySet<number> = new Set([0, 1, 2, 4, 6, 7])
const OTHER_CODECS: Readonly<Record<number, string>> = {
  3: 'LZO',
  5: 'LZ4 in its legacy form',
}
/** Thrift enum Encoding; the highest value that is read for columns of every type is 8. */
const ENCODING_READ_MAX = 8
const BYTE_STREAM_SPLIT = 9

/**
 * Columns with pages in a form that the engine does not know, each told once; with pauses for
 * others.
 */
export function* unsupportedPagesSteps({
  leaves,
  rowGroups,
}: ParquetFooter): Generator<void, readonly UnsupportedColumn[]> {
  const found: UnsupportedColumn[] = []
  for (const leaf of leaves) {
    const problem = yield* problemSteps(rowGroups, leaf)
    if (problem !== undefined) found.push({ column: shownPath(leaf.path), problem })
  }
  return found
}

function* problemSteps(
  rowGroups: ParquetFooter['rowGroups'],
  leaf: ParquetLeaf,
): Generator<void, string | undefined> {
  yield
  for (const [i, { columns }] of rowGroups.entries()) {
    const problem = problemOf(columns[leaf.leafIndex], leaf)
    if (problem !== undefined) return problem
    if (isTurnDue(i)) yield
  }
  return undefined
}

function problemOf(chunk: ColumnChunk | undefined, leaf: ParquetLeaf): string | undefined {
  if (chunk === undefined || chunk.compressedBytes === 0) return undefined
  if (!CODECS_READ.has(chunk.codec)) {
    const name = OTHER_CODECS[chunk.codec] ?? `codec ${chunk.codec}`
    return `is compressed with ${name}: write the file again with ZSTD, SNAPPY or LZ4_RAW`
  }
  const unknown = chunk.encodings.find((encoding) => !isRead(encoding, leaf))
  if (unknown === undefined) return undefined
  const name = unknown === BYTE_STREAM_SPLIT ? 'BYTE_STREAM_SPLIT' : `encoding ${unknown}`
  return (
    `has values of type ${leaf.physicalType} in ${name}: ` +
    'write the file again with the encodings that its writer has by default'
  )
}

function isRead(encoding: number, { physicalType }: ParquetLeaf): boolean {
  if (encoding !== BYTE_STREAM_SPLIT) return encoding <= ENCODING_READ_MAX
  return physicalType === 'FLOAT' || physicalType === 'DOUBLE'
}

import type { ColumnChunk, RowGroup } from '../footer/footer-model.ts'
import { THRIFT, type ThriftField, type ThriftStruct } from '../thrift/thrift.ts'
import {
  findNumber,
  findStruct,
  findStructs,
  getStruct,
  getStructs,
} from '../thrift/thrift-fields.ts'
import type { CopyLayout } from './stitch-layout.ts'
import { pagesOf } from './stitch-problem.ts'
import { EXTENSION_FIELD, withFields, withoutFields } from './thrift-edit.ts'

/** How the row groups of one part change. */
export interface RowGroupMove {
  readonly layout: CopyLayout
  readonly columns: readonly MovedColumn[]
  /** Whether the part has columns that the stitched file lacks, or has them in another order. */
  readonly isRearranged: boolean
}
export interface MovedColumn {
  readonly leafIndex: number
  readonly path: readonly Uint8Array[]
  /** Fields of Statistics that readers would misinterpret. */
  readonly droppedStatistics: ReadonlySet<number>
}

const GROUP_FIELDS_DROPPED = new Set([7, EXTENSION_FIELD])
/** Fields with offsets and lengths of the column's indexes, which are not copied. */
const CHUNK_FIELDS_DROPPED = new Set([1, 4, 5, 6, 7, EXTENSION_FIELD])
/** Fields for the index page and the Bloom filter, which are not copied. */
const METADATA_FIELDS_DROPPED = new Set([10, 14, 15, EXTENSION_FIELD])
const DROPPED_WITH_DICTIONARY = new Set([...METADATA_FIELDS_DROPPED, 11])
/** Largest ordinal, which is an i16. */
const ORDINAL_MAX = 32_767
const { I16, I32, I64, LIST, STRUCT, BINARY } = THRIFT

/** A RowGroup with its offsets in the stitched file. */
export function moveRowGroup(
  { group, thrift }: { readonly group: RowGroup; readonly thrift: ThriftStruct },
  move: RowGroupMove,
  ordinal: number,
): ThriftStruct {
  const chunks = getStructs(thrift, 1)
  const columns = move.columns.map((column) => group.columns[column.leafIndex] as ColumnChunk)
  const values = move.columns.map((column, i) =>
    moveChunk(chunks[column.leafIndex] as ThriftStruct, columns[i] as ColumnChunk, {
      move,
      column,
    }),
  )
  const offsets = columns.map((column) => movedOffset(move.layout, pagesOf(column).offset))
  const compressedBytes = columns.reduce((sum, column) => sum + column.compressedBytes, 0)
  const fields = [
    { id: 1, type: LIST, value: { elementType: STRUCT, values } },
    { id: 5, type: I64, value: offsets.reduce((a, b) => Math.min(a, b)) },
    { id: 6, type: I64, value: compressedBytes },
    ...(ordinal <= ORDINAL_MAX ? [{ id: 7, type: I16, value: ordinal }] : []),
  ]
  const moved = withFields(thrift, fields, GROUP_FIELDS_DROPPED)
  return move.isRearranged ? rearranged(moved, columns, sortingColumns(thrift, move)) : moved
}

function moveChunk(
  chunk: ThriftStruct,
  { dataPageOffset, dictionaryPageOffset }: ColumnChunk,
  { move: { layout }, column }: { move: RowGroupMove; column: MovedColumn },
): ThriftStruct {
  const metadata = getStruct(chunk, 3)
  const fields: ThriftField[] = [
    { id: 3, type: LIST, value: { elementType: BINARY, values: column.path } },
    { id: 9, type: I64, value: movedOffset(layout, dataPageOffset) },
  ]
  // Some writers use 0 for no dictionary page.
  const hasDictionary = dictionaryPageOffset !== undefined && dictionaryPageOffset !== 0
  if (hasDictionary) {
    fields.push({ id: 11, type: I64, value: movedOffset(layout, dictionaryPageOffset) })
  }
  const statistics = findStruct(metadata, 12)
  if (statistics !== undefined && column.droppedStatistics.size > 0) {
    const kept = withoutFields(statistics, column.droppedStatistics)
    fields.push({ id: 12, type: STRUCT, value: kept })
  }
  const dropped = hasDictionary ? METADATA_FIELDS_DROPPED : DROPPED_WITH_DICTIONARY
  const moved = [
    // No metadata is stored outside the footer (parquet.thrift, ColumnChunk.file_offset).
    { id: 2, type: I64, value: 0 },
    { id: 3, type: STRUCT, value: withFields(metadata, fields, dropped) },
  ]
  return withFields(chunk, moved, CHUNK_FIELDS_DROPPED)
}

function movedOffset(layout: CopyLayout, offset: number): number {
  const target = layout.findTarget(offset)
  if (target === undefined) throw new RangeError(`the page at ${offset} is not copied`)
  return target
}

/** Sizes and sort order of the remaining columns. */
function rearranged(
  group: ThriftStruct,
  columns: readonly ColumnChunk[],
  sorting: readonly ThriftStruct[],
): ThriftStruct {
  const totalBytes = columns.reduce((sum, column) => sum + column.uncompressedBytes, 0)
  const fields = [
    { id: 2, type: I64, value: totalBytes },
    ...(sorting.length === 0
      ? []
      : [{ id: 4, type: LIST, value: { elementType: STRUCT, values: sorting } }]),
  ]
  return withFields(group, fields, SORTING_COLUMNS)
}

const SORTING_COLUMNS = new Set([4])

/** Rows sorted by (a, b, c) are sorted by (a) without b, but not by (a, c). */
function sortingColumns(group: ThriftStruct, { columns }: RowGroupMove): readonly ThriftStruct[] {
  const kept: ThriftStruct[] = []
  const sorted = findStructs(group, 4) ?? []
  // Nobody sorts by a column twice.
  if (sorted.length > getStructs(group, 1).length) return []
  const places = new Map(columns.map(({ leafIndex }, place) => [leafIndex, place]))
  for (const sorting of sorted) {
    const place = places.get(findNumber(sorting, 1) ?? -1)
    if (place === undefined) break
    kept.push(withFields(sorting, [{ id: 1, type: I32, value: place }]))
  }
  return kept
}

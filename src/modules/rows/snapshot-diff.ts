import type { DataFile } from '../../core/file/data-file.ts'
import type { OpenFile } from '../../core/open-file.ts'
import { findField } from '../../core/schema/schema-lookup.ts'
import { parseAsAt } from '../../core/table/as-at.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { typeName } from '../../core/value/type.ts'
import type { PolicyOn } from '../../http/permission.ts'
import { ShownPartitions } from '../../lake/file/shown-partitions.ts'
import { partitionKey } from '../../lake/scan/delete-file-index.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import type { PlannedFile } from '../../lake/scan/plan-files.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { reportOf } from './estimate.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  planSources,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  sourceAt,
} from './query-source.ts'

/** Partitions that are listed. */
const PARTITIONS_MAX = 1_000
/** Dates and times, which no snapshot id is; a ref of such a name comes first. */
const MOMENT = /^\d{4}-\d\d/

/** Rows of files that one of the snapshots has, and the other has not, or with other deletes. */
export interface Counts {
  filesAdded: number
  filesRemoved: number
  /** `undefined` if only reading the delete files tells. */
  rowsAdded: number | undefined
  rowsRemoved: number | undefined
}

export interface PartitionDiff extends Counts {
  readonly partition: Readonly<Record<string, unknown>>
}

export interface SnapshotDiff {
  readonly from: QuerySource
  readonly to: QuerySource
  readonly total: Counts
  readonly partitions: readonly PartitionDiff[]
  readonly arePartitionsCut: boolean
  /** Files to read for the rows that differ. */
  readonly added: readonly PlannedFile[]
  readonly removed: readonly PlannedFile[]
}

export interface DiffRequest {
  readonly table: string
  readonly from: string
  readonly to: string
  /** As in `Call`. */
  readonly policyOn: PolicyOn
  readonly signal: AbortSignal
}

/** From manifests: reads no data. */
export async function diffSnapshots(
  deps: RowsDependencies,
  { table, from: fromText, to: toText, policyOn, signal }: DiffRequest,
): Promise<SnapshotDiff> {
  const state = await getTable(deps.catalog, table)
  const [from, to] = [
    await sourceAt(deps, state, { selector: momentOf(state, fromText), policyOn }),
    await sourceAt(deps, state, { selector: momentOf(state, toText), policyOn }),
  ]
  const [before, after] = await Promise.all([from, to].map((each) => planned(deps, each, signal)))
  const removed = lacking(before ?? new Map(), after ?? new Map())
  const added = lacking(after ?? new Map(), before ?? new Map())
  const partitions = new PartitionCounts(state)
  for (const file of added) partitions.count(file, 'added')
  for (const file of removed) partitions.count(file, 'removed')
  return { from, to, ...partitions.result(), added, removed }
}

function momentOf(state: TableState, text: string): SnapshotSelector {
  const isMoment = MOMENT.test(text) && state.refs[text] === undefined
  return isMoment ? { asAtMs: parseAsAt(text) } : { snapshotIdentifier: text }
}

async function planned(
  deps: RowsDependencies,
  source: QuerySource,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PlannedFile>> {
  const { files } = await planSources(deps, source, { signal })
  return new Map(files.map((file) => [keyOf(file), file]))
}

/** Files with other deletes have other rows. */
function keyOf({ dataFile, deleteFiles }: PlannedFile): string {
  const deletes = deleteFiles.map(({ path, contentOffset }) => `${path} ${contentOffset ?? ''}`)
  return [dataFile.path, ...deletes.sort()].join('\0')
}

function lacking(
  these: ReadonlyMap<string, PlannedFile>,
  those: ReadonlyMap<string, PlannedFile>,
): readonly PlannedFile[] {
  return [...these].flatMap(([key, file]) => (those.has(key) ? [] : [file]))
}

const NOTHING: Counts = { filesAdded: 0, filesRemoved: 0, rowsAdded: 0, rowsRemoved: 0 }

class PartitionCounts {
  readonly #total: Counts = { ...NOTHING }
  readonly #shown: ShownPartitions
  readonly #partitions = new Map<string, { readonly file: DataFile; readonly counts: Counts }>()

  constructor({ definition }: TableState) {
    this.#shown = new ShownPartitions(definition)
  }

  count({ dataFile, deleteFiles }: PlannedFile, side: 'added' | 'removed'): void {
    const key = partitionKey(dataFile)
    const known = this.#partitions.get(key) ?? { file: dataFile, counts: { ...NOTHING } }
    this.#partitions.set(key, known)
    const rows = liveRows(dataFile, deleteFiles)
    for (const counts of [this.#total, known.counts]) addTo(counts, side, rows)
  }

  result(): Pick<SnapshotDiff, 'total' | 'partitions' | 'arePartitionsCut'> {
    const all = [...this.#partitions.values()]
    return {
      total: this.#total,
      partitions: all.slice(0, PARTITIONS_MAX).map(({ file, counts }) => {
        return { partition: this.#shown.of(file), ...counts }
      }),
      arePartitionsCut: all.length > PARTITIONS_MAX,
    }
  }
}

function addTo(counts: Counts, side: 'added' | 'removed', rows: number | undefined): void {
  const sum = (before: number | undefined) =>
    before === undefined || rows === undefined ? undefined : before + rows
  if (side === 'added') {
    counts.filesAdded++
    counts.rowsAdded = sum(counts.rowsAdded)
  } else {
    counts.filesRemoved++
    counts.rowsRemoved = sum(counts.rowsRemoved)
  }
}

export interface SchemaDiff {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
  readonly retyped: readonly { readonly column: string; from: string; to: string }[]
}

/** Top-level columns, by their field ids. */
export function diffSchemas(from: Schema, to: Schema): SchemaDiff {
  const both = to.fields.flatMap((field) => {
    const before = findField({ fields: from.fields }, field.id)
    return before === undefined ? [] : [{ before, field }]
  })
  const names = (these: Schema, those: Schema) => {
    const ids = new Set(those.fields.map(({ id }) => id))
    return these.fields.filter(({ id }) => !ids.has(id)).map(({ name }) => name)
  }
  return {
    added: names(to, from),
    removed: names(from, to),
    renamed: both
      .filter(({ before, field }) => before.name !== field.name)
      .map(({ before, field }) => ({ from: before.name, to: field.name })),
    retyped: both
      .map(({ before, field }) => {
        return { column: field.name, from: typeName(before.type), to: typeName(field.type) }
      })
      .filter(({ from: old, to: current }) => old !== current),
  }
}

const REMOVED = `SELECT 'delete' AS "_change", * FROM `
const ADDED = `SELECT 'insert' AS "_change", * FROM `
const CHANGES =
  `${REMOVED}(SELECT * FROM a EXCEPT ALL SELECT * FROM b) UNION ALL ` +
  `${ADDED}(SELECT * FROM b EXCEPT ALL SELECT * FROM a)`

/** Nothing is compared where one side has no files, as after appends: rows keep their order. */
function changesSql({ added, removed }: Pick<SnapshotDiff, 'added' | 'removed'>) {
  if (removed.length === 0) return { sql: `${ADDED}b`, sides: [added] }
  if (added.length === 0) return { sql: `${REMOVED}a`, sides: [removed] }
  return { sql: CHANGES, sides: [removed, added] }
}

interface ChangesOptions {
  readonly format: 'ndjson' | 'csv'
  readonly signal: AbortSignal
  readonly onRead: OnRead
  readonly onWrite: (bytes: number) => void
}

/** Rows as lines of an open file, which the caller closes. */
export interface Changes {
  readonly schema: Schema
  readonly file: OpenFile
}

/**
 * The rows that one snapshot has and the other has not, with the columns of `to`. Rows that were
 * only written again, as by compaction, are in neither.
 */
export async function readChanges(
  deps: RowsDependencies,
  { from, to, ...files }: SnapshotDiff,
  { onRead: report, ...options }: ChangesOptions,
): Promise<Changes> {
  const { converter } = deps
  const { definition } = to.state
  const { restriction, schema: readAs } = to
  const { sql, sides } = changesSql(files)
  return await readHeld(deps, [from, to], (held) => {
    const table = (sources: readonly PlannedFile[]) => {
      return { definition, readAs, restriction, held, sources }
    }
    const onRead = reportOf([{ source: to, files: sides.flat() }], report)
    const query = { sql, tables: sides.map(table), ...options, onRead }
    return converter.querySql(query, async ({ schema }, path) => {
      return { schema, file: await converter.open(path) }
    })
  })
}

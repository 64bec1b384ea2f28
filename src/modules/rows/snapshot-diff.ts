import type { DataFile } from '../../core/file/data-file.ts'
import type { OpenFile } from '../../core/open-file.ts'
import { partitionKey } from '../../core/partition/partition-key.ts'
import { findField } from '../../core/schema/schema-lookup.ts'
import { parseAsAt } from '../../core/table/as-at.ts'
import type { SnapshotSelector } from '../../core/table/snapshot-selector.ts'
import type { TableState } from '../../core/table/table.ts'
import type { Schema } from '../../core/value/type.ts'
import { typeName } from '../../core/value/type.ts'
import { allowedTo } from '../../lake/convert/allowed-to.ts'
import { ShownPartitions } from '../../lake/file/shown-partitions.ts'
import { byCommitOrder } from '../../lake/scan/commit-order.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import type { PlannedFile, ScanPlan } from '../../lake/scan/plan-files.ts'
import { committedAgain, type DifferingFile, deletesKey, without } from './committed-again.ts'
import { reportOf } from './estimate.ts'
import type { OnRead } from './limits/query-limits.ts'
import {
  findReadable,
  planSource,
  type QuerySource,
  type RowsDependencies,
  readHeld,
  requireAllowed,
  sourceAt,
  type TableReader,
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
  /** Files to read for the rows that differ, if they are to be kept. */
  readonly added: readonly PlannedFile[]
  readonly removed: readonly PlannedFile[]
}

export interface DiffRequest extends TableReader {
  readonly table: string
  readonly from: string
  readonly to: string
  /** Whether the rows are to be read, too. */
  readonly keepsFiles: boolean
  readonly signal: AbortSignal
}

/** From manifests: reads no data. */
export async function diffSnapshots(
  deps: RowsDependencies,
  { table, from: fromText, to: toText, keepsFiles, signal, ...reader }: DiffRequest,
): Promise<SnapshotDiff> {
  const { authorizeFound, policyOn } = reader
  const state = await findReadable(deps, table, authorizeFound)
  const [from, to] = [
    await sourceAt(deps, state, { selector: momentOf(state, fromText), policyOn }),
    await sourceAt(deps, state, { selector: momentOf(state, toText), policyOn }),
  ]
  const before = await planSource(deps, from, { signal })
  const after = await planSource(deps, to, { signal })
  const allowed = allowedTo(to.restriction, deps.objects)
  const differing = () => differingFiles(before, after, signal)
  const count = async (found: AsyncIterable<DifferingFile>) => {
    const partitions = new PartitionCounts(state)
    const files = { added: [] as PlannedFile[], removed: [] as PlannedFile[] }
    for await (const { file, side } of found) {
      partitions.count(file, side)
      if (!keepsFiles) continue
      requireAllowed(allowed, file)
      files[side].push(file)
    }
    return { ...partitions.result(), ...files }
  }
  const counted = await count(differing())
  const { filesAdded, filesRemoved } = counted.total
  // After appends no file can have come again.
  if (filesAdded === 0 || filesRemoved === 0) return { from, to, ...counted }
  const again = await committedAgain(differing, filesRemoved)
  return { from, to, ...(again.size === 0 ? counted : await count(without(differing(), again))) }
}

function momentOf(state: TableState, text: string): SnapshotSelector {
  const isMoment = MOMENT.test(text) && state.refs[text] === undefined
  return isMoment ? { asAtMs: parseAsAt(text) } : { snapshotIdentifier: text }
}

/** Both in the order of the table, side by side: what is in both is not kept. */
async function* differingFiles(
  before: ScanPlan,
  after: ScanPlan,
  signal: AbortSignal,
): AsyncGenerator<DifferingFile> {
  const [olds, news] = [before, after].map((plan) => plan.inCommitOrder({ signal })) as [
    AsyncIterable<PlannedFile>,
    AsyncIterable<PlannedFile>,
  ]
  const [left, right] = [olds[Symbol.asyncIterator](), news[Symbol.asyncIterator]()]
  const next = async (files: AsyncIterator<PlannedFile>) => {
    const { done, value } = await files.next()
    return done === true ? undefined : (value as PlannedFile)
  }
  let [old, made] = [await next(left), await next(right)]
  while (old !== undefined || made !== undefined) {
    const order = orderOf(old, made)
    const isSame = order === 0 && deletesKey(old) === deletesKey(made)
    if (order <= 0 && old !== undefined && !isSame) yield { file: old, side: 'removed' }
    if (order >= 0 && made !== undefined && !isSame) yield { file: made, side: 'added' }
    if (order <= 0) old = await next(left)
    if (order >= 0) made = await next(right)
  }
}

function orderOf(old: PlannedFile | undefined, made: PlannedFile | undefined): number {
  if (old === undefined) return 1
  return made === undefined ? -1 : byCommitOrder(old, made)
}

const NOTHING: Counts = { filesAdded: 0, filesRemoved: 0, rowsAdded: 0, rowsRemoved: 0 }

class PartitionCounts {
  readonly #total: Counts = { ...NOTHING }
  readonly #shown: ShownPartitions
  /** The first ones: there may be as many as files. */
  readonly #partitions = new Map<string, { readonly file: DataFile; readonly counts: Counts }>()
  #isCut = false

  constructor({ definition }: TableState) {
    this.#shown = new ShownPartitions(definition)
  }

  count({ dataFile, deleteFiles }: PlannedFile, side: 'added' | 'removed'): void {
    const key = partitionKey(dataFile)
    const rows = liveRows(dataFile, deleteFiles)
    addTo(this.#total, side, rows)
    const known = this.#partitions.get(key)
    if (known !== undefined) {
      addTo(known.counts, side, rows)
      return
    }
    this.#isCut = this.#partitions.size >= PARTITIONS_MAX
    if (this.#isCut) return
    const counts = { ...NOTHING }
    this.#partitions.set(key, { file: dataFile, counts })
    addTo(counts, side, rows)
  }

  result(): Pick<SnapshotDiff, 'total' | 'partitions' | 'arePartitionsCut'> {
    return {
      total: this.#total,
      partitions: [...this.#partitions.values()].map(({ file, counts }) => {
        return { partition: this.#shown.of(file), ...counts }
      }),
      arePartitionsCut: this.#isCut,
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

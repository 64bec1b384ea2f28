import { open, rename, rm } from 'node:fs/promises'
import { CatalogError } from '../../core/errors.ts'
import type { ColumnReference, FilterNode } from '../../core/filter/parse/expression.ts'
import { parseFilter } from '../../core/filter/parse/filter-parser.ts'
import { quotedName } from '../../core/quoted-name.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import { isNested, type Schema, typeName } from '../../core/value/type.ts'
import { csvHeader } from '../../formats/csv-header.ts'
import type { CommitDependencies } from '../../lake/commit/commit-dependencies.ts'
import { newTransaction } from '../../lake/commit/transactions.ts'
import type { Converter, LocalResult } from '../../lake/convert/converter.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import type { LakeServices } from '../../lake/lake.ts'
import { byCommitOrder } from '../../lake/scan/commit-order.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import { type PlannedFile, planScan } from '../../lake/scan/plan-files.ts'
import { getWritableTable } from '../../lake/table/writable-table.ts'
import {
  type RowSource,
  type RunMark,
  type SourceColumn,
  SourceConflictError,
  type SourceCounts,
  type SourceSession,
  type SourceTable,
  type SourceTransaction,
  type SourceWork,
} from '../../sources/row-source.ts'

export type TableSourceDependencies = CommitDependencies &
  Pick<LakeServices, 'holds'> & { readonly converter: Converter }

/** Transactions are remembered for a week: after that, one that is not there may have been. */
const REMEMBERED_MS = 6 * 24 * 3_600_000
const CONFLICTS: ReadonlySet<string> = new Set(['commit-conflict', 'file-not-in-table'])

type TableWork = SourceTable & { readonly mode: 'atomic' | 'keep' }

/**
 * Our own tables. The rows are those of a snapshot, in data files all of whose rows the condition
 * keeps, by their metadata; the files are removed by a commit that has the snapshot as its base.
 * Other files stay, with all of their rows.
 */
export class TableSource implements RowSource {
  readonly #deps: TableSourceDependencies

  constructor(deps: TableSourceDependencies) {
    this.#deps = deps
  }

  /**
   * Two runs at once would have one base: the second to commit conflicts. The files of a snapshot
   * stay from the beginning of its transaction to the end of the session.
   */
  async open(task: string, signal: AbortSignal): Promise<SourceSession> {
    const deps = this.#deps
    const reader = { kind: 'export', name: task } as const
    let held: HeldFiles | undefined
    return {
      outcomeOf: (mark) => outcomeOf(deps, mark),
      forget: async () => undefined,
      begin: async (work) => {
        const state = await getWritableTable(deps.catalog, ownWork(work).table)
        await held?.release()
        held = await deps.holds.hold(reader, [{ state, snapshot: state.currentSnapshot }])
        return new TableTransaction(deps, { state, work: ownWork(work), held, signal })
      },
      close: async () => await held?.release(),
    }
  }

  async count(_task: string, work: SourceWork, _signal: AbortSignal): Promise<number> {
    const deps = this.#deps
    const state = await getWritableTable(deps.catalog, ownWork(work).table)
    const files = await wholeFiles(deps, state, ownWork(work))
    return files.reduce((sum, { dataFile, deleteFiles }) => {
      return sum + (liveRows(dataFile, deleteFiles) ?? dataFile.recordCount)
    }, 0)
  }
}

function ownWork(work: SourceWork): TableWork {
  const isOwn = (work.mode === 'atomic' || work.mode === 'keep') && 'table' in work
  if (isOwn) return work
  throw new CatalogError('export-task-invalid', `the mode ${work.mode} is none of our tables`)
}

/** A transaction that is not there yet is begun and ended: nobody can commit it from then on. */
async function outcomeOf(
  { catalog, ambient }: TableSourceDependencies,
  { id, place }: RunMark,
): Promise<'committed' | 'rolled-back' | 'unknown'> {
  const find = () => catalog.transactions.find(id)
  if ((await find())?.state === 'committed') return 'committed'
  const nowMs = ambient.nowMs()
  if (nowMs - Number(place) > REMEMBERED_MS) return 'unknown'
  const opened = { ...newTransaction({ ambient }, {}), transactionId: id }
  await catalog.transactions.start(opened).catch(async (error) => {
    if ((await find()) === undefined) throw error
  })
  await catalog.transactions.abort(id, nowMs)
  return (await find())?.state === 'committed' ? 'committed' : 'rolled-back'
}

/** In the order of the table. */
async function wholeFiles(
  deps: TableSourceDependencies,
  state: TableState,
  { where, older }: TableWork,
): Promise<readonly PlannedFile[]> {
  const snapshot = state.currentSnapshot
  const schema = currentSchema(state.definition)
  const text = conditionOf(where, older, deps.ambient.nowMs())
  const plan = (filter?: Parameters<typeof planScan>[2]['filter']) =>
    planScan(deps, state, { snapshot, schema, filter })
  const files = [...(await plan(text)).plannedFiles()].sort(byCommitOrder)
  if (text === undefined) return files
  const { root } = parseFilter(text)
  // Rows for which the condition is false, or is not known because a value is null.
  const nulls = columnsOf(root).map((column) => ({ kind: 'is-null', column }) as const)
  const others = { kind: 'or', operands: [{ kind: 'not', operand: root }, ...nulls] } as const
  const partly = new Set<string>()
  for (const { dataFile } of (await plan({ text, root: others })).plannedFiles()) {
    partly.add(dataFile.path)
  }
  return files.filter(({ dataFile }) => !partly.has(dataFile.path))
}

/** `undefined`: every row. Ages are of whole days, which dates and times can be compared with. */
function conditionOf(where: string, older: TableWork['older'], nowMs: number): string | undefined {
  const given = /^\s*true\s*$/i.test(where) ? [] : [`(${where})`]
  if (older !== undefined) {
    const before = new Date(nowMs - older.ms).toISOString()
    given.push(`${quotedName(older.column)} < '${before.slice(0, 10)}'`)
  }
  return given.length === 0 ? undefined : given.join(' AND ')
}

function columnsOf(node: FilterNode): readonly ColumnReference[] {
  if (node.kind === 'not') return columnsOf(node.operand)
  if ('operands' in node) return node.operands.flatMap(columnsOf)
  return [node.column]
}

class TableTransaction implements SourceTransaction {
  readonly mark: RunMark
  readonly #deps: TableSourceDependencies
  readonly #state: TableState
  readonly #work: TableWork
  readonly #held: HeldFiles
  readonly #signal: AbortSignal
  #files: readonly PlannedFile[] = []
  #rows: number | undefined

  constructor(
    deps: TableSourceDependencies,
    {
      state,
      work,
      held,
      signal,
    }: {
      readonly state: TableState
      readonly work: TableWork
      readonly held: HeldFiles
      readonly signal: AbortSignal
    },
  ) {
    this.#deps = deps
    this.#held = held
    this.#state = state
    this.#work = work
    this.#signal = signal
    const id = deps.ambient.newUuid()
    const place = String(deps.ambient.nowMs())
    this.mark = { id, transactionId: id, isWritten: false, place }
  }

  async describe(): Promise<readonly SourceColumn[]> {
    return this.#schema().fields.map(({ name, type }) => ({
      name,
      type: isNested(type) ? 'string' : typeName(type),
    }))
  }

  get rows(): AsyncIterable<Uint8Array> {
    return this.#copy()
  }

  async finish(): Promise<SourceCounts> {
    const copied = this.#rows
    if (copied === undefined) throw new Error('the rows were not read to their end')
    if (this.#work.mode === 'keep') return { copied, deleted: 0, proof: 'none deleted' }
    return { copied, deleted: copied, proof: 'whole files' }
  }

  async commit(): Promise<void> {
    const { commits, ambient } = this.#deps
    if (this.#work.mode === 'keep') return
    const { definition, currentSnapshot } = this.#state
    const change = {
      tableUuid: definition.tableUuid,
      baseSnapshotId: currentSnapshot?.snapshotId ?? null,
      truncate: false,
      removedPaths: this.#files.map(({ dataFile }) => dataFile.path),
      addedFiles: [],
    }
    const transaction = { ...newTransaction({ ambient }, {}), transactionId: this.mark.id }
    try {
      await commits.commit({ transaction, isNew: true, changes: [change] })
    } catch (error) {
      if (!(error instanceof CatalogError) || !CONFLICTS.has(error.code)) throw error
      throw new SourceConflictError(error.message)
    }
  }

  async rollback(): Promise<void> {}

  #schema(): Schema {
    const schema = currentSchema(this.#state.definition)
    const { columns } = this.#work
    if (columns === undefined) return schema
    const fields = columns.map((name) => {
      const field = schema.fields.find((each) => each.name === name)
      if (field !== undefined) return field
      throw new CatalogError('export-task-invalid', `the table has no column ${name}`)
    })
    return { ...schema, fields }
  }

  async *#copy(): AsyncGenerator<Uint8Array> {
    const { converter } = this.#deps
    this.#files = await wholeFiles(this.#deps, this.#state, this.#work)
    const schema = this.#schema()
    const output = { schema, format: 'csv', compression: 'none', signal: this.#signal } as const
    yield new TextEncoder().encode(csvHeader(schema))
    let rows = 0
    for (const source of this.#files) {
      const { definition } = this.#state
      const readAs = currentSchema(definition)
      // Whoever writes tasks of exports is the operator.
      const restriction = 'unrestricted'
      const read = { definition, source, restriction, held: this.#held, readAs } as const
      const made = await converter.convert({ ...output, ...read }, kept)
      rows += made.rows
      yield* streamed(made)
    }
    this.#rows = rows
  }
}

/** The file that was made, beyond the work that it is given to. */
async function kept({ path, ...made }: LocalResult): Promise<LocalResult> {
  const other = `${path}.kept`
  await rename(path, other)
  return { ...made, path: other }
}

/** Deletes the file at the end. */
async function* streamed({ path }: LocalResult): AsyncGenerator<Uint8Array> {
  const file = await open(path)
  try {
    yield* file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

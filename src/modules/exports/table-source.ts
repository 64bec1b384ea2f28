import { CatalogError } from '../../core/errors.ts'
import { refuseReserved } from '../../core/table/reserved-namespace.ts'
import { currentSchema, type TableState } from '../../core/table/table.ts'
import { transactionIdsOf } from '../../lake/commit/transaction-summary.ts'
import { newTransaction } from '../../lake/commit/transactions.ts'
import type { HeldFiles } from '../../lake/deletion/file-holds.ts'
import { liveRows } from '../../lake/scan/live-rows.ts'
import { getTable } from '../../lake/table/table-lookup.ts'
import { getWritableTable } from '../../lake/table/writable-table.ts'
import type { RowSource, RunMark, SourceSession, SourceWork } from '../../sources/row-source.ts'
import { type MeantFile, meantFiles } from './meant-files.ts'
import {
  TableTransaction,
  type TableTransactionDependencies,
  type TableWork,
} from './table-transaction.ts'

/** Transactions are remembered for a week: after that, one that is not there may have been. */
const REMEMBERED_MS = 6 * 24 * 3_600_000

/**
 * Our own tables. The rows are those of a snapshot; they are removed by a commit that has the
 * snapshot as its base: whole data files where the metadata tell that all of their rows are meant,
 * others with their other rows written anew.
 */
export class TableSource implements RowSource {
  readonly #deps: TableTransactionDependencies

  constructor(deps: TableTransactionDependencies) {
    this.#deps = deps
  }

  /**
   * Two runs at once would have one base: the second to commit conflicts. The files of a snapshot
   * stay from the beginning of its transaction to the end of the session.
   */
  async open(task: string, signal: AbortSignal): Promise<SourceSession> {
    const deps = this.#deps
    let held: HeldFiles | undefined
    return {
      outcomeOf: (mark) => outcomeOf(deps, mark),
      forget: async () => undefined,
      begin: async (work) => {
        const state = await tableOf(deps, ownWork(work))
        await held?.release()
        held = await deps.holds.hold(readerOf(task), [{ state, snapshot: state.currentSnapshot }])
        return new TableTransaction(deps, { state, work: ownWork(work), held, signal })
      },
      close: async () => await held?.release(),
    }
  }

  /** Reads files that the metadata tell too little of. */
  async count(task: string, work: SourceWork, signal: AbortSignal): Promise<number> {
    const deps = this.#deps
    const state = await tableOf(deps, ownWork(work))
    const read = { state, snapshot: state.currentSnapshot }
    return await deps.holds.during(readerOf(task), [read], async (held) => {
      let rows = 0
      for (const file of await meantFiles(deps, state, ownWork(work))) {
        signal.throwIfAborted()
        rows += await countMeant(deps, state, { file, held, signal })
      }
      return rows
    })
  }
}

/** One whose rows stay may be of any version. */
async function tableOf(
  { catalog }: TableTransactionDependencies,
  { mode, table }: TableWork,
): Promise<TableState> {
  if (mode !== 'keep') return getWritableTable(catalog, table)
  const state = await getTable(catalog, table)
  refuseReserved(state.namespace)
  return state
}

function readerOf(name: string) {
  return { kind: 'export', name } as const
}

function countMeant(
  { converter }: TableTransactionDependencies,
  { definition }: TableState,
  {
    file: { source, selection },
    held,
    signal,
  }: { readonly file: MeantFile; readonly held: HeldFiles; readonly signal: AbortSignal },
): Promise<number> {
  const known = selection === undefined ? liveRows(source.dataFile, source.deleteFiles) : undefined
  if (known !== undefined) return Promise.resolve(known)
  const readAs = currentSchema(definition)
  const conversion = {
    ...{ definition, source, held, readAs, signal },
    restriction: selection ?? ('unrestricted' as const),
    // The least that has a line for each row.
    schema: { ...readAs, fields: selection?.filterFields.slice(0, 1) ?? readAs.fields.slice(0, 1) },
    ...({ format: 'csv', compression: 'none' } as const),
  } as const
  return converter.convert(conversion, async ({ rows }) => rows)
}

function ownWork(work: SourceWork): TableWork {
  const isOwn = (work.mode === 'atomic' || work.mode === 'keep') && 'table' in work
  if (isOwn) return work
  throw new CatalogError('export-task-invalid', `the mode ${work.mode} is none of our tables`)
}

/** A transaction that is not there yet is begun and ended: nobody can commit it from then on. */
async function outcomeOf(
  { catalog, ambient }: TableTransactionDependencies,
  { id, place, tableUuid }: RunMark,
): Promise<'committed' | 'rolled-back' | 'unknown'> {
  const find = () => catalog.transactions.find(id)
  if ((await find())?.state === 'committed') return 'committed'
  if (tableUuid !== undefined && (await isInHistory(catalog, tableUuid, id))) return 'committed'
  const nowMs = ambient.nowMs()
  if (nowMs - Number(place) > REMEMBERED_MS) return 'unknown'
  const opened = { ...newTransaction({ ambient }, {}), transactionId: id }
  await catalog.transactions.start(opened).catch(async (error) => {
    if ((await find()) === undefined) throw error
  })
  await catalog.transactions.abort(id, nowMs)
  return (await find())?.state === 'committed' ? 'committed' : 'rolled-back'
}

/** A catalog that was rebuilt knows its transactions by their snapshots alone. */
async function isInHistory(
  { snapshots }: TableTransactionDependencies['catalog'],
  tableUuid: string,
  transactionId: string,
): Promise<boolean> {
  for await (const page of snapshots.read(tableUuid)) {
    if (page.some((snapshot) => transactionIdsOf(snapshot).includes(transactionId))) return true
  }
  return false
}

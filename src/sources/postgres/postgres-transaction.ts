import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { CatalogError } from '../../core/errors.ts'
import {
  type RunMark,
  type SourceColumn,
  SourceConflictError,
  type SourceCounts,
  type SourceTransaction,
  type SourceWork,
} from '../row-source.ts'
import { chooseKeys, deleteChosen, deletionOfChosen } from './chosen-keys.ts'
import { columnsOf } from './column-types.ts'
import {
  type DeletedTable,
  keeperOf,
  requireAlone,
  requireTable,
  tableDeletedFrom,
} from './deletion-plan.ts'
import {
  copyOf,
  deleteReturning,
  deletionOf,
  oneStatement,
  selectedColumns,
  selectFrom,
  selectOf,
  tableName,
} from './export-statements.ts'
import { deleteByKeys, findKeys, isPartitioned, notingKeys } from './key-proof.ts'
import { asked, sourceError } from './source-failure.ts'

const COMMIT_MS_MAX = 60_000
const ROLLBACK_MS_MAX = 10_000

const ONE_FORM =
  "set local datestyle = 'ISO, YMD'; set local timezone = 'UTC'; set local bytea_output = 'hex'"

interface TransactionOptions {
  readonly work: SourceWork
  readonly mark: RunMark
  readonly task: string
  /** The detached partition that is archived, as it stands in SQL. */
  readonly partition: string | undefined
  /** From here on nothing but its answer ends the transaction. */
  readonly beforeCommit: () => void
  /** Ends the connection, and with it the transaction. */
  readonly cut: () => void
  /** Asks over another connection: what was committed since the transaction began is seen there. */
  readonly lookAnew: (look: (client: pg.Client) => Promise<void>) => Promise<void>
}

/** One transaction of a run, on a connection that the session closes. */
export class PostgresTransaction implements SourceTransaction {
  readonly mark: RunMark
  readonly #client: pg.Client
  readonly #work: SourceWork
  readonly #task: string
  readonly #beforeCommit: () => void
  readonly #cut: () => void
  readonly #lookAnew: TransactionOptions['lookAnew']
  /** Whether rows are on their way that nobody reads any more: nothing else can be asked. */
  #isCopying = false
  #copied: number | undefined
  #keys: readonly string[] | undefined
  /** That rows are deleted from, once it is known. */
  #table: DeletedTable | undefined
  readonly #partition: string | undefined

  constructor(client: pg.Client, options: TransactionOptions) {
    const { work, mark, task, partition, beforeCommit, cut, lookAnew } = options
    this.#lookAnew = lookAnew
    this.#partition = partition
    this.#cut = cut
    this.#client = client
    this.#work = work
    this.#task = task
    this.#beforeCommit = beforeCommit
    this.mark = mark
  }

  async describe(): Promise<readonly SourceColumn[]> {
    await asked(this.#client.query(ONE_FORM))
    const work = this.#work
    const isDeletion = work.mode === 'atomic' || work.mode === 'batches'
    const query = isDeletion ? selectFrom({ ...work, where: 'false' }) : await this.#chosen()
    const text = `select * from (${query}\n) as exported limit 0`
    const { fields } = await asked(this.#client.query(oneStatement(text)))
    return columnsOf(fields)
  }

  get rows(): AsyncIterable<Uint8Array> {
    return this.#copy()
  }

  async finish(): Promise<SourceCounts> {
    const copied = this.#copied
    if (copied === undefined) throw new Error('the rows were not read to their end')
    const counts = await this.#deleted(copied)
    if (counts.deleted !== copied && counts.proof !== 'none deleted') {
      throw new CatalogError(
        'export-count-mismatch',
        `${copied} rows were copied, and ${counts.deleted} would have been deleted: nothing was`,
        { facts: { copied, deleted: counts.deleted } },
      )
    }
    if (this.mark.isWritten) {
      await asked(
        this.#client.query('insert into moraine_exports (mark, task, rows) values ($1, $2, $3)', [
          this.mark.id,
          this.#task,
          counts.deleted,
        ]),
      )
    }
    return counts
  }

  async commit(): Promise<void> {
    this.#beforeCommit()
    const commit = { text: 'commit', query_timeout: COMMIT_MS_MAX }
    const { command } = await asked(this.#client.query(commit))
    // A transaction that failed before answers a COMMIT with a ROLLBACK.
    if (command !== 'COMMIT') throw new SourceConflictError('the transaction was rolled back')
  }

  async rollback(): Promise<void> {
    if (this.#isCopying) {
      this.#cut()
      return
    }
    const rollback = { text: 'rollback', query_timeout: ROLLBACK_MS_MAX }
    await this.#client.query(rollback).catch(() => this.#cut())
  }

  async *#copy(): AsyncGenerator<Uint8Array> {
    const statement = await this.#chosen()
    await this.#requireOne(statement)
    const copy = this.#client.query(copyTo(copyOf(await this.#noting(statement))))
    this.#isCopying = true
    let refusal: Error | undefined
    copy.on('error', (error) => {
      refusal ??= error
    })
    try {
      for await (const chunk of copy as AsyncIterable<Uint8Array>) yield chunk
      // The rows end before their statement does: triggers may refuse, and its count comes then.
      await this.#client.query('select')
    } catch (error) {
      // The source has ended it.
      this.#isCopying = false
      throw sourceError(refusal ?? error)
    }
    this.#isCopying = false
    this.#copied = copy.rowCount ?? undefined
  }

  /** The statement that returns the rows, once they are chosen or locked. */
  async #chosen(): Promise<string> {
    const work = this.#work
    switch (work.mode) {
      case 'atomic':
      case 'batches': {
        const isSpread = await asked(isPartitioned(this.#client, tableName(work.table)))
        return deleteReturning(work, isSpread)
      }
      case 'keys':
        this.#keys ??= await asked(chooseKeys(this.#client, work))
        return selectOf(work.select)
      case 'partition': {
        const columns = selectedColumns(work)
        if (this.#partition === undefined) {
          return `select ${columns} from only ${tableName(work.table)} where false`
        }
        await asked(this.#client.query(`lock table only ${this.#partition} in exclusive mode`))
        return `select ${columns} from only ${this.#partition}`
      }
      default:
        return work.select === undefined ? selectFrom(work) : selectOf(work.select)
    }
  }

  /** Before the COPY, which would run every statement of its text. */
  async #requireOne(query: string): Promise<void> {
    const { mode } = this.#work
    if (mode !== 'atomic' && mode !== 'batches') {
      await asked(
        this.#client.query(oneStatement(`select * from (${query}\n) as exported limit 0`)),
      )
    }
    this.#table = await asked(this.#requireDeletion(query))
  }

  /** The table that rows are deleted from, if any are, and only as they are archived. */
  async #requireDeletion(query: string): Promise<DeletedTable | undefined> {
    const client = this.#client
    const work = this.#work
    switch (work.mode) {
      case 'keep':
        return undefined
      case 'partition': {
        if (this.#partition === undefined) return undefined
        const partition = await requireTable(client, this.#partition)
        await requireAlone(client, partition)
        return partition
      }
      case 'snapshot': {
        // The plan locks the table against indexes and keys: not for as long as the copy takes.
        await client.query('savepoint planned')
        const table = await tableDeletedFrom(client, deletionOf(work.remove))
        await client.query('rollback to savepoint planned')
        return table
      }
      default: {
        await requireTable(client, tableName(work.table))
        const deletion = work.mode === 'keys' ? deletionOfChosen(this.#keys ?? [], work) : query
        return tableDeletedFrom(client, deletion)
      }
    }
  }

  /** Keeps the keys of the rows that are copied, where they are to be compared. */
  async #noting(statement: string): Promise<string> {
    const work = this.#work
    const table = this.#table
    if (work.mode === 'snapshot' && table !== undefined) {
      const remove = deletionOf(work.remove)
      this.#keys = await asked(findKeys(this.#client, { select: statement, remove, table }))
    }
    if (this.#keys === undefined) return statement
    return asked(notingKeys(this.#client, this.#keys, statement))
  }

  async #deleted(copied: number): Promise<SourceCounts> {
    const work = this.#work
    if (work.mode === 'keep') return { copied, deleted: 0, proof: 'none deleted' }
    if (work.mode === 'atomic' || work.mode === 'batches') {
      if (copied === 0) await asked(this.#requireNone(work))
      return { copied, deleted: copied, proof: 'one statement' }
    }
    if (work.mode === 'partition') {
      const partition = this.#partition
      if (partition !== undefined) await asked(this.#client.query(`drop table ${partition}`))
      return { copied, deleted: copied, proof: 'whole partition' }
    }
    if (work.mode === 'keys') {
      const deleted = await asked(deleteChosen(this.#client, this.#keys ?? [], work))
      return { copied, deleted, proof: 'keys' }
    }
    const remove = deletionOf(work.remove)
    await asked(this.#requireStill(remove))
    if (this.#keys !== undefined) {
      const deleted = await asked(deleteByKeys(this.#client, this.#keys, remove))
      return { copied, deleted, proof: 'keys' }
    }
    const { command, rowCount } = await asked(this.#client.query(oneStatement(remove)))
    if (command !== 'DELETE') {
      throw new CatalogError('export-task-invalid', `the deletion is a ${command}`)
    }
    return { copied, deleted: rowCount ?? 0, proof: 'count' }
  }

  /** Plans the deletion again, which locks the table, and looks what was added meanwhile. */
  async #requireStill(remove: string): Promise<void> {
    const table = await tableDeletedFrom(this.#client, remove)
    if (table.oid !== this.#table?.oid) throw new SourceConflictError('another table has its name')
    await this.#lookAnew((client) => requireAlone(client, table))
  }

  /** Throws `source-refused` when rows are meant, and none was deleted: no run ever would. */
  async #requireNone(work: Extract<SourceWork, { mode: 'atomic' | 'batches' }>): Promise<void> {
    const table = this.#table
    const keeper = table && (await keeperOf(this.#client, table))
    if (table === undefined || keeper === undefined) return
    // Those that others have locked are left to the next run.
    const free = work.mode === 'batches' ? ' for update skip locked' : ''
    const kept = `select from ${tableName(work.table)} where (${work.where}\n) limit 1${free}`
    const { rows } = await this.#client.query(oneStatement(kept))
    if (rows.length === 0) return
    // Others may have had it, and let it go: it is ours now.
    const again = `with again as (${await this.#chosen()}) select count(*)::int as rows from again`
    const looked = await this.#client.query<{ rows: number }>(oneStatement(again))
    if (looked.rows[0]?.rows !== 0) throw new SourceConflictError('others had locked all its rows')
    const detail =
      `${table.name} has rows that the condition means, and none was deleted: ${keeper} keeps ` +
      'them. Change that, or the condition'
    throw new CatalogError('source-refused', detail, { facts: { table: table.name } })
  }
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { CompiledQuery } from 'kysely'
import type { Connection, SqlTransaction, TransactOptions } from '../sql/engine/sql-engine.ts'

type Work<T> = (transaction: SqlTransaction) => Promise<T>

interface Member {
  readonly work: Work<unknown>
  readonly isLarge: boolean
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** While a group runs, the process does nothing else. */
const MEMBERS_MAX = 64
const SAVEPOINT = CompiledQuery.raw('savepoint member')
const RELEASE = CompiledQuery.raw('release member')
const ROLLBACK = CompiledQuery.raw('rollback to member')

/**
 * Units of work that come in one turn of the event loop share one transaction, and so one fsync: an
 * fsync costs ten times what their statements cost. Each has a savepoint of its own, so that what
 * it throws takes back its own statements only. Nobody is answered before the COMMIT; when that
 * fails, it fails for all. Large work has a transaction of its own, in a thread: all others wait
 * for it, but reads and the event loop do not.
 */
export class SqliteWriteGroup {
  readonly #connection: Connection
  readonly #isInTransaction: () => boolean
  readonly #inThread: Connection
  #waiting: Member[] = []
  #isRunning = false

  /**
   * `isInTransaction`: whether the database still has the transaction that was begun. `inThread`
   * is a connection for large work.
   */
  constructor(
    connection: Connection,
    { isInTransaction, inThread }: { isInTransaction: () => boolean; inThread?: Connection },
  ) {
    this.#connection = connection
    this.#isInTransaction = isInTransaction
    this.#inThread = inThread ?? connection
  }

  /**
   * Durable when it resolves. Throws what the work throws, or what the COMMIT of the group does.
   */
  transact<T>(work: Work<T>, { isLarge = false }: TransactOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, isLarge, resolve: resolve as (value: unknown) => void, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // Whatever else this turn of the event loop has read joins.
      await nextTurn()
      const firstLarge = this.#waiting.findIndex(({ isLarge }) => isLarge)
      if (firstLarge === 0) await this.#commit(this.#waiting.splice(0, 1), this.#inThread)
      else await this.#commit(this.#waiting.splice(0, sizeBefore(firstLarge)), this.#connection)
    }
    this.#isRunning = false
  }

  async #commit(members: readonly Member[], connection: Connection): Promise<void> {
    const runMember = members.length === 1 ? runAlone : this.#runWithSavepoint
    try {
      const answers = await connection.transaction().execute(async (transaction) => {
        const afterCommit: (() => void)[] = []
        for (const member of members) afterCommit.push(await runMember(transaction, member))
        return afterCommit
      })
      for (const answer of answers) answer()
    } catch (error) {
      for (const member of members) member.reject(error)
    }
  }

  readonly #runWithSavepoint = async (transaction: SqlTransaction, member: Member) => {
    await transaction.executeQuery(SAVEPOINT)
    try {
      const value = await member.work(transaction)
      await transaction.executeQuery(RELEASE)
      return () => member.resolve(value)
    } catch (error) {
      // A full disk and the like take the whole transaction back.
      if (!this.#isInTransaction()) throw error
      await transaction.executeQuery(ROLLBACK)
      await transaction.executeQuery(RELEASE)
      return () => member.reject(error)
    }
  }
}

/** How many of those that wait share the next transaction. */
function sizeBefore(firstLarge: number): number {
  return firstLarge < 0 ? MEMBERS_MAX : Math.min(firstLarge, MEMBERS_MAX)
}

async function runAlone(transaction: SqlTransaction, { work, resolve }: Member) {
  const value = await work(transaction)
  return () => resolve(value)
}

import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { Transaction } from '../../core/table/transaction.ts'
import type { CommitServices } from './commit-dependencies.ts'

export type VisibleState = 'open' | 'expired' | 'committed' | 'aborted'

export function visibleState(transaction: Transaction, nowMs: number): VisibleState {
  if (transaction.state !== 'open') return transaction.state
  return transaction.expiresAtMs <= nowMs ? 'expired' : 'open'
}

export async function getTransaction(
  { catalog }: Stores<'transactions'>,
  transactionId: string,
): Promise<Transaction> {
  const transaction = await catalog.transactions.find(transactionId)
  if (transaction === undefined) {
    throw new CatalogError('transaction-not-found', `there is no transaction ${transactionId}`, {
      facts: { transactionId },
    })
  }
  return transaction
}

export async function getOpenTransaction(
  deps: Stores<'transactions'> & Pick<CommitServices, 'ambient'>,
  transactionId: string,
): Promise<Transaction> {
  const transaction = await getTransaction(deps, transactionId)
  requireOpen(transaction, deps.ambient.nowMs())
  return transaction
}

/** A 409 that says which it is: committed, aborted or expired. */
export function requireOpen(transaction: Transaction, nowMs: number): void {
  const { transactionId } = transaction
  const state = visibleState(transaction, nowMs)
  if (state === 'open') return
  const expiresAt = new Date(transaction.expiresAtMs).toISOString()
  const detail = {
    committed: `transaction ${transactionId} is committed already`,
    aborted: `transaction ${transactionId} was aborted`,
    expired: `transaction ${transactionId} expired at ${expiresAt}`,
  }[state]
  throw new CatalogError(`transaction-${state}`, `${detail}: start another`, {
    facts: { transactionId, expiresAt },
  })
}

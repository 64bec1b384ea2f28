import type { Snapshot } from '../../core/table/snapshot.ts'
import type { Transaction } from '../../core/table/transaction.ts'

const IDS = 'moraine.transaction-ids'

/** What the summary of a snapshot says of the transactions that it is of. */
export function transactionSummary(transactions: readonly Transaction[]): Record<string, string> {
  const texts = (select: (t: Transaction) => string | null) =>
    [...new Set(transactions.map(select))].filter((text) => text !== null).join('; ')
  const summary: Record<string, string> = {
    [IDS]: transactions.map((t) => t.transactionId).join(','),
  }
  const author = texts((t) => t.author)
  const message = texts((t) => t.message)
  if (author !== '') summary['moraine.author'] = author
  if (message !== '') summary['moraine.message'] = message
  return summary
}

/** Ids of the transactions that made it; none where an engine did. */
export function transactionIdsOf({ summary }: Pick<Snapshot, 'summary'>): readonly string[] {
  const ids = summary[IDS] ?? ''
  return ids === '' ? [] : ids.split(',')
}

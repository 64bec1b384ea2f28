import type { Transaction } from '../../core/table/transaction.ts'

/** What the summary of a snapshot says of the transactions that it is of. */
export function transactionSummary(transactions: readonly Transaction[]): Record<string, string> {
  const texts = (select: (t: Transaction) => string | null) =>
    [...new Set(transactions.map(select))].filter((text) => text !== null).join('; ')
  const summary: Record<string, string> = {
    'moraine.transaction-ids': transactions.map((t) => t.transactionId).join(','),
  }
  const author = texts((t) => t.author)
  const message = texts((t) => t.message)
  if (author !== '') summary['moraine.author'] = author
  if (message !== '') summary['moraine.message'] = message
  return summary
}

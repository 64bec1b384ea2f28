import { CatalogError } from '../../core/errors.ts'
import { TransactionId } from '../../http/common-shapes.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route } from '../../http/route.ts'
import {
  abortTransaction,
  commitTransaction,
  startTransaction,
  viewTransaction,
} from '../../lake/commit/transactions.ts'
import { resultToJson, startedToJson, transactionToJson } from './transaction-response.ts'
import {
  CommitAnswer,
  StartedAnswer,
  StartTransactionRequest,
  TransactionAnswer,
  TransactionRequest,
} from './transaction-shapes.ts'

const start = defineRoute(
  {
    method: 'post',
    path: '/v1/transactions/start',
    operationId: 'startTransaction',
    tag: 'transactions',
    summary: 'Start a transaction',
    description:
      'Its state is in the catalog: it survives a restart, and any replica can go on with it. The body may be empty.',
    body: StartTransactionRequest,
    isBodyOptional: true,
    answers: [
      {
        status: 201,
        description: 'Started.',
        shape: StartedAnswer,
        headers: { Location: 'Where to look at the transaction.' },
      },
    ],
    problems: ['table-not-found', 'name-invalid'],
    curl: `curl -X POST $MORAINE/v1/transactions/start -H 'Content-Type: application/json' -d '{"author":"nightly-load"}'`,
  },
  async ({ deps, body }) => {
    const transaction = await startTransaction(deps, {
      tables: body.tables,
      author: body.author,
      message: body.message,
      isolation: body.isolation,
      expiresInSeconds: body.expires_in_seconds,
    })
    const headers = { Location: `/v1/transactions/${transaction.transactionId}` }
    return jsonReply(startedToJson(transaction), { status: 201, headers })
  },
)

const commit = defineRoute(
  {
    method: 'post',
    path: '/v1/transactions/commit',
    operationId: 'commitTransaction',
    tag: 'transactions',
    summary: 'Commit a transaction',
    description:
      'All tables or none. Committing again answers the first result again: a client that lost the answer may simply repeat.',
    body: TransactionRequest,
    answers: [{ status: 200, description: 'Committed.', shape: CommitAnswer }],
    problems: [
      'transaction-not-found',
      'transaction-expired',
      'transaction-aborted',
      'commit-conflict',
      'file-already-in-table',
      'file-not-in-table',
      'file-schema-mismatch',
      'file-spans-partitions',
      'table-not-found',
      'commit-state-unknown',
      'overloaded',
      'storage-full',
    ],
    curl: `curl -X POST $MORAINE/v1/transactions/commit -H 'Content-Type: application/json' -d '{"transaction_id":"…"}'`,
  },
  async ({ deps, body }) => {
    const results = await commitTransaction(deps, body.transaction_id)
    const { transaction_id } = body
    return jsonReply({ transaction_id, state: 'committed', results: results.map(resultToJson) })
  },
)

const abort = defineRoute(
  {
    method: 'post',
    path: '/v1/transactions/abort',
    operationId: 'abortTransaction',
    tag: 'transactions',
    summary: 'Give up a transaction',
    description: 'Nothing of it becomes visible. Aborting again changes nothing.',
    body: TransactionRequest,
    answers: [{ status: 200, description: 'Aborted.', shape: TransactionAnswer }],
    problems: ['transaction-not-found', 'transaction-committed'],
    curl: `curl -X POST $MORAINE/v1/transactions/abort -H 'Content-Type: application/json' -d '{"transaction_id":"…"}'`,
  },
  async ({ deps, body }) =>
    jsonReply(transactionToJson(await abortTransaction(deps, body.transaction_id))),
)

const view = defineRoute(
  {
    method: 'get',
    path: '/v1/transactions/{transaction_id}',
    operationId: 'viewTransaction',
    tag: 'transactions',
    summary: 'Look at a transaction',
    answers: [{ status: 200, description: 'As it is now.', shape: TransactionAnswer }],
    problems: ['transaction-not-found'],
    curl: 'curl $MORAINE/v1/transactions/…',
  },
  async ({ deps, param }) => {
    const transactionId = parseTransactionId(param('transaction_id'))
    return jsonReply(transactionToJson(await viewTransaction(deps, transactionId)))
  },
)

function parseTransactionId(text: string): string {
  const parsed = TransactionId.safeParse(text)
  if (parsed.success) return parsed.data
  const shown = text.slice(0, 100)
  throw new CatalogError('transaction-not-found', `${shown} is not a transaction id`, {
    facts: { transactionId: shown },
  })
}

export const TRANSACTION_ROUTES: readonly Route[] = [start, commit, abort, view]

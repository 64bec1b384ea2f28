import type { Stores } from '../../catalog/catalog.ts'
import { CatalogError } from '../../core/errors.ts'
import type { TableCommitResult, Transaction } from '../../core/table/transaction.ts'
import type { Target } from '../../http/authorizer.ts'
import { TransactionId } from '../../http/common-shapes.ts'
import { cutPage, parsePageToken } from '../../http/page-token.ts'
import { onCatalog } from '../../http/permission.ts'
import { jsonReply } from '../../http/reply.ts'
import { defineRoute, type Route, type Tag } from '../../http/route.ts'
import type { CommitDependencies, CommitServices } from '../../lake/commit/commit-dependencies.ts'
import {
  type AbortDependencies,
  abortTransaction,
  commitTransaction,
  startTransaction,
  type TransactionView,
  viewTransaction,
} from '../../lake/commit/transactions.ts'
import { asking } from '../../lake/table/asked-names.ts'
import { resultToJson, startedToJson, transactionToJson } from './transaction-response.ts'
import {
  CommitAnswer,
  StartedAnswer,
  StartTransactionRequest,
  TransactionAnswer,
  TransactionPosition,
  TransactionRequest,
  TransactionsAnswer,
  TransactionsQuery,
} from './transaction-shapes.ts'

const TRANSACTIONS_TAG: Tag = {
  name: 'transactions',
  description: 'Several changes, to one table or many, that become visible together.',
}
const TRANSACTION_PARAMETERS = { transaction_id: 'The id returned when it was started.' }

const start = (deps: CommitServices) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/transactions/start',
      operationId: 'startTransaction',
      tag: TRANSACTIONS_TAG,
      permission: 'in-use-case',
      summary: 'Start a transaction',
      description:
        'Its state is in the catalog, so it survives a restart, and any replica can continue it. ' +
        'The body may be empty.',
      body: StartTransactionRequest,
      isBodyOptional: true,
      answers: [
        {
          status: 201,
          description: 'Started.',
          shape: StartedAnswer,
          headers: { Location: 'Address of the transaction.' },
        },
      ],
      problems: ['table-not-found', 'name-invalid'],
      curl:
        `curl -X POST $MORAINE/v1/transactions/start -H 'Content-Type: application/json' ` +
        `-d '{"author":"nightly-load"}'`,
    },
    async ({ authorize, body, keeper, found }) => {
      const { tables = [] } = body
      await authorize('modify', tables.map(tableTarget))
      // Strangers, who may see nothing at all, leave nothing behind.
      if (tables.length === 0) await authorize('describe', [{ on: 'namespace', name: [] }])
      const request = {
        tables: body.tables,
        author: body.author,
        message: body.message,
        isolation: body.isolation,
        expiresInSeconds: body.expires_in_seconds,
      }
      const keep = keeper.keeping(startedAnswer)
      const { value, ...rest } = startedAnswer(
        await startTransaction(asking(deps, { found }), request, keep),
      )
      return jsonReply(value, rest)
    },
  )

function startedAnswer(transaction: Transaction) {
  const headers = { Location: `/v1/transactions/${transaction.transactionId}` }
  return { status: 201, headers, value: startedToJson(transaction) }
}

function committedToJson(transactionId: string, results: readonly TableCommitResult[]) {
  return {
    transaction_id: transactionId,
    state: 'committed',
    results: results.map(resultToJson),
  }
}

const commit = (deps: CommitDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/transactions/commit',
      operationId: 'commitTransaction',
      tag: TRANSACTIONS_TAG,
      permission: 'in-use-case',
      summary: 'Commit a transaction',
      description:
        'Either all tables change or none. Committing again returns the first result again, so a ' +
        'client that lost the response may simply repeat the request.',
      body: TransactionRequest,
      answers: [{ status: 200, description: 'Committed.', shape: CommitAnswer }],
      problems: [
        'transaction-not-found',
        'transaction-expired',
        'transaction-aborted',
        'commit-conflict',
        'file-already-in-table',
        'file-changed',
        'file-not-in-table',
        'file-schema-mismatch',
        'file-spans-partitions',
        'table-not-found',
        'table-property-invalid',
        'commit-state-unknown',
        'overloaded',
        'storage-full',
        'not-implemented',
      ],
      curl:
        `curl -X POST $MORAINE/v1/transactions/commit -H 'Content-Type: application/json' ` +
        `-d '{"transaction_id":"…"}'`,
    },
    async ({ authorize, body, keeper }) => {
      const { transaction_id } = body
      await authorize('modify', [transactionTarget(transaction_id)])
      const results = await commitTransaction(deps, transaction_id, {
        permit: (tableUuids) => authorize('modify', tableUuids.map(tableTarget)),
        keep: keeper.keeping((made) => ({
          status: 200,
          value: committedToJson(transaction_id, made),
          from: { transaction_id },
        })),
      })
      return jsonReply(committedToJson(transaction_id, results))
    },
    async ({ transaction_id }) => {
      const transactionId = String(transaction_id)
      return jsonReply(committedToJson(transactionId, await commitTransaction(deps, transactionId)))
    },
  )

const abort = (deps: AbortDependencies) =>
  defineRoute(
    {
      method: 'post',
      path: '/v1/transactions/abort',
      operationId: 'abortTransaction',
      tag: TRANSACTIONS_TAG,
      permission: 'in-use-case',
      summary: 'Abort a transaction',
      description: 'None of its changes become visible. Aborting again changes nothing.',
      body: TransactionRequest,
      answers: [{ status: 200, description: 'Aborted.', shape: TransactionAnswer }],
      problems: ['transaction-not-found', 'transaction-committed'],
      curl:
        `curl -X POST $MORAINE/v1/transactions/abort -H 'Content-Type: application/json' ` +
        `-d '{"transaction_id":"…"}'`,
    },
    async ({ authorize, body, keeper }) => {
      const { transaction_id } = body
      await authorize('modify', [transactionTarget(transaction_id)])
      const keep = keeper.keeping((aborted: TransactionView) => ({
        status: 200,
        value: transactionToJson(aborted),
      }))
      return jsonReply(transactionToJson(await abortTransaction(deps, transaction_id, keep)))
    },
  )

const list = ({ catalog, ambient }: Stores<'transactions'> & Pick<CommitServices, 'ambient'>) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/transactions',
      operationId: 'listTransactions',
      tag: TRANSACTIONS_TAG,
      permission: onCatalog('describe'),
      summary: 'List open transactions, newest first',
      description:
        'For whoever has lost the id of one, or looks for what was left behind. Expired ones are ' +
        'forgotten after a week.',
      query: TransactionsQuery,
      answers: [{ status: 200, description: 'One page.', shape: TransactionsAnswer }],
      problems: ['page-token-invalid'],
      curl: 'curl "$MORAINE/v1/transactions?state=open"',
    },
    async ({ query: { state, page_token, page_size } }) => {
      const found = await catalog.transactions.listOpen({
        ...{ is: state, atMs: ambient.nowMs(), limit: page_size + 1 },
        ...(page_token !== undefined && { before: positionOf(page_token) }),
      })
      const page = cutPage(found, page_size, (last) => [last.createdAtMs, last.transactionId])
      const transactions = page.items.map((each) => startedToJson(each, state))
      return jsonReply({ transactions, next_page_token: page.nextPageToken })
    },
  )

function positionOf(token: string) {
  const [createdAtMs, transactionId] = parsePageToken(token, TransactionPosition)
  return { createdAtMs, transactionId }
}

const view = (deps: CommitServices) =>
  defineRoute(
    {
      method: 'get',
      path: '/v1/transactions/{transaction_id}',
      operationId: 'viewTransaction',
      tag: TRANSACTIONS_TAG,
      permission: {
        privilege: 'describe',
        on: 'transaction',
        target: ({ param }) => param('transaction_id'),
      },
      summary: 'Read a transaction',
      parameters: TRANSACTION_PARAMETERS,
      answers: [
        { status: 200, description: 'The transaction as it is now.', shape: TransactionAnswer },
      ],
      problems: ['transaction-not-found'],
      curl: 'curl $MORAINE/v1/transactions/…',
    },
    async ({ param }) => {
      const transactionId = parseTransactionId(param('transaction_id'))
      return jsonReply(transactionToJson(await viewTransaction(deps, transactionId)))
    },
  )

function tableTarget(name: string): Target {
  return { on: 'table', name }
}

function transactionTarget(name: string): Target {
  return { on: 'transaction', name }
}

function parseTransactionId(text: string): string {
  const parsed = TransactionId.safeParse(text)
  if (parsed.success) return parsed.data
  const shown = text.slice(0, 100)
  throw new CatalogError('transaction-not-found', `${shown} is not a transaction id`, {
    facts: { transactionId: shown },
  })
}

export function transactionRoutes(deps: CommitDependencies & AbortDependencies): readonly Route[] {
  return [start(deps), list(deps), commit(deps), abort(deps), view(deps)]
}

import { BAD_REQUEST, COMMIT_FAILED, NOT_FOUND, type ProblemRows } from './problem-row.ts'

/** Transactions and commits. */
export const TRANSACTION_PROBLEMS = {
  'commit-conflict': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Conflicting commit',
    meaning:
      'Another commit came first: the change was based on a snapshot that is no longer current, ' +
      'or, on `/iceberg`, other commits kept winning or converted a column that the files have ' +
      'in its former type.',
    remedy:
      'Read the table again and repeat the change on what it holds now; or start the transaction ' +
      'with `"isolation": "overwrite"` if the change may apply to any state.',
    retry: 'after checking',
  },
  'commit-state-unknown': {
    status: 503,
    iceberg: { status: 500, type: 'CommitStateUnknownException' },
    title: 'Commit outcome unknown',
    meaning:
      'The connection to the catalog database was lost during the commit, which may or may not ' +
      'have happened.',
    remedy:
      'Commit the same transaction again: if it was committed, you get the first result. ' +
      'Without a transaction, look at the newest snapshot before repeating the request.',
    retry: 'after checking',
  },
  'transaction-not-found': {
    status: 404,
    iceberg: NOT_FOUND,
    title: 'Transaction not found',
    meaning: 'There is no transaction of this id, or it ended more than a week ago.',
    remedy: 'Use the id exactly as it was returned when the transaction was started.',
    retry: 'no',
  },
  'transaction-aborted': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Transaction aborted',
    meaning: 'The transaction was aborted; none of its changes took effect.',
    remedy: 'Start another transaction and stage the files again.',
    retry: 'no',
  },
  'transaction-committed': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Transaction already committed',
    meaning: 'The transaction is committed and accepts no further changes.',
    remedy: 'Start another transaction for further changes.',
    retry: 'no',
  },
  'transaction-expired': {
    status: 409,
    iceberg: COMMIT_FAILED,
    title: 'Transaction expired',
    meaning: 'The transaction stayed open past its time limit; none of its changes took effect.',
    remedy:
      'Start another transaction with a longer `expires_in_seconds`, and stage the files again.',
    retry: 'no',
  },
  'transaction-too-large': {
    status: 422,
    iceberg: BAD_REQUEST,
    title: 'Too many files in one transaction',
    meaning: 'The transaction would add more than `files_max` files.',
    remedy: 'Commit it, and add the remaining files in another transaction.',
    retry: 'no',
  },
} as const satisfies ProblemRows

import { z } from 'zod'
import { TRANSACTION_LIFETIME_SECONDS_MAX } from '../../core/limits.ts'
import { boundedArray } from '../../http/bounded-shapes.ts'
import {
  Author,
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_TIME,
  EXAMPLE_TRANSACTION_ID,
  EXAMPLE_UUID,
  LongText,
  Message,
  NextPageToken,
  PageQuery,
  Time,
  TransactionId,
} from '../../http/common-shapes.ts'

const TABLES_MAX = 1_000

export const Isolation = z.enum(['snapshot', 'overwrite']).meta({
  description:
    '`snapshot`: a removal or truncation conflicts with any commit since the transaction first ' +
    'touched the table. `overwrite`: it applies to the table as it is at the commit.',
  example: 'snapshot',
})

export const StartTransactionRequest = z
  .strictObject({
    tables: boundedArray(z.string(), { max: TABLES_MAX })
      .optional()
      .meta({
        description: 'Tables whose current snapshot becomes the base of the transaction.',
        example: ['aviation.flights'],
      }),
    author: Author.optional(),
    message: Message.optional(),
    isolation: Isolation.optional(),
    expires_in_seconds: z
      .int()
      .min(1)
      .max(TRANSACTION_LIFETIME_SECONDS_MAX)
      .optional()
      .meta({ description: 'By default an hour; at most a week.', example: 3600 }),
  })
  .meta({
    id: 'StartTransactionRequest',
    example: { author: 'nightly-load', message: 'flights of 17 March', expires_in_seconds: 3600 },
  })

export const TransactionRequest = z
  .strictObject({ transaction_id: TransactionId })
  .meta({ id: 'TransactionRequest', example: { transaction_id: EXAMPLE_TRANSACTION_ID } })

export const EXAMPLE_RESULT = {
  table_id: EXAMPLE_UUID,
  table: 'aviation.flights',
  snapshot_id: EXAMPLE_SNAPSHOT_ID,
  parent_snapshot_id: null,
  sequence_number: '1',
  timestamp: EXAMPLE_TIME,
  operation: 'append',
  added_data_files: 1,
  added_records: 1024,
  removed_data_files: 0,
  removed_records: 0,
}

export const CommitResult = z
  .strictObject({
    table_id: z.string(),
    table: z.string(),
    snapshot_id: LongText,
    parent_snapshot_id: LongText.nullable(),
    sequence_number: LongText,
    timestamp: Time,
    operation: z.enum(['append', 'replace', 'overwrite', 'delete']),
    added_data_files: z.int(),
    added_records: z.int(),
    removed_data_files: z.int(),
    removed_records: z.int(),
  })
  .meta({
    id: 'CommitResult',
    description: 'The result of a commit for one table.',
    example: EXAMPLE_RESULT,
  })

export const CommitAnswer = z
  .strictObject({
    transaction_id: z.string(),
    state: z.literal('committed'),
    results: z.array(CommitResult),
  })
  .meta({
    id: 'CommitAnswer',
    example: {
      transaction_id: EXAMPLE_TRANSACTION_ID,
      state: 'committed',
      results: [EXAMPLE_RESULT],
    },
  })

const transactionMembers = {
  transaction_id: z.string(),
  state: z.enum(['open', 'expired', 'committed', 'aborted']),
  isolation: z.enum(['snapshot', 'overwrite']),
  author: z.string().nullable(),
  message: z.string().nullable(),
  created_at: Time,
  expires_at: Time,
}
const exampleTransaction = {
  transaction_id: EXAMPLE_TRANSACTION_ID,
  state: 'open',
  isolation: 'snapshot',
  author: 'nightly-load',
  message: null,
  created_at: EXAMPLE_TIME,
  expires_at: EXAMPLE_TIME,
}

export const StartedAnswer = z
  .strictObject(transactionMembers)
  .meta({ id: 'StartedTransaction', example: exampleTransaction })

export const TransactionsQuery = z.strictObject({
  state: z.enum(['open', 'expired']).default('open').meta({
    description: '`open`: may still be committed. `expired`: was not in time, and not aborted.',
  }),
  ...PageQuery,
})
/** `created_at` in milliseconds and the id of the last one of a page. */
export const TransactionPosition = z.tuple([z.int().min(0), TransactionId])

export const TransactionsAnswer = z
  .strictObject({
    transactions: z.array(StartedAnswer),
    next_page_token: NextPageToken,
  })
  .meta({
    id: 'TransactionList',
    example: { transactions: [exampleTransaction], next_page_token: null },
  })

export const TransactionAnswer = z
  .strictObject({
    ...transactionMembers,
    ended_at: Time.nullable(),
    staged: z
      .array(
        z.strictObject({
          table_id: z.string(),
          base_snapshot_id: LongText.nullable(),
          truncate: z.boolean(),
          removed_files: z.int(),
          added_files: z.int(),
          removed: z.array(z.string()).meta({ description: 'The first thousand paths.' }),
          added: z
            .array(z.strictObject({ path: z.string(), record_count: z.int() }))
            .meta({ description: 'The first thousand files.' }),
        }),
      )
      .meta({ description: 'Staged changes of an open transaction, by table.' }),
    results: z
      .array(CommitResult)
      .meta({ description: 'Results of a committed transaction, by table.' }),
  })
  .meta({
    id: 'Transaction',
    example: { ...exampleTransaction, ended_at: null, staged: [], results: [] },
  })

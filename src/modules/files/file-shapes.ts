import { z } from 'zod'
import { FILES_PER_REQUEST_MAX } from '../../core/limits.ts'
import { boundedArray } from '../../http/bounded-shapes.ts'
import { Author, EXAMPLE_TRANSACTION_ID, Message, TransactionId } from '../../http/common-shapes.ts'
import { CommitResult, EXAMPLE_RESULT, Isolation } from './transaction-shapes.ts'

const EXAMPLE_PATH = 'file:///data/flights-0001.parquet'

const Files = boundedArray(
  z.strictObject({
    path: z.string().min(1).meta({ description: 'Absolute location.', example: EXAMPLE_PATH }),
  }),
  { min: 1, max: FILES_PER_REQUEST_MAX },
)
const InTransaction = TransactionId.optional().meta({
  description: 'The transaction to stage in. Without one, the request commits at once.',
  example: EXAMPLE_TRANSACTION_ID,
})

export const StageFilesRequest = z
  .strictObject({
    transaction_id: InTransaction,
    files: Files,
    author: Author.optional(),
    message: Message.optional(),
  })
  .meta({
    id: 'StageFilesRequest',
    example: { transaction_id: EXAMPLE_TRANSACTION_ID, files: [{ path: EXAMPLE_PATH }] },
  })

/** Parameters of an upload, whose body is the file. */
export const UploadQuery = z.strictObject({
  transaction_id: InTransaction,
  author: Author.optional(),
  message: Message.optional(),
})

export const RemoveFilesRequest = z
  .strictObject({
    transaction_id: InTransaction,
    files: Files,
    isolation: Isolation.optional(),
    author: Author.optional(),
    message: Message.optional(),
  })
  .meta({
    id: 'RemoveFilesRequest',
    example: { transaction_id: EXAMPLE_TRANSACTION_ID, files: [{ path: EXAMPLE_PATH }] },
  })

export const TruncateRequest = z
  .strictObject({
    transaction_id: InTransaction,
    isolation: Isolation.optional(),
    author: Author.optional(),
    message: Message.optional(),
  })
  .meta({ id: 'TruncateRequest', example: { transaction_id: EXAMPLE_TRANSACTION_ID } })

const StagedFile = z.strictObject({
  path: z.string().meta({ example: EXAMPLE_PATH }),
  record_count: z.int().meta({ example: 1024 }),
  file_size_bytes: z.int().meta({ example: 51_200 }),
  notes: z
    .array(z.string())
    .optional()
    .meta({
      description:
        'By column: what other engines may not read, such as unsigned and nanosecond types, ' +
        'times in milliseconds, durations and time zones of Arrow; and what a folder of the path ' +
        'says of a column that the file lacks, taken or not; and which columns of an upload were ' +
        'converted to the table’s types.',
      example: ['clock: TIME_MILLIS: PyIceberg refuses it'],
    }),
})
const exampleStaged = { path: EXAMPLE_PATH, record_count: 1024, file_size_bytes: 51_200 }

export const FilesAnswer = z
  .strictObject({
    transaction_id: z.string(),
    committed: z
      .boolean()
      .meta({ description: 'False if only staged; the files become visible at the commit.' }),
    table: z.string().meta({ example: 'aviation.flights' }),
    staged: z
      .array(StagedFile)
      .optional()
      .meta({ description: 'The staged data files, in the order given.' }),
    files: z
      .array(StagedFile)
      .optional()
      .meta({ description: 'The committed data files, in the order given.' }),
    removed_files: z.int().optional().meta({ description: 'Number of files to remove.' }),
    truncated: z.literal(true).optional(),
    results: z
      .array(CommitResult)
      .optional()
      .meta({ description: 'Results of the commit, if it committed at once.' }),
  })
  .meta({
    id: 'FilesAnswer',
    example: {
      transaction_id: EXAMPLE_TRANSACTION_ID,
      committed: true,
      table: 'aviation.flights',
      files: [exampleStaged],
      results: [EXAMPLE_RESULT],
    },
  })

import { z } from 'zod'

/** Everything that must be known of a run to end it after its transaction was committed. */
export const Note = z.object({
  run_id: z.string(),
  task: z.string(),
  source: z.string(),
  staged: z.string(),
  file: z.string(),
  /** If the file's name turns out to be another run's. */
  other_file: z.string(),
  mark: z.object({
    ...{ id: z.string(), transactionId: z.string(), isWritten: z.boolean(), place: z.string() },
    startedAt: z.string().optional(),
    countsSince: z.string().optional(),
  }),
  rows: z.int(),
  deleted: z.int(),
  proof: z.string(),
  bytes: z.int(),
  sha256: z.string(),
  exported_at: z.string(),
  /** The rows as a staged Parquet file of the table that they are appended to. */
  append: z
    .object({
      table: z.string(),
      /** Id of the transaction that appends them. */
      commit_id: z.string(),
      /** The table, and its schema, that the file is of. */
      table_uuid: z.string(),
      schema_id: z.int(),
      parquet: z.string(),
      columns: z.array(z.object({ name: z.string(), type: z.string() })),
    })
    .optional(),
})
export type ExportNote = z.output<typeof Note>

/** What is kept beside each archived file, and shown of it. */
export const Receipt = Note.omit({
  ...{ staged: true, mark: true, other_file: true, append: true },
}).extend({
  /** That the rows were appended to, too. */
  table: z.string().optional(),
})
export type ExportReceipt = z.output<typeof Receipt>

export const Placed = z.object({ tableUuid: z.string(), paths: z.array(z.string()) })
export type PlacedFiles = { readonly tableUuid: string; readonly paths: readonly string[] }

import { z } from 'zod'
import type { ObjectStore } from '../../objects/object-store.ts'

/** Room for the columns of the widest table. */
const NOTE_BYTES_MAX = 4 * 1024 * 1024

/** Everything that must be known of a run to end it after its transaction was committed. */
export const Note = z.object({
  run_id: z.string(),
  task: z.string(),
  source: z.string(),
  staged: z.string(),
  file: z.string(),
  /** If the file's name turns out to be another run's. */
  other_file: z.string(),
  /** The folder that the file is in, where that is none of the warehouse. */
  place: z.string().optional(),
  mark: z.object({
    ...{ id: z.string(), transactionId: z.string(), isWritten: z.boolean(), place: z.string() },
    startedAt: z.string().optional(),
    countsSince: z.string().optional(),
    tableUuid: z.string().optional(),
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

/** What an archived file is found by. */
export type ArchivedFile = Pick<ExportReceipt, 'task' | 'file' | 'place'>

/** Noted before rows are written outside of the warehouse. */
export const Place = z.object({ place: z.string() })

/** Durable when it resolves. */
export function putJson(
  objects: Pick<ObjectStore, 'putIfAbsent'>,
  location: string,
  value: unknown,
): Promise<'written' | 'already-exists'> {
  const text = `${JSON.stringify(value, undefined, 2)}\n`
  return objects.putIfAbsent(location, new TextEncoder().encode(text))
}

export async function readJson(
  objects: Pick<ObjectStore, 'read'>,
  location: string,
  bytesMax = NOTE_BYTES_MAX,
): Promise<unknown> {
  const bytes = await objects.read(location, { bytesMax })
  return JSON.parse(new TextDecoder().decode(bytes))
}

import { z } from 'zod'
import { parseAsAt } from '../core/table/as-at.ts'
import type { SnapshotSelector } from '../core/table/snapshot-selector.ts'

export const PAGE_SIZE_MAX = 1_000
const PAGE_SIZE_DEFAULT = 100
const REF_LENGTH_MAX = 1_000
const PAGE_TOKEN_LENGTH_MAX = 4_000

export const EXAMPLE_UUID = '5f0d6c2e-1c1b-4a55-9d2b-3a8f1f6f2b10'
export const EXAMPLE_TRANSACTION_ID = 'c0a8012e-7d3f-4f56-8f0b-1b2f6a0e9d21'
export const EXAMPLE_SNAPSHOT_ID = '4853267719093551'
export const EXAMPLE_TIME = '2024-03-17T23:51:46.000Z'

// A space before the offset was a plus sign that the client did not encode.
const BLANK_FOR_PLUS = /^(\d{4}-\d\d-\d\d[Tt ]\S+) (\d\d:?\d\d)$/

/** A moment in a query. */
export const QueryMoment = z
  .string()
  .transform((text) => parseAsAt(text.replace(BLANK_FOR_PLUS, '$1+$2')))
  .meta({
    description:
      'A time: epoch milliseconds, an RFC 3339 time (UTC if it has no offset), or a date, a ' +
      'month or a year (its first moment in UTC).',
    example: '2024-03-17T23:59:59Z',
  })

/** A moment in a body. */
export const BodyMoment = z
  .union([z.string(), z.int()])
  .transform((moment) => parseAsAt(String(moment)))
  .meta({
    description: 'A moment: epoch milliseconds, an RFC 3339 time, a date, a month or a year.',
    example: '2024-03-17T23:59:59Z',
  })

export const Filter = z
  .string()
  .max(50_000)
  .meta({
    description:
      'Leaves out files that cannot contain a matching row; it prunes files, not rows. `= != <> ' +
      "< <= > >=`, `IN`, `NOT IN`, `BETWEEN`, `IS [NOT] NULL`, `LIKE 'abc%'`, `AND`, `OR`, " +
      '`NOT`, parentheses; a comma means AND.',
    example: "id = 4242 AND first_found >= '2024-01-01'",
  })

const SNAPSHOT_ID = /^\d{1,19}$/

/** Text, because it exceeds a JavaScript number; exact integers are accepted, too. */
export const SnapshotIdInput = z
  .union([z.string().regex(SNAPSHOT_ID, 'is not a snapshot id'), z.int().min(0), z.bigint()])
  .transform(String)
  .meta({ description: 'A snapshot id.', example: EXAMPLE_SNAPSHOT_ID })

export const TransactionId = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'is not a transaction id')
  .transform((id) => id.toLowerCase())
  .meta({
    description: 'The id returned when the transaction was started.',
    example: EXAMPLE_TRANSACTION_ID,
  })

export const Author = z
  .string()
  .max(1_000)
  .meta({ description: 'Who commits; stored with the snapshot.', example: 'nightly-load' })
export const Message = z
  .string()
  .max(1_000)
  .meta({ description: 'Why; stored with the snapshot.', example: 'flights of 17 March' })

export const PageQuery = {
  page_size: z.coerce
    .number<string>({ error: `must be an integer from 1 to ${PAGE_SIZE_MAX}` })
    .int()
    .min(1)
    .max(PAGE_SIZE_MAX)
    .default(PAGE_SIZE_DEFAULT)
    .meta({ description: 'Maximum number of items to return.', example: 100 }),
  page_token: z
    .string()
    .max(PAGE_TOKEN_LENGTH_MAX)
    .optional()
    .meta({ description: '`next_page_token` of the previous page.' }),
}

export const NextPageToken = z
  .string()
  .nullable()
  .meta({ description: 'Token of the next page; null on the last.', example: null })

export const Time = z.string().meta({ description: 'RFC 3339, UTC.', example: EXAMPLE_TIME })
export const LongText = z.string().regex(/^-?\d+$/)

export function timeOrNull(atMs: number | undefined): string | null {
  return atMs === undefined ? null : timeText(atMs)
}

export function timeText(atMs: number): string {
  return new Date(atMs).toISOString()
}

export const RefInput = z
  .string()
  .min(1)
  .max(REF_LENGTH_MAX)
  .meta({ description: 'The name of a branch or tag.', example: 'v1' })

/** Members of a body that select a snapshot, of which at most one is given. */
export const bodySelectors = {
  as_at: BodyMoment.optional(),
  snapshot_id: SnapshotIdInput.optional(),
  ref: RefInput.optional(),
}

const SELECTORS = ['as_at', 'snapshot_id', 'ref'] as const

/** What selects a snapshot of a table, by members of a body or a query. */
export interface SelectorInput {
  readonly as_at?: number | undefined
  readonly snapshot_id?: string | undefined
  readonly ref?: string | undefined
}

/** Those that are given; more than one says nothing. */
export function givenSelectors(selector: SelectorInput): readonly string[] {
  return SELECTORS.filter((name) => selector[name] !== undefined)
}

/** For a shape's `refine`. */
export const AT_MOST_ONE = [
  (selector: SelectorInput) => givenSelectors(selector).length <= 1,
  { message: 'give only one of as_at, snapshot_id and ref' },
] as const

/** As `AT_MOST_ONE`. */
export const EXACTLY_ONE = [
  (selector: SelectorInput) => givenSelectors(selector).length === 1,
  { message: 'give one of as_at, snapshot_id and ref' },
] as const

/** The selector, without absent members. */
export function selectorOf(selector: SelectorInput): SnapshotSelector {
  return {
    ...(selector.ref === undefined ? {} : { ref: selector.ref }),
    ...(selector.as_at === undefined ? {} : { asAtMs: selector.as_at }),
    ...(selector.snapshot_id === undefined ? {} : { snapshotIdentifier: selector.snapshot_id }),
  }
}

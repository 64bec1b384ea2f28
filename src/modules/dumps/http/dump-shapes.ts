import { z } from 'zod'
import {
  EXAMPLE_SNAPSHOT_ID,
  EXAMPLE_UUID,
  LongText,
  QueryMoment,
  RefInput,
  Time,
} from '../../../http/common-shapes.ts'
import { Problem } from '../../../http/problem.ts'
import { EDITION } from '../format/dump-edition.ts'
import { DUMP_COMPRESSIONS, DUMP_FORMATS } from '../format/dump-index.ts'

const Format = z.enum(DUMP_FORMATS)
const Compression = z.enum(DUMP_COMPRESSIONS).default('none').meta({
  description: 'For csv, tsv and ndjson only; Parquet and Arrow compress their own pages.',
})
const ByteOrderMark = z
  .string()
  .regex(/^(?:true|t|yes|y|on|1|false|f|no|n|off|0)?$/i, 'must be true or false')
  .transform((text) => /^(?:true|t|yes|y|on|1)$/i.test(text))
  .optional()
  .meta({
    description:
      'For csv and tsv: whether the file begins with a byte order mark, by which spreadsheets ' +
      'know UTF-8.',
    example: 'true',
  })
const FORMAT_DESCRIPTION =
  'The file format. `json` and `xml` are as CKAN’s DataStore writes them; `ndjson` is one ' +
  'object a line.'

/** Choices for the snapshot that the path names. */
export const PinnedChoiceQuery = z.strictObject({
  format: Format.default('csv').meta({ description: FORMAT_DESCRIPTION }),
  compression: Compression,
  bom: ByteOrderMark,
  schema_id: z
    .string()
    .regex(/^\d{1,9}$/, 'is not a schema id')
    .optional()
    .meta({
      description:
        'The schema whose columns the file has. By default those of the table as it is now where ' +
        'the address moves with it (no selector, `latest`, a branch), else those of the snapshot.',
    }),
  edition: z
    .string()
    .regex(EDITION, 'is not an edition of a dump')
    .optional()
    .meta({
      description:
        'The content that is expected, as permanent addresses have it: if the snapshot is read ' +
        'in another way since, by another name mapping for instance, the response is 410.',
    }),
})

const selectors = {
  as_at: QueryMoment.optional(),
  snapshot_id: z
    .string()
    .regex(/^\d{1,19}$/, 'is not a snapshot id')
    .optional()
    .meta({ description: 'A snapshot id; its rows never change.' }),
  ref: RefInput.optional(),
}

/** At most one of `as_at`, `snapshot_id` and `ref`; without any, the table as it is now. */
export const MovingChoiceQuery = z.strictObject({ ...PinnedChoiceQuery.shape, ...selectors })

const Redirect = z.enum(['auto', 'always', 'never'])
const redirect = {
  redirect: Redirect.default('auto').meta({
    description:
      'Where the warehouse is in a bucket: whether the response is a link into the store, which ' +
      'expires, in place of the file. `auto`: once the dump is one object there, unless the ' +
      'request has a condition (`If-Match`, `If-Range`, ...), `Authorization` or comes from a ' +
      'script of a page; `always`: waits until it is; `never`: the service sends the file.',
  }),
}
const download = {
  ...redirect,
  format: Format.optional().meta({
    description: `${FORMAT_DESCRIPTION} If absent, the Accept header decides; csv by default.`,
  }),
}

export const PinnedDumpQuery = z.strictObject({ ...PinnedChoiceQuery.shape, ...download })
export const MovingDumpQuery = z.strictObject({ ...MovingChoiceQuery.shape, ...download })

/** Choices for the file that the path names. */
export const NamedDumpQuery = z.strictObject({
  ...selectors,
  redirect: Redirect.optional().meta({ description: 'As at the permanent address.' }),
})

export const CkanDumpQuery = z.strictObject({
  ...redirect,
  format: Format.default('csv').meta({ description: 'CKAN’s formats, and ours.' }),
  bom: ByteOrderMark,
})

/** File contents in any format. */
export const DumpBytes = z.string().meta({ description: 'The file.' })
export const DigestLine = z
  .string()
  .meta({ description: 'The digest, two spaces, the file name, as read by `sha256sum -c`.' })

const EXAMPLE_EDITION = '0f3a9c41d2e7'
const EXAMPLE_URL = `/v1/tables/${EXAMPLE_UUID}/${EXAMPLE_SNAPSHOT_ID}/dump?format=csv`

export const DumpStatusAnswer = z
  .strictObject({
    state: z.enum(['ready', 'running', 'failed', 'absent']).meta({
      description: '`absent`: not requested yet; a GET of `url` starts it.',
    }),
    table_uuid: z.string(),
    snapshot_id: LongText,
    schema_id: z.int().meta({ description: 'The schema whose columns the file has.' }),
    edition: z.string().meta({ description: 'Stands for the content; part of `url` and `etag`.' }),
    format: Format,
    compression: z.enum(DUMP_COMPRESSIONS),
    file_name: z.string(),
    url: z.string().meta({ description: 'Permanent address of the dump.' }),
    etag: z.string(),
    pieces_done: z.int().optional().meta({ description: 'While running: finished parts.' }),
    bytes: z.int().optional(),
    rows: z.int().optional(),
    sha256: z
      .string()
      .optional()
      .meta({ description: 'SHA-256 of the whole file, in hexadecimal.' }),
    created_at: Time.optional(),
    extends: z
      .strictObject({
        snapshot_id: LongText,
        schema_id: z.int().optional().meta({ description: 'If it is not the snapshot’s own.' }),
        edition: z.string().optional(),
        file_name: z.string().optional().meta({ description: 'The name of that dump’s file.' }),
        byte: z.int(),
      })
      .nullable()
      .optional()
      .meta({
        description:
          'The dump of that snapshot and schema is the first `byte` bytes of this one, so only ' +
          'the rest must be downloaded.',
      }),
    problem: Problem.optional().meta({ description: 'If failed: why.' }),
    job_url: z.string().optional().meta({
      description:
        'Of the job that makes it: GET with `wait=30` waits for its end, DELETE withdraws from it.',
    }),
  })
  .meta({
    id: 'DumpStatus',
    example: {
      state: 'ready',
      table_uuid: EXAMPLE_UUID,
      snapshot_id: EXAMPLE_SNAPSHOT_ID,
      schema_id: 0,
      edition: EXAMPLE_EDITION,
      format: 'csv',
      compression: 'none',
      file_name: `flights-${EXAMPLE_SNAPSHOT_ID}-${EXAMPLE_EDITION}.csv`,
      url: `${EXAMPLE_URL}&edition=${EXAMPLE_EDITION}`,
      etag: `"${EXAMPLE_SNAPSHOT_ID}-${EXAMPLE_EDITION}-${EXAMPLE_UUID}-csv"`,
      bytes: 104_857_600,
      rows: 1_048_576,
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      created_at: '2024-03-18T00:10:02.000Z',
      extends: {
        snapshot_id: '1894662008811407',
        edition: '5be2c01d77a4',
        file_name: 'flights-1894662008811407-5be2c01d77a4.csv',
        byte: 94_371_840,
      },
    },
  })

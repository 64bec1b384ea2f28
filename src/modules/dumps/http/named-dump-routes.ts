import type { z } from 'zod'
import { CatalogError } from '../../../core/errors.ts'
import { FILE_ENDINGS } from '../../../core/table/file-endings.ts'
import { parseTableIdentifier } from '../../../core/table/table-name.ts'
import { onTable } from '../../../http/permission.ts'
import type { Reply } from '../../../http/reply.ts'
import { defineRoute, type Route } from '../../../http/route.ts'
import type { DumpCompression, DumpFormat } from '../format/dump-index.ts'
import { DUMP_PROBLEMS, DUMPS_TAG, MOVING_PROBLEMS } from './dump-docs.ts'
import {
  type DumpCall,
  type DumpResource,
  type DumpService,
  findDump,
  pinnedPath,
} from './dump-resource.ts'
import { NamedDumpQuery } from './dump-shapes.ts'
import { notReady, openDump, waitForIndex } from './open-bytes.ts'

const NAMES: Readonly<Record<DumpFormat, string>> = {
  csv: 'Csv',
  ndjson: 'Ndjson',
  parquet: 'Parquet',
  arrow: 'Arrow',
  tsv: 'Tsv',
  json: 'Json',
  xml: 'Xml',
}
const COMPRESSIONS: Readonly<Record<string, DumpCompression>> = { gz: 'gzip', zst: 'zstd' }

interface NamedForm {
  readonly format: DumpFormat
  readonly compression: DumpCompression
  readonly operationId: string
  /** As people call it. */
  readonly called: string
}

function formOfEnding(ending: (typeof FILE_ENDINGS)[number]): NamedForm {
  const [kind = '', packing = ''] = ending.split('.')
  const format = kind === 'jsonl' ? 'ndjson' : (kind as DumpFormat)
  const compression = COMPRESSIONS[packing] ?? 'none'
  const name = kind === 'jsonl' ? 'Jsonl' : NAMES[format]
  const packed =
    compression === 'none' ? '' : `${compression[0]?.toUpperCase()}${compression.slice(1)}`
  return {
    ...{ format, compression, operationId: `open${packed}${name}File` },
    called: `${name === 'Parquet' || name === 'Arrow' ? name : name.toUpperCase()} file${
      packing === '' ? '' : `, compressed by ${compression},`
    }`,
  }
}

/** A table as a file with an address that ends as the file does, which is all that readers need. */
export function namedDumpRoutes(service: DumpService): readonly Route[] {
  return FILE_ENDINGS.map((ending) => {
    const { format, compression, operationId, called } = formOfEnding(ending)
    return defineRoute(
      {
        method: 'get',
        path: `/v1/tables/{table_identifier}/{file_name}.${ending}` as const,
        operationId,
        tag: DUMPS_TAG,
        permission: onTable('select', 'filtered'),
        summary: `Open the table as a ${called} by its name`,
        description:
          'For `pl.read_parquet(url)`, `pd.read_csv(url)`, DuckDB and browsers, which tell a ' +
          'file by its address: redirects to the permanent address of the dump of now, or of ' +
          '`as_at`. `HEAD`, and a request with `Range`, wait up to a minute until the dump is ' +
          'made, since only then its length is known. Readers that ask here for one range after ' +
          'the other may meet two snapshots when the table changes in between: give them the ' +
          'address that this one leads to.',
        parameters: { file_name: 'The name of the table, with or without its namespace.' },
        query: NamedDumpQuery,
        answers: [
          {
            status: 307,
            description: 'The file is at `Location`.',
            headers: { Location: 'The permanent address of the dump, at this service.' },
          },
        ],
        problems: [...DUMP_PROBLEMS, ...MOVING_PROBLEMS],
        curl: `curl -fLO "$MORAINE/v1/tables/flights/flights.${ending}"`,
      },
      async (call) => {
        requireOwnName(call.param('table_identifier'), call.param('file_name'), ending)
        const choice = { format, compression, ...call.query }
        return answerRedirect(service, call, await findDump(service, call, choice), call.query)
      },
    )
  })
}

/** So that a file of another name is not mistaken for another table, snapshot or ref. */
function requireOwnName(table: string, fileName: string, ending: string): void {
  const key = parseTableIdentifier(table)
  const names = 'tableUuid' in key ? [table] : [table, key.name]
  if (names.includes(fileName)) return
  const file = `${names.at(-1)}.${ending}`
  throw new CatalogError(
    'snapshot-not-found',
    `the table's file is called ${file}; read a snapshot or ref whose name ends in .${ending} ` +
      'by its snapshot id',
    { facts: { file } },
  )
}

async function answerRedirect(
  service: DumpService,
  call: DumpCall,
  resource: DumpResource,
  { redirect }: Pick<z.output<typeof NamedDumpQuery>, 'redirect'>,
): Promise<Reply> {
  const { headers, method } = call.request
  const { target } = resource
  if (method === 'HEAD' || headers.range !== undefined) {
    const opened = await openDump(service, call, target)
    const { indexWaitMs } = service.streams.limits
    if ((await waitForIndex(opened, indexWaitMs, call.closed)) === undefined) {
      throw notReady(target)
    }
  }
  const asked = redirect === undefined ? '' : `&redirect=${redirect}`
  return {
    status: 307,
    headers: { Location: pinnedPath(target) + asked, 'Cache-Control': 'private, no-cache' },
  }
}
